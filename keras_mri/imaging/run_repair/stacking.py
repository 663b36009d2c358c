"""Shares of several predictions in one, found where the truth is known."""

import numpy as np
from scipy import optimize

# How strictly shares sum to 1, against a fit.
_STRICT = 1e3


def shares(products, wanted):
    """Return the shares, 0 or more and of sum 1, with which predictions sum to the least squared error.

    Parameters
    ----------
    products : ndarray of float64, shape (ways, ways)
        Sums over known voxels of the products of predictions.
    wanted : ndarray of float64, shape (ways,)
        Sums of the products of each prediction with the truth.

    Returns
    -------
    ndarray of float64, shape (ways,)

    References
    ----------
    Breiman, Machine Learning 24:49, 1996. doi:10.1007/BF00117832
    """
    ways = len(wanted)
    size = np.trace(products) / ways
    if not size > 0:
        return np.full(ways, 1 / ways)
    values, vectors = np.linalg.eigh(products / size)
    roots = np.sqrt(np.maximum(values, 1e-10))
    system = np.vstack([(vectors * roots).T, np.full((1, ways), _STRICT)])
    target = np.append(vectors.T @ (wanted / size) / roots, _STRICT)
    found = optimize.nnls(system, target)[0]
    return found / found.sum()
