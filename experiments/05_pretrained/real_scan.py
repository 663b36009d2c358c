"""The picture of the README: python -m experiments.05_pretrained.real_scan, writes real_scan.png.

Two scans as their scanners wrote them; nothing is added. Above, a T1w of 1 mm (clinical head 5, brain only), who took no part in training;
below, one diffusion-weighted volume (cabi-dti, b = 1000, 2 mm), of which there is a second repetition, the truth; means of this scan's
volumes were among the EPIs of the first training, with white noise added.
From left to right: as it came; by the network that `auto` takes, which is told nothing; what that removed; and what a Gaussian removes
whose width makes it remove as much (above), or which the truth chooses (below).
"""

import importlib
import pathlib

import matplotlib
import numpy as np
from scipy.optimize import brentq

from experiments.baselines import smooth
from experiments.data import FOLDER
from keras_mri.io.nifti_reading import open_image

matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402

from . import denoisers, gain  # noqa: E402

real_noise = importlib.import_module("experiments.05_pretrained.real_noise")

_HEAD = FOLDER / "clinical" / "head05_t1w.nii.gz"
# Direction of the b = 1000 volumes, and the repetition.
_DIRECTION, _REPETITION = 3, 0
# Places along the third axis, as a part of it; what is removed is shown to this share of the grey scale.
_PLACE_OF_HEAD, _PLACE_OF_DIFFUSION, _SHOWN = 0.5, 0.55, (0.05, 0.25)


def main():
    """Draw real_scan.png."""
    figure, rows = plt.subplots(2, 4, figsize=(13, 7.6), layout="constrained")
    _head(rows[0])
    _diffusion(rows[1])
    figure.savefig(pathlib.Path(__file__).with_name("real_scan.png"), dpi=80)


def _head(row):
    image = open_image(_HEAD)
    measured = image.frame(0)
    restored = _network("wgan_t1w").restore(measured, None, image.affine)
    inside = measured != 0
    removed = float((measured - restored)[inside].std())
    width = brentq(lambda fwhm: (measured - smooth(measured, fwhm))[inside].std() - removed, 0.2, 3.0)
    gaussian = np.where(inside, smooth(measured, width), 0)
    titles = ("T1w, as it came", "t1w, told nothing", "removed", f"a Gaussian of FWHM {width:.2f} voxels removes as much")
    _draw(row, (measured, restored, gaussian), _PLACE_OF_HEAD, inside, titles, _SHOWN[0])


def _diffusion(row):
    repeats = list(real_noise.SETS["cabi-dti b1000"]())[_DIRECTION]
    measured, other, mask = repeats.frames[..., _REPETITION], repeats.frames[..., 1 - _REPETITION], repeats.mask
    known = denoisers.Known(other, mask, 0.0)
    images = [
        measured,
        _network("wgan_any").restore(measured, None, repeats.affine),
        denoisers.FILTERS["best Gaussian"].restore(measured, known, repeats.affine),
    ]
    before, *after = (gain.distance(image, other, mask) for image in images)
    ours, gaussian = (f"{100 * gain.share(before, distance, 2):.0f} %" for distance in after)
    titles = ("diffusion, b = 1000, as it came", f"any, told nothing: {ours} of the noise's variance gone", "removed")
    _draw(row, images, _PLACE_OF_DIFFUSION, mask, (*titles, f"the best Gaussian: {gaussian} gone"), _SHOWN[1])


def _network(name):
    return denoisers.network(name, keep_bias=True)[1]


def _draw(row, images, place, inside, titles, shown):
    """Draw a plane of the scan, of the network's result, and of what network and Gaussian removed."""
    measured, restored, gaussian = (image[..., int(place * image.shape[2])] for image in images)
    top = float(np.percentile(images[0][inside], 99.8))
    planes = ((measured, 0, top), (restored, 0, top), *((measured - image, -shown * top, shown * top) for image in (restored, gaussian)))
    for panel, (plane, low, high), title in zip(row, planes, titles):
        panel.imshow(np.rot90(plane), cmap="gray", vmin=low, vmax=high, interpolation="nearest")
        panel.set_title(title, fontsize=9)
        panel.set_axis_off()


if __name__ == "__main__":
    main()
