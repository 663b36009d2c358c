"""A scan before and after, and what was removed: three planes in millimetres, with the letters of their sides."""

import io
import typing

import numpy as np
import PIL.Image
from matplotlib.figure import Figure

from keras_mri.io.grids import tilt, voxel_sides
from keras_mri.io.whole_files import replacing
from keras_mri.report.charts import number
from keras_mri.report.comparison import foreground_of
from keras_mri.report.scales import difference_limit, grey_limits
from keras_mri.report.shown_position import choose_shown
from keras_mri.report.slices import MARGIN, draw_slice
from keras_mri.report.views import orthogonal_views

# Inches: the most that the slices take, the least that a title needs, gaps, titles, and the lines of text at the bottom.
_WIDTH, _HEIGHT, _TITLE_WIDTH = 9.0, 9.0, 2.7
_GAP, _TITLE, _LINE = 0.08, 0.45, 0.2
# Degrees: a smaller tilt of the voxel axes is not worth a word.
_TILTED = 1.0


class ShownFigure(Figure):
    """A Figure that a notebook shows where it is the last line of a cell, once, and as a small picture."""

    def _repr_png_(self):
        buffer, small = io.BytesIO(), io.BytesIO()
        self.savefig(buffer, format="png")
        # All that is drawn is grey: one number a pixel instead of four.
        PIL.Image.open(buffer).convert("L").save(small, format="png", optimize=True)
        return small.getvalue()


class _Column(typing.NamedTuple):
    """Slices below one title, by plane, all on one scale of greys."""

    title: str
    views: dict
    limits: tuple


def before_after_figure(before, after, frame=None, where=None, unit="mm"):
    """Draw a scan before and after side by side and, if they share a grid, before − after; axial, coronal and sagittal.

    Parameters
    ----------
    before, after : Volume
    frame, where, unit
        As for `keras_mri.report.shown_position.choose_shown`.

    Returns
    -------
    ShownFigure
        The left of the body is on the left. Before and after have one scale of greys, that of `before`.

    Raises
    ------
    InputError
        As `choose_shown`.
    """
    shown = choose_shown(before, after, frame, where, unit)
    columns = _columns(before, after, shown)
    rows = [plane for plane, view in columns[0].views.items() if min(view.image.shape) > 1] or ["axial"]
    return _figure(columns, rows, _notes(before, after, shown))


def save_picture(figure, path):
    """Save a figure in the format of its file's ending.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    path : pathlib.Path
        From `keras_mri.io.whole_files.check_output`.

    Raises
    ------
    InputError
        If the disk is full, or writing fails otherwise.
    """
    with replacing(path) as temporary:
        figure.savefig(temporary)


def _columns(before, after, shown):
    first, second = (
        orthogonal_views(frame, volume.affine, centre)
        for frame, volume, centre in zip((shown.before, shown.after), (before, after), shown.centres)
    )
    limits = grey_limits(_values(first))
    scale = f"{number(limits[0])} to {number(limits[1])}"
    columns = [
        _Column(f"{title}: {_voxels(volume)}\nblack to white: {scale}", views, limits)
        for title, volume, views in (("before", before, first), ("after", after, second))
    ]
    return [*columns, _removed(before, shown, limits)] if shown.same_grid else columns


def _removed(before, shown, limits):
    """Return the column of before − after, on a scale of its own around 0."""
    removed = shown.before.astype(np.float64) - shown.after
    views = orthogonal_views(removed, before.affine, shown.centres[0])
    limit = difference_limit(_values(views), (limits[1] - limits[0]) / 100)
    deviation = float(removed[foreground_of(shown.before)].std())
    title = f"removed (before − after): SD {number(deviation)}\nblack to white: {number(-limit)} to +{number(limit)}"
    return _Column(title, views, (-limit, limit))


def _voxels(volume):
    return " × ".join(f"{round(side, 2):g}" for side in voxel_sides(volume.affine)) + " mm"


def _notes(before, after, shown):
    """Return the lines of text below the slices."""
    place = ", ".join(f"{axis} {number(round(value, 1))}" for axis, value in zip("xyz", shown.place))
    frame = f"frame {shown.frame} of {shown.frames}, counted from 0; " if shown.frames > 1 else ""
    lines = [f"{frame}cut at {place} mm (RAS+); neurological: the left of the body is on the left"]
    if shown.same_grid:
        lines.append("SD of what was removed: over the foreground of this frame")
    else:
        lines.append("the two are on different grids: no difference is drawn")
    tilted = max(tilt(volume.affine) for volume in (before, after))
    if tilted > _TILTED:
        lines.append(f"oblique: slices follow the voxel axes, which are tilted by up to {tilted:.0f}°; letters name the nearest side")
    return lines


def _figure(columns, rows, notes):
    spans = {plane: _spans([column.views[plane] for column in columns]) for plane in rows}
    # mm: one width for all planes, so that all are drawn at one scale.
    width = max(across for (across, _), _ in spans.values())
    heights = [up for (_, up), _ in spans.values()]
    inch = min((_WIDTH / len(columns) - 2 * MARGIN) / width, (_HEIGHT - 2 * MARGIN * len(rows)) / sum(heights))
    column_inches = max(width * inch + 2 * MARGIN, _TITLE_WIDTH) + _GAP
    row_inches = [height * inch + 2 * MARGIN + _GAP for height in heights]
    bottom = _LINE * len(notes) + _GAP
    size = column_inches * len(columns) + _GAP, sum(row_inches) + bottom + _TITLE
    figure = ShownFigure(figsize=size)
    top = size[1] - _TITLE
    for plane, row, height in zip(rows, row_inches, heights):
        middle = spans[plane][1]
        for number_of, column in enumerate(columns):
            view, left = column.views[plane], _GAP + number_of * column_inches
            place = left / size[0], (top - row + _GAP) / size[1], (column_inches - _GAP) / size[0], (row - _GAP) / size[1]
            axis = figure.add_axes(place, label=f"{plane} {number_of}")
            draw_slice(axis, view, column.limits, MARGIN / inch, origin=(-view.cut[0], -view.cut[1]))
            half = (column_inches - _GAP) / inch / 2, height / 2 + MARGIN / inch
            axis.set(xlim=(middle[0] - half[0], middle[0] + half[0]), ylim=(middle[1] - half[1], middle[1] + half[1]))
        top -= row
    _write(figure, columns, notes, column_inches)
    return figure


def _spans(views):
    """Return width and height that hold some views, the place of their cut at (0, 0), and the middle of these: mm."""
    left, low = (max(view.cut[axis] for view in views) for axis in (0, 1))
    right, high = (max(view.size[axis] - view.cut[axis] for view in views) for axis in (0, 1))
    return (left + right, low + high), ((right - left) / 2, (high - low) / 2)


def _write(figure, columns, notes, column_inches):
    """Write titles above the slices and notes below them."""
    width, height = figure.get_size_inches()
    for number_of, column in enumerate(columns):
        middle = _GAP + (number_of + 0.5) * column_inches - _GAP / 2
        figure.text(middle / width, 1 - _TITLE / 2 / height, column.title, fontsize=8, ha="center", va="center")
    for line, note in enumerate(reversed(notes)):
        figure.text(_GAP / width, (_GAP + line * _LINE) / height, note, fontsize=8, va="bottom")


def _values(views):
    return np.concatenate([view.image.ravel() for view in views.values()])
