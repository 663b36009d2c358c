"""Where a scan before and after is cut for a picture: one frame and one place, which both must have."""

import math
import operator
import typing

import numpy as np

from keras_mri.errors import GridMismatchError, InputError
from keras_mri.imaging.resampling import outside
from keras_mri.io.grids import check_same_grid
from keras_mri.report.comparison import foreground_of
from keras_mri.report.views import centre_of

UNITS = ("mm", "voxel")


class Shown(typing.NamedTuple):
    """One frame of both scans, and the place at which they are cut.

    Parameters
    ----------
    before, after : ndarray of float32, shape (x, y, z)
        The frame; of a scan that has only one, that one.
    frame : int
    frames : int
        How many frames there are.
    centres : tuple of tuple of float
        The place in the grid of each scan, as for `keras_mri.report.views.orthogonal_views`.
    place : ndarray of float64, shape (3,)
        RAS+ mm.
    same_grid : bool
    """

    before: np.ndarray
    after: np.ndarray
    frame: int
    frames: int
    centres: tuple
    place: np.ndarray
    same_grid: bool


def choose_shown(before, after, frame=None, where=None, unit="mm"):
    """Choose frame and place, and read the frame.

    Parameters
    ----------
    before, after : Volume
    frame : int, optional
        The middle one by default.
    where : sequence of three floats, optional
        By default the centre of the foreground of `before`, as far as it lies within `after`.
    unit : {"mm", "voxel"}
        Of `where`: RAS+ mm, or voxel indices of `before`.

    Returns
    -------
    Shown

    Raises
    ------
    InputError
        If an argument cannot be used, a frame shown is constant or not finite, or the scans do not overlap or have other frames.
    """
    where = checked_place(where, unit)
    frames = _frames_of(before, after)
    chosen = frames // 2 if frame is None else _checked_frame(frame, frames)
    first, second = (_read(volume, chosen) for volume in (before, after))
    same_grid = _same_grid(before, after)
    if where is None:
        voxel = _middle(first, before, after, same_grid)
    elif unit == "voxel":
        voxel = np.asarray(where, np.float64)
    else:
        voxel = _moved(np.linalg.inv(before.affine), where)
    place = _moved(before.affine, voxel)
    centres = _share(before, place, where, unit), _share(after, place, where, unit)
    return Shown(first, second, chosen, frames, centres, place, same_grid)


def checked_place(where, unit):
    """Return a place as a tuple of three floats, or None; raise InputError if it is neither, or `unit` is none of `UNITS`."""
    if not isinstance(unit, str) or unit not in UNITS:
        raise InputError(f"`unit` must be one of {', '.join(UNITS)}. Received: {unit!r}.")
    if where is None:
        return None
    try:
        numbers = [float(number) for number in where] if not isinstance(where, str) else []
    except (TypeError, ValueError, OverflowError):
        numbers = []
    if len(numbers) != 3 or not all(map(math.isfinite, numbers)):
        raise InputError(f"`where` must be three numbers, x, y and z in {unit}. Received: {where!r}.")
    return tuple(numbers)


def _frames_of(before, after):
    """Return how many frames there are; a scan with one frame is shown beside any frame of the other."""
    counts = {before.n_frames, after.n_frames}
    if len(counts - {1}) > 1:
        raise InputError(
            f"the images must have the same number of frames, or one of them a single frame. Received: {before.n_frames} in "
            f"{before.name}, {after.n_frames} in {after.name}."
        )
    return max(counts)


def _checked_frame(frame, frames):
    try:
        number = -1 if isinstance(frame, (bool, np.bool_)) else operator.index(frame)
    except TypeError:
        number = -1
    if not 0 <= number < frames:
        there = f"from 0 to {frames - 1}" if frames > 1 else "0: there is one frame"
        raise InputError(f"`frame` must be a whole number {there}. Received: {frame!r}.")
    return number


def _read(volume, chosen):
    t = chosen if volume.n_frames > 1 else 0
    frame = volume.frame(t)
    of_frame = f", frame {t}," if volume.n_frames > 1 else ""
    if not np.isfinite(frame).all():
        raise InputError(f"{volume.name}{of_frame} has NaN or infinity and cannot be drawn. Replace them, e.g. with numpy.nan_to_num.")
    if frame.min() == frame.max():
        raise InputError(f"{volume.name}{of_frame} is constant: every voxel is {frame.flat[0]:g}. There is nothing to see.")
    return frame


def _same_grid(before, after):
    try:
        check_same_grid(before, after)
    except GridMismatchError:
        return False
    return True


def _middle(frame, before, after, same_grid):
    """Return the voxel of `before` in the middle of its foreground, of the part of it that lies in `after`."""
    mask = foreground_of(frame)
    if not same_grid:
        inside = ~outside(np.linalg.inv(after.affine) @ before.affine, before.shape[:3], after.shape[:3])
        if not inside.any():
            raise InputError(
                f"{before.name} and {after.name} do not overlap: no voxel of the first lies in the field of view of the second. "
                "Are they of one person and session, with the right affines?"
            )
        mask = mask & inside if (mask & inside).any() else inside
    return np.array(centre_of(mask)) * before.shape[:3] - 0.5


def _share(volume, place, where, unit):
    """Return a place as shares of a volume's sides, 0 to 1; InputError if it lies outside."""
    share = (_moved(np.linalg.inv(volume.affine), place) + 0.5) / volume.shape[:3]
    # By default the place lies inside, but for rounding.
    if where is not None and not ((share >= 0) & (share <= 1)).all():
        raise InputError(
            f"`where` must lie in both images. Received: {where} {unit}, outside of {volume.name}, whose field of view is "
            f"{_field_of_view(volume)}."
        )
    return tuple(float(part) for part in np.clip(share, 0, 1))


def _field_of_view(volume):
    corners = np.array([_moved(volume.affine, np.array(corner) * volume.shape[:3] - 0.5) for corner in np.ndindex(2, 2, 2)])
    low, high = corners.min(axis=0), corners.max(axis=0)
    return ", ".join(f"{axis} {first:.0f} to {last:.0f}" for axis, first, last in zip("xyz", low, high)) + " mm"


def _moved(affine, point):
    return affine[:3, :3] @ np.asarray(point, np.float64) + affine[:3, 3]
