"""Missing voxels filled from all around them, without new extremes."""

import numpy as np
from scipy import ndimage

from keras_mri.io.grids import bounding_box

# Sweeps of relaxation: enough for a hole of a dozen slices, started from its nearest known voxels.
_SWEEPS = 100


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
    box = bounding_box(missing, margin=1)
    inner, hole = filled[box], missing[box]
    for _ in range(_SWEEPS):
        # The volume's edge repeats its outermost voxels; the box's other edges are known and stay.
        padded = np.pad(inner, 1, mode="edge")
        around = sum(np.roll(padded, shift, axis) for axis in range(3) for shift in (-1, 1))[1:-1, 1:-1, 1:-1]
        inner = np.where(hole, around / np.float32(6), inner)
    filled[box] = inner
    return filled.astype(np.float32)
