"""Figures as PNG files: training curves, slices before and after, examples, contact sheets."""

import math
import typing

import numpy as np
from matplotlib.figure import Figure

from keras_mri.report.charts import number
from keras_mri.report.slices import MARGIN, draw_slice
from keras_mri.report.views import orthogonal_views

# Inches: width of a figure, height of its curves, greatest height of its panels, side of one example.
_WIDTH, _CURVES, _HIGHEST, _EXAMPLE = 12, 3.2, 16, 3.2
# Height of the curves' place where there are words instead.
_WORDS = 0.8
# Least height of a coronal view as a share of the axial view's height.
_THIN = 0.2
# Shorter curves have a marker at each point.
_MARKED = 20


class Plot(typing.NamedTuple):
    """One plot of logged numbers: both axes have one scale, lines are lists of points by label, words say what no line can."""

    title: str
    x_label: str
    scale: str
    lines: dict
    words: str = ""


def save_training(path, rows, panels, error_names=("mean absolute error (network units)",), log_log=False, affine=None):
    """Save `training_figure` of the other arguments as a PNG at `path`."""
    _save(training_figure(rows, panels, error_names, log_log, affine), path)


def training_figure(rows, panels, error_names=("mean absolute error (network units)",), log_log=False, affine=None):
    """Draw the history of a training above the volumes that show its effect.

    Parameters
    ----------
    rows : list of dict
        One per epoch: `epoch`, `seconds` and logged numbers. `error` and `val_error` are drawn, for each `stage` (1, 2, …) where there
        are several; `loss`, `critic_loss` and `adversarial_loss` where there are any. A single number is written, not drawn.
    panels : dict of str to ndarray of float32, shape (x, y, z)
        Volumes by title, drawn on the grey scale of the last one.
    error_names : sequence of str
        Name and unit of the error of each stage.
    log_log : bool
        Draw the error against the epoch, with linear and with logarithmic axes, instead of against time.
    affine : ndarray of float64, shape (4, 4), optional
        Of the panels, as for `draw_panels`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    plots = _plots(rows, error_names, log_log)
    heights = (_CURVES if any(plot.lines for plot in plots) else _WORDS, _panel_height(panels, affine))
    figure = Figure(figsize=(_WIDTH, sum(heights)), layout="constrained")
    top, bottom = figure.subfigures(2, 1, height_ratios=heights)
    for axis, plot in zip(top.subplots(1, len(plots), squeeze=False)[0], plots):
        _draw_plot(axis, plot)
    draw_panels(bottom, panels, affine)
    return figure


def save_examples(path, examples, affine=None):
    """Save `examples_figure` of the examples as a PNG at `path`."""
    _save(examples_figure(examples, affine), path)


def examples_figure(examples, affine=None):
    """Draw a table of slices with one row per example, on the grey scale of the row's last slice.

    Parameters
    ----------
    examples : list of dict of str to ndarray of float32, shape (x, y), or (x, y, z) with one side of 1
        Slices by title.
    affine : ndarray of float64, shape (4, 4), optional
        Of the slices, as for `draw_panels`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    rows, columns = len(examples), len(examples[0])
    figure = Figure(figsize=(_EXAMPLE * columns, _EXAMPLE * rows), layout="constrained")
    for axes, example in zip(figure.subplots(rows, columns, squeeze=False), examples):
        scale = list(example.values())[-1]
        for axis, (title, view) in zip(axes, example.items()):
            volume = view[..., None] if view.ndim == 2 else view
            plane = _planes(volume, affine)[0]
            draw_slice(axis, plane, (min(0.0, float(scale.min())), float(scale.max())), _margin(plane, _EXAMPLE, affine))
            axis.set_title(title)
    return figure


def draw_panels(figure, panels, affine=None):
    """Draw volumes side by side, upright: the middle axial slice and the middle coronal one below it.

    Where one of them is no more than a line, the next of axial, coronal and sagittal is shown.

    Parameters
    ----------
    figure : matplotlib Figure or SubFigure
    panels : dict of str to ndarray of float32, shape (x, y, z)
        Volumes by title, drawn on the grey scale of the last one.
    affine : ndarray of float64, shape (4, 4), optional
        Voxel indices to RAS+ mm: voxels have their true sides, the left of the body is on the left, and letters name the sides, as on
        the page of a result. Without it, voxels are cubes and axes are drawn as they lie.
    """
    scale = list(panels.values())[-1]
    limits = min(0.0, float(scale.min())), float(np.percentile(scale, 99.8))
    width = _WIDTH / len(panels)
    # Each row is as high as its slices, so that no white space remains between the rows.
    heights = _row_heights(scale, affine, width)
    axes = figure.subplots(len(heights), len(panels), height_ratios=heights, squeeze=False)
    for column, (title, volume) in zip(axes.T, panels.items()):
        for axis, view in zip(column, _planes(volume, affine)):
            draw_slice(axis, view, limits, _margin(view, width, affine))
        column[0].set_title(title)


def save_contact_sheet(path, volumes, affine=None):
    """Save `contact_sheet` of the volumes as a PNG at `path`."""
    _save(contact_sheet(volumes, affine), path)


def contact_sheet(volumes, affine=None):
    """Draw the middle axial slice of each volume, numbered, all on one grey scale.

    Parameters
    ----------
    volumes : sequence of ndarray of float32, shape (x, y, z)
    affine : ndarray of float64, shape (4, 4), optional
        As for `draw_panels`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    slices = [_planes(volume, affine)[0] for volume in volumes]
    columns = math.ceil(math.sqrt(len(slices)))
    rows = math.ceil(len(slices) / columns)
    side = _WIDTH / max(columns, 3)
    figure = Figure(figsize=(side * columns, side * rows), layout="constrained")
    limits = [float(np.percentile([view.image for view in slices], share)) for share in (0.2, 99.8)]
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis in axes:
        axis.set_axis_off()
    for count, (axis, view) in enumerate(zip(axes, slices), start=1):
        draw_slice(axis, view, limits, _margin(view, side, affine))
        axis.set_title(str(count))
    return figure


def _save(figure, path):
    figure.savefig(path, dpi=100)


def _planes(volume, affine):
    """Return the two middle slices to show, as views: those of axial, coronal and sagittal that are no mere lines."""
    views = list(orthogonal_views(volume, np.eye(4) if affine is None else affine, (0.5, 0.5, 0.5)).values())
    return [view for view in views if min(view.image.shape) > 1][:2] or views[:1]


def _margin(view, width, affine):
    """Return the margin for letters around a slice that is, with it, `width` inches wide: mm; None where nothing is known of its sides."""
    return None if affine is None else view.size[0] * MARGIN / (width - 2 * MARGIN)


def _row_heights(volume, affine, width):
    """Return the height in inches of each row of slices that are `width` inches wide."""
    views = _planes(volume, affine)
    shares = [view.size[1] / view.size[0] for view in views]
    shares = [max(share, _THIN * shares[0]) for share in shares]
    if affine is None:
        return [width * share for share in shares]
    return [(width - 2 * MARGIN) * share + 2 * MARGIN for share in shares]


def _panel_height(panels, affine):
    """Return the height in inches of the rows of panels at full width, titles included."""
    return min(_HIGHEST, sum(_row_heights(list(panels.values())[-1], affine, _WIDTH / len(panels))) + 0.6)


def _draw_plot(axis, plot):
    axis.set(title=plot.title, xlabel=plot.x_label, xscale=plot.scale, yscale=plot.scale)
    for label, points in plot.lines.items():
        axis.plot(*zip(*points), marker="." if len(points) < _MARKED else "", label=label)
    if plot.lines:
        axis.grid(alpha=0.3)
        axis.legend(title=plot.words or None)
    else:
        axis.set_axis_off()
        axis.text(0.5, 0.95, plot.words, ha="center", va="top", transform=axis.transAxes)


def _plots(rows, error_names, log_log):
    errors = {"error": "training", "val_error": "held out"}
    x, plots = ("epoch" if log_log else "seconds"), []
    for stage, name in enumerate(error_names, start=1):
        part = [row for row in rows if row.get("stage", 1) == stage]
        if part or stage == 1:
            plots.append(_plot(part, name, x, errors))
    if log_log and plots[0].lines:
        plots.append(plots[0]._replace(title=f"{error_names[0]}, log-log", scale="log"))
    if any("critic_loss" in row for row in rows):
        groups = {"weighted sum of losses": ("loss", "total"), "critic": ("critic_loss",) * 2, "generator": ("adversarial_loss",) * 2}
        losses = [_plot(rows, title, x, {name: label.replace("_", " ")}) for title, (name, label) in groups.items()]
        plots += [plot for plot in losses if plot.lines]
    return plots


def _plot(rows, title, x, names):
    """Return the plot of some logged numbers: lines of what has two points or more, words for the others."""
    points = {label: [(row[x], row[name]) for row in rows if math.isfinite(row.get(name, math.nan))] for name, label in names.items()}
    single = [f"{label} {number(line[0][1])}" for label, line in points.items() if len(line) == 1]
    words = f"{', '.join(single)} (one epoch)" if single else "" if any(points.values()) else "no epoch has ended"
    return Plot(title, x, "linear", {label: line for label, line in points.items() if len(line) > 1}, words)
