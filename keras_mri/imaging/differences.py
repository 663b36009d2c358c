"""Differences of neighbouring voxels, in which noise stays and anatomy mostly goes, and their robust spread."""

import numpy as np

from keras_mri.imaging.runs.noise import MAD_OF_NORMAL


def spread(values):
    """Return the SD by the median absolute deviation; among integers, which tie, the median of the values before rounding.

    Values that tie with the median are spread evenly half-way to the next value on either side.

    Parameters
    ----------
    values : ndarray of float, shape (voxels,)
        At least one.

    Returns
    -------
    float
        In the unit of `values`.
    """
    deviations = np.abs(values - np.median(values)).astype(np.float64)
    median = np.partition(deviations, len(deviations) // 2)[len(deviations) // 2]
    below, above = deviations < median * (1 - 1e-4), deviations > median * (1 + 1e-4)
    if not above.any():
        return float(median / MAD_OF_NORMAL)
    low = (median + deviations[below].max()) / 2 if below.any() else 0.0
    high = (median + deviations[above].min()) / 2
    share = (0.5 - below.mean()) / (1 - below.mean() - above.mean())
    return float((low + share * (high - low)) / MAD_OF_NORMAL)


def every_second_difference(volume, valid):
    """Return the diagonal differences of voxels two apart (unit gain), and where all voxels of them are valid.

    Scanners interpolate, which makes next neighbours alike; the correlation two voxels apart is near 0 (see `runs.noise`).

    Parameters
    ----------
    volume : ndarray of float32, shape (x, y, z)
    valid : ndarray of bool, same shape

    Returns
    -------
    (ndarray of float32, ndarray of bool)
        Smaller by two voxels along each side longer than two.
    """
    difference, both = volume.astype(np.float32), valid
    for axis in (axis for axis in range(3) if volume.shape[axis] > 2):
        first, second = along(axis, slice(None, -2)), along(axis, slice(2, None))
        difference = (difference[first] - difference[second]) / np.float32(np.sqrt(2.0))
        both = both[first] & both[second]
    return difference, both


def diagonal_haar(volume, valid=None):
    """Return the finest diagonal Haar coefficients (unit gain for white noise), local intensities and validity.

    Parameters
    ----------
    volume : ndarray of float32, shape (x, y, z)
    valid : ndarray of bool, same shape, optional
        By default, all that is not exactly 0.

    Returns
    -------
    (ndarray of float32, ndarray of float32, ndarray of bool)
        Half as large along each side longer than one.
    """
    detail, valid = volume.astype(np.float32), volume != 0 if valid is None else valid
    mean = detail
    for axis in (axis for axis in range(3) if volume.shape[axis] > 1):
        pairs = volume.shape[axis] - volume.shape[axis] % 2
        even, odd = (along(axis, slice(start, pairs, 2)) for start in (0, 1))
        detail = (detail[even] - detail[odd]) / np.float32(np.sqrt(2.0))
        mean = (mean[even] + mean[odd]) / 2
        valid = valid[even] & valid[odd]
    return detail, mean, valid


def along(axis, part):
    """Return the index that takes a slice along one of three axes: tuple of three slices."""
    return tuple(part if a == axis else slice(None) for a in range(3))
