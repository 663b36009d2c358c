"""From the scanner's intensities to a network's units and back: linear, fitted on each image, exactly invertible."""

import dataclasses

import numpy as np

from keras_mri.errors import InputError

POLICIES = ("percentile", "minmax")
# The brightest 0.1 % of the tissue (vessels, spikes) may exceed 1: one hot voxel must not set the scale.
_UPPER_PERCENTILE = 99.9
# Of a run: enough for a percentile, few enough to be read at once.
_MOST_FRAMES = 16


@dataclasses.dataclass(frozen=True)
class Scaling:
    """The linear map `(data - offset) / scale`.

    Parameters
    ----------
    offset, scale : float
        In the image's own unit; `scale` is positive.
    """

    offset: float
    scale: float

    def apply(self, data):
        """Bring intensities to network units.

        Parameters
        ----------
        data : ndarray of float32, any shape

        Returns
        -------
        ndarray of float32, same shape
        """
        return ((data - np.float32(self.offset)) / np.float32(self.scale)).astype(np.float32)

    def invert(self, data):
        """Bring network units back to the image's intensities.

        Parameters
        ----------
        data : ndarray of float32, any shape

        Returns
        -------
        ndarray of float32, same shape
        """
        return (data * np.float32(self.scale) + np.float32(self.offset)).astype(np.float32)


def fit_image_scaling(volume, policy="percentile"):
    """Fit a Scaling on a scan without holding all of it: on frames spread over a run, or on its extremes.

    Parameters
    ----------
    volume : Volume
    policy : {"percentile", "minmax"} or pair of float
        As for `fit_scaling`.

    Returns
    -------
    Scaling

    Raises
    ------
    InputError
        If all intensities are equal.
    """
    return fit_scaling(np.array(volume.extremes) if policy == "minmax" else volume.sample_frames(_MOST_FRAMES), policy)


def fit_zscore(data, mask=None):
    """Fit the Scaling that gives the voxels of a mask a mean of 0 and a standard deviation of 1.

    Parameters
    ----------
    data : ndarray of float32, any shape
    mask : ndarray of bool, same shape, optional
        All voxels without it.

    Returns
    -------
    Scaling

    Raises
    ------
    InputError
        If all intensities are equal.
    """
    inside = data if mask is None else data[mask]
    mean, deviation = float(inside.mean(dtype=np.float64)), float(inside.std(dtype=np.float64))
    if not deviation > 0:
        raise InputError(f"the image is constant where its brain should be: every voxel is {mean:g}. There is nothing to restore.")
    return Scaling(offset=mean, scale=deviation)


def fit_scaling(sample, policy="percentile"):
    """Fit a Scaling on (a sample of) an image.

    Parameters
    ----------
    sample : ndarray of float32, any shape
        Intensities of the image, for a run those of some of its frames.
    policy : {"percentile", "minmax"} or pair of float
        "percentile": 0 stays 0 (magnitude data) or the lowest 0.1 % maps to 0 (data with negative values), and the
        99.9th percentile of the voxels that are not exactly zero maps to 1. "minmax": the extremes map to 0 and 1. Two
        numbers: these percentiles of all voxels do.

    Returns
    -------
    Scaling

    Raises
    ------
    InputError
        If all intensities are equal.
    """
    low, high = float(sample.min()), float(sample.max())
    if low == high:
        raise InputError(f"the image is constant or empty: its intensities run from {low:g} to {high:g}. There is nothing to restore.")
    if not isinstance(policy, str):
        low, high = (float(value) for value in np.percentile(sample, policy))
    elif policy == "percentile":
        # Exact zeros are a scanner's mask or a defaced region, not signal.
        tissue = sample[sample != 0]
        if tissue.size:
            high = float(np.percentile(tissue, _UPPER_PERCENTILE)) or high
        low = 0.0 if low >= 0 else float(np.percentile(sample, 100 - _UPPER_PERCENTILE))
    if not high > low:
        raise InputError(f"the image is constant or empty: its intensities run from {low:g} to {high:g}. There is nothing to restore.")
    return Scaling(offset=low, scale=high - low)
