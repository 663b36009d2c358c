"""Where in a volume noise is strong: smooth maps as of parallel imaging, and steps between slabs."""

import numpy as np

# Control points of a map along each axis; a map is their linear interpolation.
_POINTS = 4


def flat(shape):
    """Return a map of 1: noise of one strength everywhere; float32, shape `shape`."""
    return np.ones(shape, np.float32)


def drawn(shape, highest, rng):
    """Draw a smooth map between 1 and `highest`; now and then with a step between two slabs.

    Parameters
    ----------
    shape : tuple of int, (x, y, z)
    highest : float
        At least 1.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of float32, shape `shape`
        Smallest value 1, largest `highest`, unless the map has a step.
    """
    result = rng.random((_POINTS,) * 3, dtype=np.float32)
    for axis, side in enumerate(shape):
        result = np.moveaxis(np.tensordot(_linear(side), result, (1, axis)), 0, axis)
    low, high = result.min(), result.max()
    result = (1 + (highest - 1) * (result - low) / max(high - low, 1e-6)).astype(np.float32)
    if rng.random() < 0.15:
        edge = rng.integers(shape[2])
        result[:, :, :edge] *= np.float32(rng.uniform(0.7, 1.4))
    return result


def _linear(side):
    """Return what interpolates control points linearly at voxels: float32, shape (side, points)."""
    places = np.linspace(0, _POINTS - 1, side, dtype=np.float32)
    return np.maximum(0, 1 - np.abs(places[:, None] - np.arange(_POINTS, dtype=np.float32))).astype(np.float32)
