"""Where and when a guess is tried out: frames in which what is missing is known, and holes like it."""

import numpy as np

from keras_mri.io.grids import bounding_box

# Frames on which ways to guess are tried.
_TRIALS = 40
# Frames from the ends of a run, within which a trial has no more frames before or after it than the missing one.
_NEAR_END = 6
# A trial has at least this share of the frames that there are.
_LEAST_FRAMES = 1 / 3
# Voxels of tissue that a hole has by itself; a smaller one is copied all around, so many voxels from itself and apart.
_ENOUGH, _AROUND, _APART = 500, 8, 4


def trial_frames(t, frames, gone):
    """Choose known frames that are predicted as if they were missing like frame t, with the same frames missing around.

    Parameters
    ----------
    t : int
    frames : ndarray of int
        Rising, without `t`: in which what is missing is known.
    gone : ndarray of int
        In which it is not, `t` among them.

    Returns
    -------
    list of (int, ndarray of int)
        A frame, and those from which it is predicted.
    """
    if not len(frames):
        return []
    first, last = min(frames[0], t), max(frames[-1], t)
    found = []
    for s in frames:
        others = frames[~np.isin(frames, gone + (s - t))]
        if t - first < _NEAR_END:
            others = others[others >= s - (t - first)]
        if last - t < _NEAR_END:
            others = others[others <= s + (last - t)]
        if len(others) >= max(1, _LEAST_FRAMES * len(frames)):
            found.append((int(s), others))
    return [found[k] for k in np.unique(np.linspace(0, len(found) - 1, min(_TRIALS, len(found))).round().astype(int))] if found else []


def trial_hole(hole, tissue):
    """Return a hole on which a guess is tried: itself or, where it has little tissue, with copies of it all around in tissue.

    Parameters
    ----------
    hole, tissue : ndarray of bool, shape (x, y, z)

    Returns
    -------
    ndarray of bool, shape (x, y, z)
    """
    return hole if np.count_nonzero(hole & tissue) >= _ENOUGH else copies(hole, tissue) | hole


def copies(hole, tissue):
    """Return copies of a hole, moved all around: ndarray of bool, shape (x, y, z); in tissue, and not in the hole itself.

    Parameters
    ----------
    hole, tissue : ndarray of bool, shape (x, y, z)
    """
    places = np.argwhere(hole)
    steps = np.ptp(places, axis=0) + 1 + _APART
    counts = [np.arange(-many, many + 1) for many in np.maximum(1, _AROUND // steps)]
    shifts = np.stack(np.meshgrid(*counts, indexing="ij"), axis=-1).reshape(-1, 1, 3) * steps
    moved = (places + shifts[np.any(shifts != 0, axis=(1, 2))]).reshape(-1, 3)
    moved = moved[((moved >= 0) & (moved < hole.shape)).all(axis=1)]
    found = np.zeros(hole.shape, bool)
    found[tuple(moved.T)] = True
    return found & tissue & ~hole


def box_around(hole, margin):
    """Return the smallest box around a hole and a margin as ((first, last), …), which can be a key."""
    return tuple((part.start, part.stop) for part in bounding_box(hole, margin))
