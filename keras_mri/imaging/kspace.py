"""Resolution as the scanner sees it: which spatial frequencies an image holds.

A grid of N voxels over a field of view holds the frequencies |k| ≤ N / 2 (in cycles per field of view). Truncating them
makes the low-resolution twin of a scan; zero-filling puts a scan on a finer grid without inventing any. Grids of one field
of view share its edges, not their first voxels: with N = 4, M = 8 the new centres lie at -0.25, 0.25, 0.75 … old voxels.
"""

import numpy as np


def truncated(data, factors):
    """Keep the frequencies that a grid with `factors` times larger voxels could hold, on the grid as it is.

    Parameters
    ----------
    data : ndarray of float32, shape (x, y, z)
    factors : sequence of float
        For each axis, at least 1.

    Returns
    -------
    ndarray of float32, same shape
        Not negative if `data` is not: the magnitude.
    """
    result = data
    for axis, factor in enumerate(factors):
        if factor > 1:
            result = _filtered(result, axis, factor)
    return _as_magnitude(result, data)


def resampled(data, shape):
    """Bring an image to another number of voxels over the same field of view: zero-filled, or truncated, in k-space.

    Parameters
    ----------
    data : ndarray of float32, shape (x, y, z)
    shape : sequence of int
        Sides of the result.

    Returns
    -------
    ndarray of float32, shape `shape`
        Not negative if `data` is not: the magnitude.
    """
    result = data
    for axis, side in enumerate(shape):
        if side != data.shape[axis]:
            result = _resampled(result, axis, side)
    return _as_magnitude(result, data)


def finer_affine(affine, factors):
    """Return the affine of a grid with `factors` times as many voxels over the same field of view.

    Parameters
    ----------
    affine : ndarray of float64, shape (4, 4)
        Voxel indices to RAS+ millimetres.
    factors : sequence of float

    Returns
    -------
    ndarray of float64, shape (4, 4)
    """
    return affine @ finer_step(factors)


def finer_step(factors):
    """Return what maps the indices of the finer grid to those of the grid itself: ndarray of float64, shape (4, 4)."""
    step = np.diag([*(1 / factor for factor in factors), 1.0])
    # Both fields of view begin at index -1/2: x = (j + 1/2) / f - 1/2
    step[:3, 3] = [0.5 / factor - 0.5 for factor in factors]
    return step


def _filtered(data, axis, factor):
    side = data.shape[axis]
    frequency = np.arange(side // 2 + 1) * factor / side
    # At the edge itself the two frequencies ±k share one coefficient of the coarser grid: half of it each.
    weight = np.where(np.isclose(frequency, 0.5), 0.5, frequency < 0.5).astype(np.float32)
    spectrum = np.fft.rfft(data, axis=axis)
    return np.fft.irfft(spectrum * _along(weight, axis), n=side, axis=axis).astype(np.float32)


def _resampled(data, axis, side):
    before = data.shape[axis]
    kept = min(before, side) // 2 + 1
    frequencies = np.arange(kept)
    # The first voxel's centre moves by this many old voxels, which turns the phase of every frequency.
    shift = 0.5 * before / side - 0.5
    turn = np.exp(2j * np.pi * frequencies * shift / before).astype(np.complex64)
    if side > before and before % 2 == 0:
        # What was one coefficient at the edge of k-space becomes a pair.
        turn[-1] *= 0.5
    spectrum = np.take(np.fft.rfft(data, axis=axis), frequencies, axis=axis) * _along(turn, axis)
    return (np.fft.irfft(spectrum, n=side, axis=axis) * np.float32(side / before)).astype(np.float32)


def _along(values, axis):
    return values.reshape([-1 if dimension == axis else 1 for dimension in range(3)])


def _as_magnitude(result, data):
    return np.abs(result) if data.min() >= 0 else result
