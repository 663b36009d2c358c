"""The one door to matplotlib: training curves and before/after panels."""

import math

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402
import numpy as np  # noqa: E402

# Inches: width of the figure, height of its curves, most that panels may take; least height of a view as a share of the other.
_WIDTH, _CURVES, _HIGHEST, _THIN = 12, 3.2, 16, 0.2
# Inches of one slice in a table of examples.
_EXAMPLE = 3.2


def save_training(path, rows, panels):
    """Draw the history of a training above what the network does to a scan.

    Parameters
    ----------
    path : path-like
        PNG.
    rows : list of dict
        One per epoch, of `seconds` and logged numbers.
    panels : dict of str to ndarray of float32, shape (x, y, z)
        Volumes by title, drawn on the grey scale of the last one.
    """
    curves = _curves(rows)
    heights = (_CURVES, _panel_height(panels))
    figure = plt.figure(figsize=(_WIDTH, sum(heights)), layout="constrained")
    top, bottom = figure.subfigures(2, 1, height_ratios=heights)
    for axis, (title, x, scale, lines) in zip(top.subplots(1, len(curves), squeeze=False)[0], curves):
        for label, points in lines.items():
            axis.plot(*zip(*points), marker="." if len(points) < 20 else "", label=label)
        axis.set(title=title, xlabel=x, xscale=scale, yscale=scale)
        axis.grid(alpha=0.3)
        if lines:
            axis.legend()
    draw_panels(bottom, panels)
    figure.savefig(path, dpi=100)
    plt.close(figure)


def save_examples(path, examples):
    """Draw slices beside one another, one row for each example, on the grey scale of its last one.

    Parameters
    ----------
    path : path-like
        PNG.
    examples : list of dict of str to ndarray of float32, shape (x, y)
        Slices by title.
    """
    columns = len(examples[0])
    figure, rows = plt.subplots(
        len(examples), columns, figsize=(_EXAMPLE * columns, _EXAMPLE * len(examples)), layout="constrained", squeeze=False
    )
    for axes, example in zip(rows, examples):
        scale = list(example.values())[-1]
        for axis, (title, view) in zip(axes, example.items()):
            axis.imshow(
                view.T, cmap="gray", vmin=min(0.0, float(scale.min())), vmax=float(scale.max()), origin="lower", interpolation="nearest"
            )
            axis.set_axis_off()
            axis.set_title(title)
    figure.savefig(path, dpi=100)
    plt.close(figure)


def draw_panels(figure, panels):
    """Draw volumes beside one another: the middle axial slice above the middle coronal one, if there is more than one slice.

    Parameters
    ----------
    figure : matplotlib Figure or SubFigure
    panels : dict of str to ndarray of float32, shape (x, y, z)
    """
    scale = list(panels.values())[-1]
    low, high = min(0.0, float(scale.min())), float(np.percentile(scale, 99.8))
    # Rows as high as what they show, so that no white is left between them.
    heights = (scale.shape[1], max(scale.shape[2], _THIN * scale.shape[1]))[: 2 if scale.shape[2] > 1 else 1]
    axes = figure.subplots(len(heights), len(panels), height_ratios=heights, squeeze=False)
    for column, (title, volume) in zip(axes.T, panels.items()):
        for axis, view in zip(column, (volume[:, :, volume.shape[2] // 2], volume[:, volume.shape[1] // 2])):
            axis.imshow(view.T, cmap="gray", vmin=low, vmax=high, origin="lower", interpolation="nearest")
            axis.set_axis_off()
        column[0].set_title(title)


def save_contact_sheet(path, volumes):
    """Draw the middle axial slice of each volume, all on one grey scale, in rows.

    Parameters
    ----------
    path : path-like
        PNG.
    volumes : sequence of ndarray of float32, shape (x, y, z)
    """
    columns = math.ceil(math.sqrt(len(volumes)))
    rows = math.ceil(len(volumes) / columns)
    side = _WIDTH / max(columns, 3)
    figure, axes = plt.subplots(rows, columns, figsize=(side * columns, side * rows), squeeze=False, layout="constrained")
    low, high = (float(np.percentile([volume[:, :, volume.shape[2] // 2] for volume in volumes], share)) for share in (0.2, 99.8))
    for axis in axes.flat:
        axis.set_axis_off()
    for number, (axis, volume) in enumerate(zip(axes.flat, volumes), start=1):
        axis.imshow(volume[:, :, volume.shape[2] // 2].T, cmap="gray", vmin=low, vmax=high, origin="lower", interpolation="nearest")
        axis.set_title(number)
    figure.savefig(path, dpi=100)
    plt.close(figure)


def _panel_height(panels):
    """Return the inches that the rows of panels fill at full width, titles included."""
    x, y, z = list(panels.values())[-1].shape
    return min(_HIGHEST, _WIDTH / len(panels) * (y + (max(z, _THIN * y) if z > 1 else 0)) / x + 0.6)


def _curves(rows):
    """Sort the logged numbers into plots (title, x label, scale, lines): errors, and where an adversary took part one for each player."""
    if any("mse" in row for row in rows):
        # The published way to look at it: against the epoch, linear and log-log.
        lines = _lines(rows, {"mse": "training", "val_mse": "held out"}, "epoch")
        return [("mean squared error", "epoch", "linear", lines), ("mean squared error, log-log", "epoch", "log", lines)]
    groups = {"mean absolute error (network units)": {"l1": "training", "val_l1": "held out"}}
    if any("denoising" in row for row in rows):
        groups["denoiser: mean squared error"] = {"denoising": "training", "val_denoising": "held out"}
    if any("critic_loss" in row for row in rows):
        groups["weighted sum of losses"] = {"loss": "total"}
        groups["critic"] = {"critic_loss": "critic loss"}
        groups["generator"] = {"adversarial_loss": "adversarial loss"}
    return [(title, "seconds", "linear", _lines(rows, names, "seconds")) for title, names in groups.items()]


def _lines(rows, names, x):
    return {label: points for name, label in names.items() if (points := [(row[x], row[name]) for row in rows if name in row])}
