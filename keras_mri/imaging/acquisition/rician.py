"""The bias of magnitudes: how much noise adds to their mean, and the signal that a mean was without it."""

import functools

import numpy as np
from scipy import ndimage, special

# Signals, in units of σ √channels, of which the mean is tabulated; above the last the bias follows from its expansion. Below the first
# of the second pair the inverse would be steep.
_STEP, _LAST, _KNEE = 0.01, 30.0, 1.0
# Voxels a side over which the removed noise is averaged, and how often its share is worked out anew.
_AROUND, _TIMES = 7, 2


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
    scaled = np.divide(mean, sigma, out=np.zeros(mean.shape, np.float32), where=sigma > 0)
    means, signals = _table(channels)
    signal = np.interp(scaled, means, signals)
    far = scaled > means[-1]
    # Variances of strong signals are 1: E(M²) = A² + 2 n is E(M)² + 1.
    signal[far] = np.sqrt(np.square(scaled[far], dtype=np.float64) - 2 * channels + 1)
    return np.where(sigma > 0, signal * sigma, mean).astype(np.float32)


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
    valid = measured != 0
    weight = np.maximum(_around(valid), 1e-6)
    removed = _around(np.where(valid, np.square(measured - denoised), 0)) / weight
    effective = np.full(measured.shape, sigma, np.float32)
    for _ in range(_TIMES):
        scaled = np.divide(denoised, effective, out=np.full(measured.shape, _LAST, np.float32), where=effective > 0)
        share = removed / (_around(np.where(valid, _variance(scaled, channels), 0)) / weight * sigma**2 + 1e-30)
        # Three quarters are all: some is left by every denoiser, and squares of few voxels scatter.
        effective = (sigma * np.sqrt(np.minimum(1, share + share**2 / 2))).astype(np.float32)
    return unbiased(denoised, effective, channels)


def _variance(mean, channels):
    """Return the variance of magnitudes of a certain mean, in units of the noise's: from 0.43 (Rayleigh) to 1."""
    means, signals = _table(channels)
    return np.interp(mean, means, _variances(channels)).astype(np.float32)


def _around(data):
    return ndimage.uniform_filter(data.astype(np.float32), _AROUND, mode="nearest")


@functools.lru_cache(maxsize=8)
def _variances(channels):
    signals = _signals(channels)
    return 2 * channels + signals**2 - mean_of_magnitude(signals, channels) ** 2


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
