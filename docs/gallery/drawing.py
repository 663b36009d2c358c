"""How every picture of the gallery is drawn: slices side by side, upright, in voxels as they are, with a small palette."""

import io
import pathlib

import matplotlib
import numpy as np
from PIL import Image

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402

# Inches of a picture, dots per inch, and colours that are kept: a picture stays below 120 kB.
WIDTH, _DPI, _COLOURS = 8.0, 110, 96


def axial(volume, level=0.5):
    """Return one slice of a volume as an image: ndarray, shape (rows, columns), the front at the top.

    Parameters
    ----------
    volume : ndarray, shape (x, y, z)
    level : float
        0 is the lowest slice, 1 the highest.
    """
    return np.asarray(volume)[:, :, round(level * (volume.shape[2] - 1))].T[::-1]


def coronal(volume, level=0.5):
    """Return one slice of a volume from the front: ndarray, shape (rows, columns), the top of the head at the top."""
    return np.asarray(volume)[:, round(level * (volume.shape[1] - 1))].T[::-1]


def show(axis, image, title, limits=None, aspect=1.0, colours="gray"):
    """Draw an image.

    Parameters
    ----------
    axis : matplotlib.axes.Axes
    image : ndarray, shape (rows, columns)
    title : str or None
    limits : pair of float, optional
        Intensities that are black and white; by default the lowest and the 99.8th percentile.
    aspect : float
        Height of a voxel over its width.
    colours : str
        Name of a colour map.
    """
    low, high = limits or (float(np.min(image)), float(np.percentile(image, 99.8)))
    axis.imshow(image, cmap=colours, vmin=low, vmax=high, aspect=aspect, interpolation="nearest")
    axis.set_title(title, fontsize=10)
    axis.set_axis_off()


def row(panels, limits=None, aspect=1.0):
    """Draw images side by side.

    Parameters
    ----------
    panels : dict of str to ndarray
        Title → image; an image whose title starts with "removed" is drawn around 0.
    limits : pair of float, optional
        Of all others; by default those of the first.
    aspect : float

    Returns
    -------
    matplotlib.figure.Figure
    """
    first = next(iter(panels.values()))
    limits = limits or (float(np.min(first)), float(np.percentile(first, 99.8)))
    shape = first.shape
    height = WIDTH / len(panels) * shape[0] / shape[1] * aspect + 0.2 * (1.5 + max(title.count("\n") for title in panels))
    figure, axes = pyplot.subplots(1, len(panels), figsize=(WIDTH, height), layout="constrained", squeeze=False)
    for axis, (title, image) in zip(axes[0], panels.items()):
        around = np.percentile(np.abs(image), 99) if title.startswith("removed") else None
        show(axis, image, title, (-around, around) if around else limits, aspect)
    return figure


def save(figure, script):
    """Write a figure beside where the script is called, as `NAME.png` of the script `NAME.py`, in few colours.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    script : str
        `__file__` of the example.
    """
    written = io.BytesIO()
    figure.savefig(written, dpi=_DPI, facecolor="white")
    image = Image.open(written).convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE)
    image.save(f"{pathlib.Path(script).stem}.png", optimize=True)
