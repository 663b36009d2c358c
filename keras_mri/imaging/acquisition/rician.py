"""The bias of magnitudes: how much noise adds to their mean, and the signal that a mean was without it."""

import functools

import numpy as np
from scipy import ndimage, special

# Signals, in units of σ √channels, of which the mean is tabulated; above the last the bias follows from its expansion. Below the first
# of the second pair the inverse would be steep.
_STEP, _LAST, _KNEE = 0.01, 15.0, 1.0
# Voxels a side of the blocks, three of which the removed noise is averaged over, and how often its share is worked out anew.
_BLOCK, _TIMES = 3, 2
# What is as dark as that, in units of σ, is judged apart from the rest.
_DARK = 2.0


def mean_of_magnitude(signal, channels=1):
    """Return the mean of the magnitude of a signal with complex noise, both in units of the noise's SD.

    Parameters
    ----------
    signal : ndarray of float, any shape
        Magnitude without noise over the SD of the real and imaginary parts of each channel.
    channels : int
        Receive channels whose squares are summed (chi distribution); one for Rician noise.

    Returns
    -------
    ndarray of float64, same shape
        √(π/2) without a signal in one channel, and near √(signal² + 2 channels - 1) with a strong one.

    References
    ----------
    Koay & Basser, J Magn Reson 179:317, 2006. doi:10.1016/j.jmr.2006.01.016
    """
    floor = np.sqrt(2.0) * np.exp(special.gammaln(channels + 0.5) - special.gammaln(channels))
    return floor * special.hyp1f1(-0.5, channels, -np.square(np.asarray(signal, np.float64)) / 2)


def unbiased(mean, sigma, channels=1):
    """Return the signal whose magnitude has a certain mean: a denoiser that removes noise returns about that mean.

    Where there is hardly a signal the inverse of the mean is infinitely steep, and would turn the last traces of noise into speckle.
    Up to a signal of σ √channels it is therefore replaced by a smooth rise from 0, which the mean of noise alone gives exactly.

    Parameters
    ----------
    mean : ndarray of float32, any shape
        Not negative, in the unit of the image.
    sigma : float or ndarray of float32, same shape
        SD of the noise in the real and imaginary parts, in the same unit; 0 where there is none.
    channels : int
        As for `mean_of_magnitude`.

    Returns
    -------
    ndarray of float32, same shape
        Rising with `mean`; 0 at and below the mean of noise alone.
    """
    sigma = np.broadcast_to(np.asarray(sigma, np.float32), mean.shape)
    means, signals = _table(channels)
    near = mean < means[-1] * sigma
    # Variances of strong signals are 1: E(M²) = A² + 2 n is E(M)² + 1.
    result = np.sqrt(np.maximum(np.square(mean, dtype=np.float32) - (2 * channels - 1) * np.square(sigma), 0)).astype(np.float32)
    result[near] = sigma[near] * np.interp(mean[near] / sigma[near], means, signals)
    return np.where(sigma > 0, result, mean).astype(np.float32)


def without_bias(measured, denoised, sigma, channels=1):
    """Take from a denoised magnitude the bias of the noise that was removed.

    Noise that stayed is still spread about its mean, from which no signal can be told. So the noise that counts has the variance
    that was removed around each voxel, and no more than that of the scan: an image that was left alone stays as it is.

    Parameters
    ----------
    measured, denoised : ndarray of float32, shape (x, y, z)
        Not negative. Exact zeros of `measured` do not count.
    sigma : float
        As for `unbiased`, of `measured`.
    channels : int

    Returns
    -------
    ndarray of float32, shape (x, y, z)
    """
    valid, dark = measured != 0, denoised < _DARK * sigma
    removed = np.square(np.where(valid, measured - denoised, 0)) / np.float32(max(sigma, 1e-30) ** 2)
    # Denoisers leave more noise in tissue than in air: each is judged by itself.
    air, tissue = (_noise_that_counts(removed, denoised, valid & kind, sigma, channels) for kind in (dark, ~dark))
    return unbiased(denoised, np.where(dark, air, tissue), channels)


def _noise_that_counts(removed, denoised, valid, sigma, channels):
    """Return the SD of the noise that was removed around each voxel of one kind: ndarray of float32, shape (x, y, z)."""
    weight = np.maximum(_around(valid), 1e-6)
    removed = _around(np.where(valid, removed, 0)) / weight
    effective = np.float32(sigma)
    for _ in range(_TIMES):
        share = removed / (_around(np.where(valid, _variance(denoised, effective, channels), 0)) / weight + 1e-30)
        # Three quarters are all: some is left by every denoiser, and squares of few voxels scatter.
        effective = _spread_out(sigma * np.sqrt(np.minimum(1, share + share**2 / 2)), denoised.shape)
    return effective


def _variance(mean, sigma, channels):
    """Return the variance of magnitudes of a certain mean, in units of the noise's: from 0.43 (Rayleigh) to 1; 1 where sigma is 0."""
    variances = _variances(channels)
    last = len(variances) - 1
    places = np.minimum(mean * np.float32(1 / _STEP), last * sigma) / np.maximum(sigma, np.float32(1e-30))
    return np.where(sigma > 0, variances[places.astype(np.int32)], np.float32(1))


def _around(data):
    """Return the mean of each block of voxels and its neighbours: ndarray of float32, smaller by `_BLOCK`."""
    padded = np.pad(data, [(0, -side % _BLOCK) for side in data.shape], mode="edge")
    for axis in range(3):
        padded = sum(padded[(*(slice(None),) * axis, slice(start, None, _BLOCK))].astype(np.float32) for start in range(_BLOCK))
    return ndimage.uniform_filter(padded / np.float32(_BLOCK**3), 3, mode="nearest")


def _spread_out(blocks, shape):
    """Return what blocks hold, for each voxel and without steps: ndarray of float32."""
    wide = blocks.astype(np.float32)
    for axis in range(3):
        wide = np.repeat(wide, _BLOCK, axis=axis)[(*(slice(None),) * axis, slice(0, shape[axis]))]
    return ndimage.uniform_filter(wide, _BLOCK, mode="nearest")


@functools.lru_cache(maxsize=8)
def _variances(channels):
    """Return the variance at every `_STEP` of the mean, up to where it is 1: ndarray of float32."""
    means, _ = _table(channels)
    signals = _signals(channels)
    at = np.arange(0, means[-1], _STEP)
    return np.interp(at, means, 2 * channels + signals**2 - means**2).astype(np.float32)


@functools.lru_cache(maxsize=8)
def _table(channels):
    """Return means, rising, and the signals that they stand for: two ndarrays of float64 of one length."""
    signals = _signals(channels)
    means = mean_of_magnitude(signals, channels)
    knee = int(round(_KNEE / _STEP))
    # Cubic of Hermite from slope 0 to that of the inverse at the knee.
    width, rise = means[knee] - means[0], signals[knee]
    slope = (signals[knee + 1] - signals[knee - 1]) / (means[knee + 1] - means[knee - 1])
    part = (means[:knee] - means[0]) / width
    soft = rise * part**2 * (3 - 2 * part) + width * slope * part**2 * (part - 1)
    return means, np.concatenate([soft, signals[knee:]])


def _signals(channels):
    return np.arange(0, _LAST + _STEP, _STEP) * np.sqrt(channels)
