"""The one door to matplotlib: training curves and before/after panels."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402
import numpy as np  # noqa: E402


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
    figure = plt.figure(figsize=(12, 11), layout="constrained")
    top, bottom = figure.subfigures(2, 1, height_ratios=(1, 2))
    for axis, (title, lines) in zip(np.atleast_1d(top.subplots(1, len(curves))), curves.items()):
        for label, points in lines.items():
            axis.plot(*zip(*points), label=label)
        axis.set(title=title, xlabel="seconds")
        if title == "error":
            axis.set(yscale="log", ylabel="mean absolute error (network units)")
        axis.grid(alpha=0.3)
        axis.legend()
    draw_panels(bottom, panels)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def draw_panels(figure, panels):
    """Draw volumes beside one another: an axial slice above, a coronal and a sagittal one below.

    Parameters
    ----------
    figure : matplotlib Figure or SubFigure
    panels : dict of str to ndarray of float32, shape (x, y, z)
    """
    scale = list(panels.values())[-1]
    low, high = min(0.0, float(scale.min())), float(np.percentile(scale, 99.8))
    axes = figure.subplots(2, len(panels), height_ratios=(1.6, 1), squeeze=False)
    for column, (title, volume) in zip(axes.T, panels.items()):
        x, y, z = (side // 2 for side in volume.shape)
        views = volume[:, :, z].T, np.vstack([volume[:, y, :].T, volume[x, :, :].T]) if _same_width(volume) else volume[:, y, :].T
        for axis, view in zip(column, views):
            axis.imshow(view, cmap="gray", vmin=low, vmax=high, origin="lower", interpolation="nearest")
            axis.set_axis_off()
        column[0].set_title(title)


def _same_width(volume):
    return volume.shape[0] == volume.shape[1]


def _curves(rows):
    """Sort the logged numbers into one plot of errors and, where an adversary took part, one of its game."""
    groups = {"error": {"l1": "training", "val_l1": "held out"}}
    if any("critic_loss" in row for row in rows):
        groups["adversarial game"] = {"critic_loss": "critic loss", "adversarial_loss": "generator's adversarial loss"}
    return {
        title: {
            label: [(row["seconds"], row[name]) for row in rows if name in row]
            for name, label in names.items()
            if any(name in row for row in rows)
        }
        for title, names in groups.items()
    }
