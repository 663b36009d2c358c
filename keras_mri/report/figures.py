"""Figures as PNG files: training curves, slices before and after, examples, contact sheets."""

import math
import typing

import numpy as np
from matplotlib.figure import Figure

# Inches: width of a figure, height of its curves, greatest height of its panels, side of one example.
_WIDTH, _CURVES, _HIGHEST, _EXAMPLE = 12, 3.2, 16, 3.2
# Least height of a coronal view as a share of the axial view's height.
_THIN = 0.2
# Shorter curves have a marker at each point.
_MARKED = 20


class Plot(typing.NamedTuple):
    """One plot of logged numbers: both axes have one scale, lines are lists of points by label."""

    title: str
    x_label: str
    scale: str
    lines: dict


def save_training(path, rows, panels, error_names=("mean absolute error (network units)",), log_log=False):
    """Save `training_figure` of the other arguments as a PNG at `path`."""
    _save(training_figure(rows, panels, error_names, log_log), path)


def training_figure(rows, panels, error_names=("mean absolute error (network units)",), log_log=False):
    """Draw the history of a training above the volumes that show its effect.

    Parameters
    ----------
    rows : list of dict
        One per epoch: `epoch`, `seconds` and logged numbers. `error` and `val_error` are drawn, for each `stage` (1, 2, …) where there
        are several; `loss`, `critic_loss` and `adversarial_loss` where there are any.
    panels : dict of str to ndarray of float32, shape (x, y, z)
        Volumes by title, drawn on the grey scale of the last one.
    error_names : sequence of str
        Name and unit of the error of each stage.
    log_log : bool
        Draw the error against the epoch, with linear and with logarithmic axes, instead of against time.

    Returns
    -------
    matplotlib.figure.Figure
    """
    plots = _plots(rows, error_names, log_log)
    heights = (_CURVES, _panel_height(panels))
    figure = Figure(figsize=(_WIDTH, sum(heights)), layout="constrained")
    top, bottom = figure.subfigures(2, 1, height_ratios=heights)
    for axis, plot in zip(top.subplots(1, len(plots), squeeze=False)[0], plots):
        for label, points in plot.lines.items():
            axis.plot(*zip(*points), marker="." if len(points) < _MARKED else "", label=label)
        axis.set(title=plot.title, xlabel=plot.x_label, xscale=plot.scale, yscale=plot.scale)
        axis.grid(alpha=0.3)
        if plot.lines:
            axis.legend()
    draw_panels(bottom, panels)
    return figure


def save_examples(path, examples):
    """Save `examples_figure` of the examples as a PNG at `path`."""
    _save(examples_figure(examples), path)


def examples_figure(examples):
    """Draw a table of slices with one row per example, on the grey scale of the row's last slice.

    Parameters
    ----------
    examples : list of dict of str to ndarray of float32, shape (x, y)
        Slices by title.

    Returns
    -------
    matplotlib.figure.Figure
    """
    rows, columns = len(examples), len(examples[0])
    figure = Figure(figsize=(_EXAMPLE * columns, _EXAMPLE * rows), layout="constrained")
    for axes, example in zip(figure.subplots(rows, columns, squeeze=False), examples):
        scale = list(example.values())[-1]
        for axis, (title, view) in zip(axes, example.items()):
            _draw_slice(axis, view, min(0.0, float(scale.min())), float(scale.max()))
            axis.set_title(title)
    return figure


def draw_panels(figure, panels):
    """Draw volumes side by side: the middle axial slice and, if there is more than one slice, the middle coronal one below it.

    Parameters
    ----------
    figure : matplotlib Figure or SubFigure
    panels : dict of str to ndarray of float32, shape (x, y, z)
        Volumes by title, drawn on the grey scale of the last one.
    """
    scale = list(panels.values())[-1]
    low, high = min(0.0, float(scale.min())), float(np.percentile(scale, 99.8))
    # Each row is as high as its slices, so that no white space remains between the rows.
    heights = (scale.shape[1], max(scale.shape[2], _THIN * scale.shape[1]))[: 2 if scale.shape[2] > 1 else 1]
    axes = figure.subplots(len(heights), len(panels), height_ratios=heights, squeeze=False)
    for column, (title, volume) in zip(axes.T, panels.items()):
        for axis, view in zip(column, (volume[:, :, volume.shape[2] // 2], volume[:, volume.shape[1] // 2])):
            _draw_slice(axis, view, low, high)
        column[0].set_title(title)


def save_contact_sheet(path, volumes):
    """Save `contact_sheet` of the volumes as a PNG at `path`."""
    _save(contact_sheet(volumes), path)


def contact_sheet(volumes):
    """Draw the middle axial slice of each volume, numbered, all on one grey scale.

    Parameters
    ----------
    volumes : sequence of ndarray of float32, shape (x, y, z)

    Returns
    -------
    matplotlib.figure.Figure
    """
    slices = [volume[:, :, volume.shape[2] // 2] for volume in volumes]
    columns = math.ceil(math.sqrt(len(slices)))
    rows = math.ceil(len(slices) / columns)
    side = _WIDTH / max(columns, 3)
    figure = Figure(figsize=(side * columns, side * rows), layout="constrained")
    low, high = (float(np.percentile(slices, share)) for share in (0.2, 99.8))
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis in axes:
        axis.set_axis_off()
    for number, (axis, view) in enumerate(zip(axes, slices), start=1):
        _draw_slice(axis, view, low, high)
        axis.set_title(number)
    return figure


def _save(figure, path):
    figure.savefig(path, dpi=100)


def _draw_slice(axis, view, low, high):
    axis.imshow(view.T, cmap="gray", vmin=low, vmax=high, origin="lower", interpolation="nearest")
    axis.set_axis_off()


def _panel_height(panels):
    """Return the height in inches of the rows of panels at full width, titles included."""
    x, y, z = list(panels.values())[-1].shape
    return min(_HIGHEST, _WIDTH / len(panels) * (y + (max(z, _THIN * y) if z > 1 else 0)) / x + 0.6)


def _plots(rows, error_names, log_log):
    errors = {"error": "training", "val_error": "held out"}
    x, plots = ("epoch" if log_log else "seconds"), []
    for stage, name in enumerate(error_names, start=1):
        lines = _lines([row for row in rows if row.get("stage", 1) == stage], errors, x)
        if lines or stage == 1:
            plots.append(Plot(name, x, "linear", lines))
    if log_log:
        plots.append(Plot(f"{error_names[0]}, log-log", x, "log", plots[0].lines))
    if any("critic_loss" in row for row in rows):
        groups = {"weighted sum of losses": ("loss", "total"), "critic": ("critic_loss",) * 2, "generator": ("adversarial_loss",) * 2}
        plots += [Plot(title, x, "linear", _lines(rows, {name: label.replace("_", " ")}, x)) for title, (name, label) in groups.items()]
    return plots


def _lines(rows, names, x):
    return {label: points for name, label in names.items() if (points := [(row[x], row[name]) for row in rows if name in row])}
