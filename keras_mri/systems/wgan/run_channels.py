"""What the network of a run sees: one map per component of the time courses, in units of the noise, and what helps to judge it."""

import itertools
import numbers
import typing

import numpy as np
from scipy import ndimage

from keras_mri.errors import InputError
from keras_mri.imaging.foreground import patch_foreground
from keras_mri.imaging.runs.noise import estimate_run_noise, noise_kernel
from keras_mri.imaging.runs.temporal_basis import TemporalCovariance, temporal_basis
from keras_mri.io.volumes import Volume
from keras_mri.systems.wgan.settings import LEAST_FRAMES

# Channels of the network's input: the map, the map smoothed by each of these SDs (voxels), local contrast of the mean, activity.
WIDTHS = (1.0, 2.0)
CHANNELS = 3 + len(WIDTHS)
# Beyond, squares of float32 overflow.
_MOST = 1e15
# Activity is measured in the first components.
_ACTIVE_COMPONENTS = 16
# Voxels of the Gaussian that local contrast is relative to, and the contrast (share of the range) that counts as 1.
_CONTRAST_WIDTH, _CONTRAST_UNIT = 2.0, 0.05


class RunChannels(typing.NamedTuple):
    """A run as its network sees it, and what brings the network's output back.

    The denoised run is `mean[..., None] + sigma[..., None] * np.tensordot(denoised_maps, basis, (0, 1))`.

    Parameters
    ----------
    channels : ndarray of float32, shape (components, x, y, z, 5)
        The batch for the network: each component's map in units of the noise; inverse hyperbolic sines of the map smoothed by Gaussians
        of 1 and 2 voxels (SD), in units of its noise after smoothing; local contrast of the mean; activity of the run.
    basis : ndarray of float32, shape (t, components)
        Orthonormal time courses, each with mean 0; there are t - 1 of them.
    mean : ndarray of float32, shape (x, y, z)
        Temporal mean, in the unit of the run.
    sigma : ndarray of float32, shape (x, y, z)
        SD of the noise, in the unit of the run; 0 where the run is exactly 0.
    """

    channels: np.ndarray
    basis: np.ndarray
    mean: np.ndarray
    sigma: np.ndarray


def run_channels(run, repetition_time=None):
    """Turn a run into the input of its network, all in memory.

    Parameters
    ----------
    run : ndarray, shape (x, y, z, t)
        Ten frames or more of one condition, any unit.
    repetition_time : float, optional
        s; 2 where it is not known.

    Returns
    -------
    RunChannels

    Raises
    ------
    InputError
        If `run` is not 4D, has fewer than ten frames or other values than finite real numbers, or the repetition time is none.
    """
    run = Volume.from_array(run, np.eye(4), name="`run`").data
    if run.ndim != 4 or run.shape[3] < LEAST_FRAMES:
        raise InputError(f"`run` must have {LEAST_FRAMES} frames or more: (x, y, z, t). Received: shape {run.shape}.")
    if repetition_time is not None and not (isinstance(repetition_time, numbers.Real) and 0.01 <= repetition_time <= 100):
        raise InputError(f"`repetition_time` must be a number of seconds from 0.01 to 100, or None. Received: {repetition_time!r}.")
    if not np.abs(run).max() < _MOST:
        raise InputError(f"`run` must hold intensities below {_MOST:g}. Received: up to {np.abs(run).max():g}. Leave damaged voxels out.")
    noise = estimate_run_noise(run)
    mean = run.mean(axis=3, dtype=np.float64).astype(np.float32)
    fluctuations = (run - mean[..., None]) * inverse(noise.sigma)[..., None]
    covariance = TemporalCovariance(patch_foreground(mean) & (noise.sigma > 0))
    for t in range(run.shape[3]):
        covariance.add(fluctuations[..., t])
    basis = temporal_basis(covariance.matrix(), repetition_time)
    maps, gains = np.moveaxis(fluctuations @ basis, 3, 0), noise_gains(noise.lags)
    guides = local_contrast(mean), activity(maps, gains)
    channels = np.stack([channels_of(each, gains, *guides) for each in maps])
    return RunChannels(channels, basis, mean, noise.sigma)


def channels_of(values, gains, contrast, active):
    """Return the channels of one map.

    Parameters
    ----------
    values : ndarray of float32, shape (x, y, z)
        A map in units of the noise.
    gains : tuple of float
        From `noise_gains`.
    contrast, active : ndarray of float32, shape (x, y, z)
        From `local_contrast` and `activity`.

    Returns
    -------
    ndarray of float32, shape (x, y, z, 5)
    """
    return np.stack([values, *scores(values, gains), contrast, active], axis=-1)


def scores(values, gains):
    """Return, for each width, the inverse hyperbolic sine of a smoothed map in units of its noise: list of ndarray of float32."""
    return [np.arcsinh(ndimage.gaussian_filter(values, width) / np.float32(gain)) for width, gain in zip(WIDTHS, gains)]


def noise_gains(lags):
    """Return the SD that noise of SD 1 has after smoothing, for each width.

    Parameters
    ----------
    lags : tuple of three tuples of float
        Correlation of the noise along each axis, as in `RunNoise`.

    Returns
    -------
    tuple of float
    """
    return tuple(float(np.prod([_gain_along(each, width) for each in lags])) for width in WIDTHS)


def _gain_along(lags, width):
    impulse = np.zeros(8 * int(width) + 9)
    impulse[len(impulse) // 2] = 1.0
    kernel = np.convolve(noise_kernel(lags), ndimage.gaussian_filter1d(impulse, width))
    return np.sqrt((kernel**2).sum())


def activity(maps, gains):
    """Return where the run has signal: the logarithm of the mean power of the first smoothed maps, 0 where there is noise alone.

    Parameters
    ----------
    maps : iterable of ndarray of float32, shape (x, y, z)
        In the order of the basis; those after the sixteenth are not looked at.
    gains : tuple of float
        From `noise_gains`.

    Returns
    -------
    ndarray of float32, shape (x, y, z)
    """
    power, count = 0.0, 0
    for values in itertools.islice(maps, _ACTIVE_COMPONENTS):
        power, count = power + np.square(ndimage.gaussian_filter(values, WIDTHS[0]) / np.float32(gains[0])), count + 1
    return np.log(np.maximum(power / max(count, 1), 0.1)).astype(np.float32)


def inverse(sigma):
    """Return 1 / sigma, and 0 where sigma is 0: there nothing varies."""
    return np.divide(1, sigma, out=np.zeros_like(sigma), where=sigma > 0)


def local_contrast(mean):
    """Return how the mean image differs from its surroundings, in units of 5 % of its range.

    Parameters
    ----------
    mean : ndarray of float32, shape (x, y, z)

    Returns
    -------
    ndarray of float32, same shape
    """
    top = np.percentile(mean[mean != 0], 99) if mean.any() else 1.0
    smooth = ndimage.gaussian_filter(mean, _CONTRAST_WIDTH)
    return ((mean - smooth) / np.float32(_CONTRAST_UNIT * (top or 1.0))).astype(np.float32)
