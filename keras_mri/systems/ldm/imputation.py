"""A plain guess for missing voxels, for views that train: in time where possible, otherwise in space. Tasks guess better: `RunGuess`."""

import numpy as np

from keras_mri.imaging.run_repair.relaxation import filled_in_space

# Reaches in time among which known frames choose, and how many of them do.
_REACHES, _JUDGES = (0.0, 1.5, 3.0, 6.0, 12.0), 8


def best_reach(read_frame, missing_at, n_frames):
    """Choose how far in time a guess should look, by guessing frames that are known.

    A straight line between two frames follows what changes fast, an average over many is less noisy; runs differ.

    Parameters
    ----------
    read_frame, missing_at, n_frames : as for `filled_frame`

    Returns
    -------
    float
        The `reach` for `filled_frame` with the least squared error.
    """
    errors = np.zeros(len(_REACHES))
    for t in np.unique(np.linspace(0, n_frames - 1, _JUDGES + 2).round().astype(int)[1:-1]):
        known = ~missing_at(t)
        truth = read_frame(t)[known]
        for number, reach in enumerate(_REACHES):
            values, found = _in_time(read_frame, missing_at, known, n_frames, t, reach)
            errors[number] += np.sum((values - truth)[found] ** 2, dtype=np.float64)
    return _REACHES[int(errors.argmin())]


def filled_frame(read_frame, missing_at, n_frames, t, reach=0.0):
    """Fill the missing voxels of a frame.

    Each gets the straight line between the nearest frames before and after in which it is known, at the ends of the run the
    nearest one's value; or an average over the frames around; a voxel that is never known is filled by `filled_in_space`.

    Parameters
    ----------
    read_frame : callable
        `read_frame(t)` returns an ndarray of float32, shape (x, y, z).
    missing_at : callable
        `missing_at(t)` returns an ndarray of bool, shape (x, y, z).
    n_frames, t : int
    reach : float
        SD of the average's Gaussian weights, frames; 0 for the straight line.

    Returns
    -------
    ndarray of float32, shape (x, y, z)
        Known voxels as they are.
    """
    frame, missing = read_frame(t), missing_at(t)
    if not missing.any():
        return frame
    filled, never = frame.copy(), np.zeros_like(missing)
    filled[missing], found = _in_time(read_frame, missing_at, missing, n_frames, t, reach)
    never[missing] = ~found
    return filled_in_space(filled, never)


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


def _in_time(read_frame, missing_at, hole, n_frames, t, reach):
    """Return what other frames say of the voxels of a hole in frame t, and whether any of them knows."""
    if reach:
        values, found = _average(read_frame, missing_at, hole, n_frames, t, reach)
        if found.all():
            return values, found
    before, since = _nearest_known(read_frame, missing_at, hole, range(t - 1, -1, -1))
    after, until = _nearest_known(read_frame, missing_at, hole, range(t + 1, n_frames))
    # A line through both; where one is infinitely far, the weight of the other is one.
    with np.errstate(invalid="ignore"):
        weight = np.where(np.isinf(until), 1.0, np.where(np.isinf(since), 0.0, until / (since + until)))
    line = weight * before + (1 - weight) * after
    return np.where(found, values, line) if reach else line, ~(np.isinf(since) & np.isinf(until))


def _average(read_frame, missing_at, hole, n_frames, t, reach):
    total, weights = (np.zeros(np.count_nonzero(hole)) for _ in range(2))
    farthest = round(3 * reach)
    for s in range(max(t - farthest, 0), min(t + farthest + 1, n_frames)):
        if s != t:
            weight = np.exp(-0.5 * ((s - t) / reach) ** 2) * ~missing_at(s)[hole]
            total += weight * read_frame(s)[hole]
            weights += weight
    return total / np.maximum(weights, np.finfo(float).tiny), weights > 0


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
