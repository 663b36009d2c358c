"""What Noise2Average does to three scans: python -m experiments.02_n2a.figure [FOLDER], after simulated and real."""

import pathlib
import sys

import nibabel
import numpy as np

from experiments.data import FOLDER, adi_t1w
from keras_mri.io.nifti_reading import open_image
from keras_mri.systems.n2a import system as n2a
from keras_mri.systems.n2a.settings import Config

PAIRS = {
    "ge-seepi": ([f"seepi_{t}.nii.gz" for t in (1, 2)], "ge-seepi/series7_mask.nii.gz", "ge-seepi_0_denoised.nii.gz"),
    "cabi-dti, b = 1000": ([f"dti_{t}.nii.gz" for t in (1, 2)], "cabi-dti/mask.nii.gz", "cabi-dti_0_denoised.nii.gz"),
}


def main(folder="n2a_networks"):
    """Write figure.png: one axial slice of each scan, before, after, and what was removed."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    folder = pathlib.Path(folder)
    scan, _ = adi_t1w()
    clean = scan.frame(0) / scan.frame(0).max()
    first, second = (open_image(folder / f"gaussian_0_rep{k}.nii.gz").frame(0) / 1000 for k in (1, 2))
    denoised = open_image(folder / "gaussian_0_denoised.nii.gz").frame(0) / 1000
    rows = {"T1w, p = 5 %, simulated": (scan.affine, first, (first + second) / 2, denoised, clean)}
    for name, (paths, mask, result) in PAIRS.items():
        scan = n2a.prepare([folder / path for path in paths], Config(mask=str(FOLDER / mask)))
        rows[name] = (scan.reference.affine, scan.data[0, ..., 0], scan.average[..., 0], open_image(folder / result).frame(0), None)

    figure, axes = plt.subplots(len(rows), 5, figsize=(20, 4.2 * len(rows)), layout="constrained")
    for line, (name, (affine, *volumes)) in zip(axes, rows.items()):
        single, average, ours, truth = (None if volume is None else _axial(volume, affine) for volume in volumes)
        top = np.percentile(average, 99.7)
        panels = {f"{name}: one repetition": single, "average of two": average, "noise2average": ours, "clean": truth}
        for axis, (title, volume) in zip(line, panels.items()):
            if volume is not None:
                axis.imshow(volume.T, cmap="gray", vmin=0, vmax=top, origin="lower", interpolation="nearest")
                axis.set_title(title)
            axis.set_axis_off()
        line[4].imshow((average - ours).T, cmap="gray", vmin=-0.1 * top, vmax=0.1 * top, origin="lower", interpolation="nearest")
        line[4].set_title("removed from the average (± 10 %)")
        line[4].set_axis_off()
    figure.savefig(pathlib.Path(__file__).with_name("figure.png"), dpi=60)
    plt.close(figure)


def _axial(volume, affine):
    """Return the middle axial slice, left to right and back to front, whatever way the scan lies."""
    upright = nibabel.orientations.apply_orientation(volume, nibabel.io_orientation(affine))
    return upright[:, :, upright.shape[2] // 2]


if __name__ == "__main__":
    main(*sys.argv[1:2])
