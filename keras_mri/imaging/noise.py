"""Noise of magnetic-resonance magnitude images: adding it, and estimating how much a scan has."""

import numpy as np

from keras_mri.errors import InputError
from keras_mri.imaging.foreground import noise_foreground

MODELS = ("gaussian", "rician")
# Median absolute deviation of a standard normal variable: the 75 % quantile.
_MAD_OF_NORMAL = 0.6744897501960817


def add_gaussian_noise(data, sigma, rng):
    """Add independent normal noise.

    Parameters
    ----------
    data : ndarray of float32, any shape
    sigma : float
        Standard deviation in the unit of `data`.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of float32, same shape as `data`

    Raises
    ------
    InputError
        If `sigma` is negative.
    """
    _check_sigma(sigma)
    return data + np.float32(sigma) * rng.standard_normal(data.shape, dtype=np.float32)


def add_rician_noise(data, sigma, rng):
    """Corrupt magnitude data with Rician noise.

    Parameters
    ----------
    data : ndarray of float32, any shape
        Noise-free magnitude, any unit, not negative.
    sigma : float
        Standard deviation of the Gaussian noise in each of the real and imaginary channels, in the unit of `data`.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of float32, same shape as `data`

    Raises
    ------
    InputError
        If `sigma` or a value of `data` is negative.

    References
    ----------
    Gudbjartsson & Patz, Magn Reson Med 34:910, 1995. doi:10.1002/mrm.1910340618
    """
    _check_sigma(sigma)
    if data.size and data.min() < 0:
        raise InputError(f"Rician noise needs magnitude data, without negative values. Received a minimum of {data.min():g}.")
    real = add_gaussian_noise(data, sigma, rng)
    imaginary = add_gaussian_noise(np.zeros_like(data, dtype=np.float32), sigma, rng)
    return np.hypot(real, imaginary)


def estimate_sigma(data):
    """Estimate the standard deviation of the noise of a volume or a run.

    A run is judged by the differences of successive frames, in which anatomy cancels; a volume by its finest diagonal
    Haar wavelet coefficients. Both take the median absolute deviation over the foreground and leave out exact zeros.

    Parameters
    ----------
    data : ndarray of float32, shape (x, y, z) or (x, y, z, t)

    Returns
    -------
    float
        In the unit of `data`; 0.0 where too little foreground is left to tell.

    References
    ----------
    Donoho, IEEE Trans Inf Theory 41:613, 1995. doi:10.1109/18.382009
    """
    if data.ndim == 4 and data.shape[3] > 1:
        difference = np.diff(data, axis=3) / np.float32(np.sqrt(2.0))
        here = data[..., :-1]
        valid = (here != 0) & (data[..., 1:] != 0)
    else:
        volume = data[..., 0] if data.ndim == 4 else data
        difference, here, valid = _diagonal_haar(volume)
        valid = valid & _flattest(here, valid & noise_foreground(here, valid)) if valid.any() else valid
    if not valid.any():
        return 0.0
    # Air in a magnitude image has the narrower Rayleigh distribution: judge tissue only.
    foreground = valid & noise_foreground(here, valid)
    chosen = difference[foreground if foreground.sum() >= 100 else valid]
    return float(np.median(np.abs(chosen - np.median(chosen))) / _MAD_OF_NORMAL)


def _diagonal_haar(volume):
    """Return the finest diagonal Haar coefficients (unit gain for white noise), local intensities and validity."""
    detail, mean, valid = volume.astype(np.float64), volume.astype(np.float64), volume != 0
    for axis in (axis for axis in range(3) if volume.shape[axis] > 1):
        pairs = volume.shape[axis] - volume.shape[axis] % 2
        even, odd = (tuple(slice(start, pairs, 2) if a == axis else slice(None) for a in range(3)) for start in (0, 1))
        detail = (detail[even] - detail[odd]) / np.sqrt(2.0)
        mean = (mean[even] + mean[odd]) / 2
        valid = valid[even] & valid[odd]
    return detail, mean, valid


def _flattest(mean, tissue, share=0.25):
    """Tell the blocks whose neighbours differ least: edges of anatomy fill the diagonal coefficients too.

    For white noise a block's mean is independent of its diagonal coefficient, so that choosing by it is fair.
    """
    steepest = np.zeros(mean.shape)
    for axis in range(3):
        inner, outer = (tuple(part if a == axis else slice(None) for a in range(3)) for part in (slice(None, -1), slice(1, None)))
        step = np.abs(np.diff(mean, axis=axis))
        steepest[inner], steepest[outer] = np.maximum(steepest[inner], step), np.maximum(steepest[outer], step)
    if share * tissue.sum() < 100:
        return np.ones_like(tissue)
    return tissue & (steepest <= np.quantile(steepest[tissue], share))


def _check_sigma(sigma):
    if not sigma >= 0:
        raise InputError(f"`sigma`, a standard deviation, cannot be negative. Received: {sigma}.")
