"""The picture of the README: python -m experiments.03_sr.figure [FOLDER]

One axial slice of adi-t1t2's T1w, truncated 2×2×1: source | cubic | L1 only | GAN | target, and below each what it lacks.
"""

import importlib
import pathlib
import sys

import matplotlib
import numpy as np

from experiments.data import FOLDER
from keras_mri.imaging.kspace import truncated
from keras_mri.imaging.metrics import psnr
from keras_mri.io.grids import left_right_axis
from keras_mri.io.mask_files import load_mask
from keras_mri.io.nifti_reading import open_image
from keras_mri.io.volumes import Volume

matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402

train = importlib.import_module("experiments.03_sr.train")
table = importlib.import_module("experiments.03_sr.table")

FACTORS, SEED = "2x2x1", 0
# Of the brain's height, from below: the lateral ventricles. Voxels left around the brain.
HEIGHT, MARGIN = 0.6, 8
# Largest difference drawn, as a share of the grey scale.
CONTRAST = 0.15


def main(folder="networks"):
    """Draw figure.png."""
    target = open_image(FOLDER / "adi-t1t2" / "T1w_defaced.nii.gz")
    mask = load_mask(FOLDER / "adi-t1t2" / "T1w_brainmask.nii.gz", target)
    reference, factors = target.frame(0), train.FACTORS[FACTORS]
    source = Volume.from_array(truncated(reference, factors), target.affine, name=f"truncated {FACTORS}")
    volumes = {"source, 2×2×1": source.frame(0), "cubic": table.cubic(reference, factors)}
    for variant in train.USUAL:
        path = train.network_path(folder, variant, FACTORS, SEED)
        # The adversary shows in the last epoch, not in the one with the best L1.
        path = path.with_stem(path.stem + "_last") if variant == "GAN" else path
        volumes[variant] = table.restorer(path, target)(source)
    volumes["target"] = reference
    peak = float(reference[mask].max())
    top = float(np.percentile(reference[mask], 99.8))
    figure, axes = plt.subplots(2, len(volumes), figsize=(3.2 * len(volumes), 7.6), layout="constrained")
    aspect = target.zooms[_along(target.affine)] / target.zooms[left_right_axis(target.affine)]
    for column, (title, volume) in zip(axes.T, volumes.items()):
        score = "" if title == "target" else f"\n{psnr(reference, volume, mask, peak):.2f} dB in the brain"
        _draw(column[0], _slice(volume, mask, target.affine), aspect, 0, top, title + score)
        column[1].set_axis_off()
        if title != "target":
            wrong = _slice(volume - reference, mask, target.affine)
            _draw(column[1], wrong, aspect, -CONTRAST * top, CONTRAST * top, f"minus target (± {CONTRAST:.0%})")
    figure.savefig(pathlib.Path(__file__).with_name("figure.png"), dpi=75)


def _slice(volume, mask, affine):
    """Return one axial slice around the brain, front above, left-right across: ndarray of float32, shape (rows, columns)."""
    axial, across, along = table.axial_axis(affine), left_right_axis(affine), _along(affine)
    inside = [np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis))) for axis in range(3)]
    height = HEIGHT if affine[2, axial] > 0 else 1 - HEIGHT
    place = round(inside[axial][0] + height * (inside[axial][-1] - inside[axial][0]))
    view = np.moveaxis(volume, (along, across, axial), (0, 1, 2))[..., place]
    # Rows from front to back: the first voxel is in front where the axis runs backwards.
    window = tuple(slice(max(0, inside[axis][0] - MARGIN), inside[axis][-1] + MARGIN + 1) for axis in (along, across))
    view = view[window]
    return view if affine[1, along] < 0 else view[::-1]


def _along(affine):
    """Return the voxel axis that is left: from back to front, or the other way."""
    return next(axis for axis in range(3) if axis not in (table.axial_axis(affine), left_right_axis(affine)))


def _draw(axis, view, aspect, low, high, title):
    axis.imshow(view, cmap="gray", vmin=low, vmax=high, aspect=aspect, interpolation="nearest")
    axis.set_title(title, fontsize=10)
    axis.set_axis_off()


if __name__ == "__main__":
    main(*sys.argv[1:2])
