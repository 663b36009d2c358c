"""By how much each slice of each frame differs from the frames before and after."""

import functools

import numpy as np

# Frames whose median a frame is compared with, before it and after it: two or one of them may be damaged too.
_WIDE, _NARROW = 5, 3
# Frames that such comparisons need: each has three on one side at least.
LEAST_FRAMES = 6


def slice_changes(read_frame, frames, axis):
    """Return how far slices are from the median of the frames before, and from that of the frames after.

    Where the head moves and stays, a frame is like those before or like those after. A slice that is like neither is by itself.

    Parameters
    ----------
    read_frame : callable
        `read_frame(t)` returns an ndarray of float32, shape (x, y, z).
    frames : sequence of int
        Frames that are compared with one another, in the order of time; five or more.
    axis : int
        Along which slices are stacked.

    Returns
    -------
    ndarray of float64, shape (2, frame, slice)
        Root mean square over the voxels of a slice, in the unit of the frames; NaN where there are too few frames on a side.
    """
    width = _WIDE if len(frames) > 2 * _WIDE else _NARROW
    across = tuple(other for other in range(3) if other != axis)

    @functools.lru_cache(maxsize=2 * width + 2)
    def median(first):
        return _median([read_frame(t) for t in frames[first : first + width]])

    changes = np.full((2, len(frames), read_frame(frames[0]).shape[axis]), np.nan)
    for place, t in enumerate(frames):
        for side, start in enumerate((place - width, place + 1)):
            if 0 <= start <= len(frames) - width:
                changes[side, place] = np.sqrt(np.mean((read_frame(t) - median(start)) ** 2, axis=across, dtype=np.float64))
    return changes


def _median(frames):
    """Return the median of three or five frames by comparisons alone, which is a tenth of the work of sorting."""
    if len(frames) == 5:
        a, b, c, d, last = frames
        frames = last, np.maximum(np.minimum(a, b), np.minimum(c, d)), np.minimum(np.maximum(a, b), np.maximum(c, d))
    a, b, c = frames
    return np.maximum(np.minimum(a, b), np.minimum(np.maximum(a, b), c))
