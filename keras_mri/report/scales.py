"""Ranges of grey and colour scales: where black and white lie, for volumes and for what was removed."""

import numpy as np

# Percentage of the voxels that a scale covers; the others take its first or last colour.
_COVERED = 99.7


def grey_limits(values):
    """Return the values of black and of white: from 0, or the lowest of values that may be negative, to the highest but for a few.

    Parameters
    ----------
    values : ndarray of float
        Finite.

    Returns
    -------
    tuple of float
        The second is above the first.
    """
    low = 0.0 if values.min() >= 0 else float(np.percentile(values, 100 - _COVERED))
    high = float(np.percentile(values, _COVERED))
    return low, high if high > low else low + 1


def difference_limit(differences, least):
    """Return the value L of a scale from −L to L for differences: all but a few lie within.

    Parameters
    ----------
    differences : ndarray of float
        Finite.
    least : float
        What is returned if all of them are 0.

    Returns
    -------
    float
        Positive.
    """
    sizes = np.abs(differences)
    return float(np.percentile(sizes, _COVERED)) or float(sizes.max()) or least
