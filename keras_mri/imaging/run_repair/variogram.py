"""How alike frames are, by their distance in time, and the weights with which frames predict another one."""

import numpy as np
from scipy import optimize

# Frames: reaches of what dies out in time, and of what swings meanwhile (breathing, the heart), at so many frequencies.
_REACHES, _SWINGS, _FREQUENCIES = (1, 2, 4, 8, 16, 32, 64, 128), (4, 16, 64), 16


def variogram(gram, frames):
    """Estimate half the mean squared difference of two frames as a function of their distance, by a sum of valid ones.

    Parameters
    ----------
    gram : ndarray of float64, shape (t, t)
        Mean over voxels of the products of frames.
    frames : ndarray of int
        That count.

    Returns
    -------
    ndarray of float64, shape (t,)
        At distances 0 … t - 1; 0 at 0.
    """
    power = np.diag(gram)
    apart = np.abs(np.subtract.outer(frames, frames))
    halves = (power[frames, None] + power[None, frames]) / 2 - gram[np.ix_(frames, frames)]
    count = np.bincount(apart.ravel(), minlength=len(gram)).astype(float)
    measured = np.bincount(apart.ravel(), np.maximum(halves, 0).ravel(), minlength=len(gram)) / np.maximum(count, 1)
    lags = np.flatnonzero(count[1:]) + 1
    shapes = _shapes(len(gram))
    if not len(lags) or not measured[lags].any():
        return shapes[:, 0]
    weight = np.sqrt(count[lags])
    parts = optimize.nnls(shapes[lags] * weight[:, None], measured[lags] * weight)[0]
    # A little noise in any case: frames that are alike to the last bit have no best weights.
    return shapes @ parts + 1e-6 * measured[lags].mean() * shapes[:, 0]


def kriging_weights(gamma, frames, t):
    """Return the weights, of sum 1, by which frames predict another one with the least expected squared error.

    Parameters
    ----------
    gamma : ndarray of float64, shape (t,)
        From `variogram`.
    frames : ndarray of int
        One or more, without `t`.
    t : int

    Returns
    -------
    ndarray of float64, shape (frames,)

    References
    ----------
    Matheron, Economic Geology 58:1246, 1963. doi:10.2113/gsecongeo.58.8.1246
    """
    count = len(frames)
    system = np.ones((count + 1, count + 1))
    system[:count, :count] = gamma[np.abs(np.subtract.outer(frames, frames))]
    system[-1, -1] = 0
    return np.linalg.solve(system, np.append(gamma[np.abs(frames - t)], 1))[:count]


def _shapes(length):
    """Return variograms of which every sum with weights above 0 is one: white noise, then memories of many lengths, then swings."""
    lags = np.arange(length)
    swings = [(reach, np.arange(1, _FREQUENCIES + 1) / (2 * _FREQUENCIES)) for reach in _SWINGS]
    return np.column_stack(
        [
            (lags > 0).astype(float),
            *(1 - np.exp(-0.5 * (lags / reach) ** 2) for reach in _REACHES),
            *(1 - np.exp(-lags / reach) for reach in _REACHES),
            *(1 - np.exp(-lags / reach) * np.cos(2 * np.pi * frequency * lags) for reach, many in swings for frequency in many),
        ]
    )
