"""The picture of the README: python -m experiments.05_pretrained.real_scan [NETWORK], writes real_scan.png.

One diffusion-weighted volume of cabi-dti (b = 1000, 2 mm) as its scanner wrote it, nothing added; the same restored by the Gaussian that
the truth chooses and by the network, which is told nothing; and the scan's second repetition, which none of them saw. Below, what each
removed, and half of what the repetitions differ by.
"""

import importlib
import pathlib
import sys

import matplotlib
import numpy as np

matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402

from . import denoisers, gain  # noqa: E402

real_noise = importlib.import_module("experiments.05_pretrained.real_noise")

# Direction of the b = 1000 volumes, repetition, and where along the third axis, as a part of it.
_DIRECTION, _REPETITION, _PLACE = 3, 0, 0.55


def main(network="wgan_any"):
    """Draw real_scan.png."""
    repeats = list(real_noise.SETS["cabi-dti b1000"]())[_DIRECTION]
    measured, other = repeats.frames[..., _REPETITION], repeats.frames[..., 1 - _REPETITION]
    known = denoisers.Known(other, repeats.mask, float(np.std((measured - other)[repeats.mask]) / np.sqrt(2)))
    _, ours = denoisers.network(network, keep_bias=True)
    images = {
        "one volume, as it came": measured,
        "best Gaussian, chosen by the truth": denoisers.FILTERS["best Gaussian"].restore(measured, known, repeats.affine),
        f"{network}, told nothing": ours.restore(measured, None, repeats.affine),
        "its second repetition, not seen": other,
    }
    top, plane = float(np.percentile(measured[repeats.mask], 99.5)), int(_PLACE * measured.shape[2])
    before = gain.distance(measured, other, repeats.mask)
    figure, axes = plt.subplots(2, 4, figsize=(14, 7.4), layout="constrained")
    for column, (name, image) in enumerate(images.items()):
        share = gain.share(before, gain.distance(image, other, repeats.mask), 2)
        title = name if column in (0, 3) else f"{name}\n{100 * share:.0f} % of the noise's variance gone"
        _show(axes[0, column], image[..., plane], 0, top, title)
        removed, title = measured - image, "" if column in (0, 3) else "removed"
        if column == 3:
            removed, title = removed / 2, "half of what the repetitions differ by"
        if column:
            _show(axes[1, column], removed[..., plane], -top / 4, top / 4, title)
    axes[1, 0].set_axis_off()
    figure.savefig(pathlib.Path(__file__).with_name("real_scan.png"), dpi=80)


def _show(place, plane, low, high, title):
    place.imshow(np.rot90(plane), cmap="gray", vmin=low, vmax=high, interpolation="nearest")
    place.set_title(title, fontsize=11)
    place.set_axis_off()


if __name__ == "__main__":
    main(*sys.argv[1:])
