"""The picture of the README: python -m experiments.08_super_resolution.figure [NETWORK.h5], writes figure.png.

Above, a thin scan made 4 mm thick, beside the truth; below, scans whose slices are truly thick, of which nobody knows the truth: cut
along the axis from foot to head, as measured, interpolated by cubic splines, and by the network.
"""

import importlib
import pathlib
import sys

import matplotlib
import numpy as np

from experiments.data import FOLDER
from keras_mri.imaging.acquisition.slice_profiles import interpolation_matrix
from keras_mri.io.nifti_reading import open_image
from keras_mri.io.volumes import Volume
from keras_mri.systems.network_files import load_network, path_of_network
from keras_mri.systems.sr import system as sr
from keras_mri.systems.sr.settings import PredictConfig

matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402

heads = importlib.import_module("experiments.08_super_resolution.heads")

# Truly thick scans; the world axis that is looked along (0: left-right, 1: back to front), and where, as a part of the scan.
THICK = {
    "adi-t1t2, T2w 2.5 mm": ("adi-t1t2/T2w_defaced.nii.gz", 0, 0.47),
    "clinical 6, T2w 4 mm": ("clinical/head06_t2w.nii.gz", 1, 0.5),
}
# Voxels beside the picture that the network sees, and the side that it reaches, mm.
_BESIDE, _VOXEL = 20, 1.0


def main(network="sr_any"):
    """Draw figure.png."""
    checkpoint = load_network(path_of_network(network))
    figure, axes = plt.subplots(1 + len(THICK), 4, figsize=(14, 3.1 * (1 + len(THICK))), layout="constrained")
    _simulated(axes[0], checkpoint)
    for row, (title, (scan, looked, place)) in zip(axes[1:], THICK.items()):
        image = _slab(open_image(FOLDER / scan), looked, place)
        fine = sr.predict(checkpoint, [image], PredictConfig(voxel=_VOXEL))
        axis = heads.axial_axis(image.affine)
        _draw(row, title, image, {"cubic": _cubic(image.frame(0), axis, fine.shape[axis]), "sr_any": fine.frame(0)}, looked)
    figure.savefig(pathlib.Path(__file__).with_name("figure.png"), dpi=75)


def _simulated(row, checkpoint):
    thick = heads.thick(*heads.opened(*heads.TESTED["adi-t1t2", "T1w"]), 4.0, "gaussian")
    axis = next(iter(thick.matrices))
    found = {
        "cubic": _cubic(thick.slices.frame(0), axis, thick.truth.shape[axis]),
        "sr_any": sr.predict(checkpoint, [thick.slices], PredictConfig(voxel=thick.voxel)).frame(0),
        "thin scan": thick.truth,
    }
    _draw(row, "adi-t1t2, T1w, made 4 mm", thick.slices, found, 0, 0.45)


def _cubic(data, axis, voxels):
    slices = np.moveaxis(data, axis, -1)
    return np.moveaxis(slices @ interpolation_matrix(voxels, slices.shape[-1]).T.astype(np.float32), -1, axis)


def _slab(image, looked, place):
    """Cut a slab around the plane to look at: the network need not see the rest."""
    axis = _axis(image.affine, looked)
    start = round(place * image.shape[axis]) - _BESIDE
    part = tuple(slice(start, start + 2 * _BESIDE + 1) if other == axis else slice(None) for other in range(3))
    affine = image.affine.copy()
    affine[:3, 3] += start * affine[:3, axis]
    return Volume.from_array(image.frame(0)[part], affine, name=image.name)


def _axis(affine, world):
    return int(np.argmax(np.abs(affine[world, :3]) / np.linalg.norm(affine[:3, :3], axis=0)))


def _draw(row, title, image, fine, looked, place=0.5):
    """Draw the plane of the slices as they are, and that of each finer image."""
    images = {"slices as measured": image.frame(0), **fine}
    top = float(np.percentile(image.frame(0)[image.frame(0) > 0], 99.5))
    across, up = _axis(image.affine, looked), _axis(image.affine, 2)
    for place_on, (name, data) in zip(row, images.items()):
        plane = np.take(data, int(place * data.shape[across]), axis=across)
        along = next(axis for axis in range(3) if axis not in (across, up))
        plane = plane if up < along else plane.T
        height, width = image.shape[up] * image.zooms[up], image.shape[along] * image.zooms[along]
        # Feet below, whatever the direction of the axis.
        plane = plane if image.affine[2, up] < 0 else plane[::-1]
        place_on.imshow(plane, cmap="gray", vmin=0, vmax=top, extent=(0, width, 0, height), interpolation="nearest")
        place_on.set_title(f"{title}\n{name}" if name == "slices as measured" else name, fontsize=10)
    for place_on in row:
        place_on.set_axis_off()


if __name__ == "__main__":
    main(*sys.argv[1:])
