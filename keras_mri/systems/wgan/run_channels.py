"""What the network of a run sees: one map per component of the time courses, in units of the noise, beside the anatomy."""

import typing

import numpy as np
from scipy import ndimage

from keras_mri.errors import InputError
from keras_mri.imaging.foreground import patch_foreground
from keras_mri.imaging.run_noise import estimate_run_noise
from keras_mri.imaging.temporal_basis import TemporalCovariance, temporal_basis

# Channels of the network's input: the map, and the local contrast of the mean.
CHANNELS = 2
# Shorter runs have too few time courses to tell signal from noise; they keep the network of single volumes.
LEAST_FRAMES = 10
# Voxels of the Gaussian that local contrast is relative to, and the contrast (share of the range) that counts as 1.
_CONTRAST_WIDTH, _CONTRAST_UNIT = 2.0, 0.05


class RunChannels(typing.NamedTuple):
    """A run as its network sees it, and what brings the network's output back.

    The denoised run is `mean[..., None] + sigma[..., None] * np.tensordot(denoised_maps, basis, (0, 1))`.

    Parameters
    ----------
    channels : ndarray of float32, shape (components, x, y, z, 2)
        The batch for the network: each component's map in units of the noise, and the local contrast of the mean.
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
    run : ndarray of float32, shape (x, y, z, t)
        Ten frames or more of one condition, any unit.
    repetition_time : float, optional
        s; 2 where it is not known.

    Returns
    -------
    RunChannels

    Raises
    ------
    InputError
        If `run` is not 4D or has fewer than ten frames.
    """
    if run.ndim != 4 or run.shape[3] < LEAST_FRAMES:
        raise InputError(f"`run` must have {LEAST_FRAMES} frames or more: (x, y, z, t). Received: shape {run.shape}.")
    sigma = estimate_run_noise(run).sigma
    mean = run.mean(axis=3, dtype=np.float64).astype(np.float32)
    fluctuations = (run - mean[..., None]) * inverse(sigma)[..., None]
    covariance = TemporalCovariance(patch_foreground(mean) & (sigma > 0))
    for t in range(run.shape[3]):
        covariance.add(fluctuations[..., t])
    basis = temporal_basis(covariance.matrix(), repetition_time)
    maps = np.moveaxis(fluctuations @ basis, 3, 0)
    contrast = np.broadcast_to(local_contrast(mean), maps.shape)
    return RunChannels(np.stack([maps, contrast], axis=-1), basis, mean, sigma)


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
