"""The parts of a hole whose voxels are missing in the same frames."""

import numpy as np

# Holes of more kinds of voxels are one part.
_MOST_PARTS = 6
# Such a part is known in a frame in which no more of it than this share is missing.
_MOST_MISSING = 0.5


def parts_of(hole, missing_at, frames):
    """Divide a hole into parts.

    Parameters
    ----------
    hole : ndarray of bool, shape (x, y, z)
        Not empty.
    missing_at : callable
        `missing_at(s)` returns what frame s lacks: ndarray of bool, shape (x, y, z).
    frames : sequence of int
        That count.

    Returns
    -------
    list of (ndarray of bool, ndarray of int)
        Voxels of a part, shape (x, y, z), and the frames in which it is known, most of it at least.
    """
    lacks = {s: missing_at(s)[hole] for s in frames}
    lacks = {s: lack for s, lack in lacks.items() if lack.any()}
    # Each voxel's own sum of random numbers, one for each frame that lacks it.
    marks, rng = np.zeros(np.count_nonzero(hole)), np.random.default_rng(0)
    for lack in lacks.values():
        marks += rng.random() * lack
    kinds, number = np.unique(marks, return_inverse=True)
    if len(kinds) > _MOST_PARTS:
        number = np.zeros(len(marks), int)
    result = []
    for kind in range(number.max() + 1):
        chosen = number == kind
        part = np.zeros(hole.shape, bool)
        part[hole] = chosen
        known = [s for s in frames if s not in lacks or lacks[s][chosen].mean() <= _MOST_MISSING]
        result.append((part, np.array(known, int)))
    return result
