"""From the scanner's intensities to a network's units and back: linear, fitted on each image, exactly invertible."""

import dataclasses
import math

import numpy as np

from keras_mri.errors import InputError

POLICIES = ("percentile", "minmax")
# The brightest 0.1 % of the tissue (vessels, spikes) may exceed 1: one hot voxel must not set the scale.
_UPPER_PERCENTILE = 99.9
# Of a run: enough for a percentile, few enough to be read at once.
_MOST_FRAMES = 16
# Usual intensities lie between these percentiles of what is not exactly zero; their range is at least this share of the higher one, as
# that of a uniform object is no measure.
_USUAL, _LEAST_RANGE = (2.0, 98.0), 0.5
# A pedestal is so many times higher than what lies on it, and that is so many times the noise; of noise alone it would be five times.
_PEDESTAL, _ABOVE_NOISE = 4.0, 9.0
# The median of the difference of two independent normal variables of SD 1.
_MEDIAN_DIFFERENCE = 0.9538726
# Voxels from which percentiles are known well enough.
_ENOUGH = 500_000


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


def far_range(sample, ranges):
    """Return the intensities that lie far from the usual ones: no tissue has those beyond nine ranges.

    Parameters
    ----------
    sample : ndarray of float32, any shape
        Intensities of an image; exact zeros do not count.
    ranges : float
        How far, in ranges of the usual intensities, which are those between the 2nd and the 98th percentile.

    Returns
    -------
    (float, float)
        The lowest and the highest that is not beyond; infinite where nothing but zeros is known.
    """
    sample = some_of(sample)
    tissue = sample[sample != 0]
    if not tissue.size:
        return -np.inf, np.inf
    low, high = (float(value) for value in np.percentile(tissue, _USUAL))
    width = max(high - low, _LEAST_RANGE * max(abs(low), abs(high)))
    return low - ranges * width, high + ranges * width


def some_of(data):
    """Return some voxels of an array, enough for percentiles, from all of its rows and planes: ndarray, shape (voxels,)."""
    step = 1 + data.size // _ENOUGH
    while any(math.gcd(step, side) > 1 for side in data.shape if step > 1):
        step += 1
    return data.ravel(order="K")[::step]


def without_far(data, ranges=9.0):
    """Return data in which no intensity lies farther out than `far_range` says: the same array if none does."""
    low, high = far_range(data, ranges)
    return np.clip(data, low, high) if data.size and (data.min() < low or data.max() > high) else data


def pedestal_of(frame):
    """Return the constant that all intensities of a frame lie on, where that is much higher than they are; else 0.

    Parameters
    ----------
    frame : ndarray of float, shape (x, y, z)

    Returns
    -------
    float
        The lowest 0.1 % of what is not exactly zero. 0 as well where nothing but noise lies on it, as in a uniform object.
    """
    sample = some_of(frame)
    tissue = sample[sample != 0]
    if not tissue.size:
        return 0.0
    low, high = (float(value) for value in np.percentile(tissue, (100 - _UPPER_PERCENTILE, _USUAL[1])))
    # Upside down, the highest intensities are the nearest to zero.
    if not min(abs(low), abs(high)) > _PEDESTAL * (high - low) > 0:
        return 0.0
    steps = np.abs(np.diff(frame, axis=0))[(frame[1:] != 0) & (frame[:-1] != 0)]
    noise = float(np.median(steps)) / _MEDIAN_DIFFERENCE if steps.size else 0.0
    return low if high - low > _ABOVE_NOISE * noise else 0.0


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
