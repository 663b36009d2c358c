"""A first guess for voxels that are missing, from those that are there: in time where possible, otherwise in space."""

import numpy as np
from scipy import ndimage

# Sweeps of relaxation: enough for a hole of a dozen slices, started from its nearest known voxels.
_SWEEPS = 100


def filled_frame(read_frame, missing_at, n_frames, t):
    """Fill the missing voxels of a frame.

    Each gets the straight line between the nearest frames before and after in which it is known; at the ends of the run
    the nearest one's value; a voxel that is never known, what `filled_in_space` says.

    Parameters
    ----------
    read_frame : callable
        `read_frame(t)` returns an ndarray of float32, shape (x, y, z).
    missing_at : callable
        `missing_at(t)` returns an ndarray of bool, shape (x, y, z).
    n_frames, t : int

    Returns
    -------
    ndarray of float32, shape (x, y, z)
        Known voxels as they are.
    """
    frame, missing = read_frame(t), missing_at(t)
    if not missing.any():
        return frame
    before, since = _nearest_known(read_frame, missing_at, missing, range(t - 1, -1, -1))
    after, until = _nearest_known(read_frame, missing_at, missing, range(t + 1, n_frames))
    filled = frame.copy()
    # A line through both; where one is infinitely far, the weight of the other is one.
    with np.errstate(invalid="ignore"):
        weight = np.where(np.isinf(until), 1.0, np.where(np.isinf(since), 0.0, until / (since + until)))
    filled[missing] = weight * before + (1 - weight) * after
    never = np.zeros_like(missing)
    never[missing] = np.isinf(since) & np.isinf(until)
    return filled_in_space(filled, never)


def filled_in_space(frame, missing):
    """Fill missing voxels so that each is the mean of its six neighbours: no new extremes, a straight line across a slab.

    Parameters
    ----------
    frame : ndarray of float32, shape (x, y, z)
    missing : ndarray of bool, shape (x, y, z)
        Not everywhere True.

    Returns
    -------
    ndarray of float32, shape (x, y, z)
    """
    if not missing.any():
        return frame
    nearest = ndimage.distance_transform_edt(missing, return_distances=False, return_indices=True)
    filled = frame[tuple(nearest)]
    places = np.argwhere(missing)
    box = tuple(slice(max(low - 1, 0), high + 2) for low, high in zip(places.min(axis=0), places.max(axis=0)))
    inner, hole = filled[box], missing[box]
    for _ in range(_SWEEPS):
        # The volume's edge repeats its outermost voxels; the box's other edges are known and stay.
        padded = np.pad(inner, 1, mode="edge")
        around = sum(np.roll(padded, shift, axis) for axis in range(3) for shift in (-1, 1))[1:-1, 1:-1, 1:-1]
        inner = np.where(hole, around / np.float32(6), inner)
    filled[box] = inner
    return filled.astype(np.float32)


def random_hole(shape, rng):
    """Draw what a scan may lack: one frame as a whole, or a slab of up to a third of an axis.

    Parameters
    ----------
    shape : tuple of int, (x, y, z)
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of bool, shape (x, y, z)
    """
    missing = np.zeros(shape, bool)
    axis = int(rng.integers(4))
    if axis == 3:
        return ~missing
    thickness = int(rng.integers(1, max(1, shape[axis] // 3) + 1))
    first = int(rng.integers(0, shape[axis] - thickness + 1))
    missing[(slice(None),) * axis + (slice(first, first + thickness),)] = True
    return missing


def _nearest_known(read_frame, missing_at, missing, times):
    """Look through other frames, the nearest first, for the voxels of a mask; return their values and how many frames away."""
    values = np.zeros(np.count_nonzero(missing), np.float32)
    distance = np.full(values.shape, np.inf)
    for away, t in enumerate(times, start=1):
        found = np.isinf(distance) & ~missing_at(t)[missing]
        if found.any():
            values[found] = read_frame(t)[missing][found]
            distance[found] = away
        if not np.isinf(distance).any():
            break
    return values, distance
