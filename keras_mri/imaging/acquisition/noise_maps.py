"""Where in a volume noise is strong: smooth maps as of parallel imaging, and steps between slabs."""

import numpy as np

# Control points of a map along each axis; a map is their linear interpolation.
_POINTS = 4
# Of drawn maps, those that are highest near the centre, as the g-factor is; their width as a part of each side, and their centre.
_CENTRAL, _WIDTH, _CENTRE = 0.4, (0.25, 0.5), (0.35, 0.65)


def flat(shape):
    """Return a map of 1: noise of one strength everywhere; float32, shape `shape`."""
    return np.ones(shape, np.float32)


def drawn(shape, highest, rng):
    """Draw a smooth map between 1 and `highest`, often highest near the centre; now and then with a step between two slabs.

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
    result = (_bump if rng.random() < _CENTRAL else _irregular)(shape, rng)
    low, high = result.min(), result.max()
    result = (1 + (highest - 1) * (result - low) / max(high - low, 1e-6)).astype(np.float32)
    if rng.random() < 0.15:
        edge = rng.integers(shape[2])
        result[:, :, :edge] *= np.float32(rng.uniform(0.7, 1.4))
    return result


def _bump(shape, rng):
    """Draw a Gaussian that is highest near the centre: float32, shape `shape`."""
    result = np.ones((1, 1, 1), np.float32)
    for axis, side in enumerate(shape):
        places, form = (np.arange(side) + 0.5) / side, [-1 if a == axis else 1 for a in range(3)]
        distance = (places - rng.uniform(*_CENTRE)) / rng.uniform(*_WIDTH)
        result = result * np.exp(-(distance**2) / 2).reshape(form).astype(np.float32)
    return result


def _irregular(shape, rng):
    """Draw a map with a value at each of a few control points: float32, shape `shape`."""
    result = rng.random((_POINTS,) * 3, dtype=np.float32)
    for axis, side in enumerate(shape):
        result = np.moveaxis(np.tensordot(_linear(side), result, (1, axis)), 0, axis)
    return result


def _linear(side):
    """Return what interpolates control points linearly at voxels: float32, shape (side, points)."""
    places = np.linspace(0, _POINTS - 1, side, dtype=np.float32)
    return np.maximum(0, 1 - np.abs(places[:, None] - np.arange(_POINTS, dtype=np.float32))).astype(np.float32)
