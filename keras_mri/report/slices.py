"""One slice on matplotlib's axes: voxels of their true sides, and the letters of its edges in a black margin."""

import numpy as np
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

# Inches: the black margin around a slice in which the letters of its sides stand.
MARGIN = 0.19


def draw_slice(axis, view, limits, margin=None, origin=(0.0, 0.0)):
    """Draw a slice in greys; the axes then hold the slice, its margin and nothing else.

    Parameters
    ----------
    axis : matplotlib.axes.Axes
    view : keras_mri.report.views.View
    limits : sequence of float
        The values of black and of white.
    margin : float, optional
        Width of the margin with letters, mm; without it there is none.
    origin : tuple of float
        The lower left corner of the slice on the axes, mm.
    """
    (left, low), (across, up) = origin, view.size
    extent = (left, left + across, low, low + up)
    # The first row is the top, and is drawn there; in float64 no difference of two intensities is infinite.
    image = view.image[::-1].astype(np.float64)
    axis.imshow(image, cmap="gray", vmin=limits[0], vmax=limits[1], origin="lower", interpolation="nearest", extent=extent)
    axis.set_axis_off()
    if margin is None:
        return
    axis.add_patch(Rectangle((left - margin, low - margin), across + 2 * margin, up + 2 * margin, facecolor="black", zorder=-1))
    axis.set(xlim=(left - margin, left + across + margin), ylim=(low - margin, low + up + margin))
    x, y = left + across / 2, low + up / 2
    places = ((left - margin / 2, y), (left + across + margin / 2, y), (x, low + up + margin / 2), (x, low - margin / 2))
    for letter, place in zip(view.sides, places):
        outline = [withStroke(linewidth=2, foreground="black")]
        axis.text(*place, letter, color="white", fontsize=9, ha="center", va="center", path_effects=outline)
