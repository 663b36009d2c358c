"""Thick slices of a fine grid as linear maps along one axis: how a scanner measures them, and how they are interpolated.

Both grids share one field of view. With 12 fine voxels and 4 slices the slices' centres lie at 1, 4, 7 and 10 fine voxels: a slice of
the spacing's thickness covers three voxels, a thinner one leaves a gap to its neighbours, a thicker one overlaps them.
"""

import numpy as np
from scipy import ndimage, special

from keras_mri.errors import InputError

PROFILES = ("box", "gaussian", "kspace")
# A Gaussian profile ends so many thicknesses from its centre, where 0.3 % of it are left.
_REACH = 1.25
# SDs of a Gaussian of one FWHM.
_SD = 1 / np.sqrt(8 * np.log(2))
# Relative differences between two ways to write one field of view, in zooms of float32.
_SAME = 1e-3
# Share of the mean power of a slice below which a combination of slices is taken for rounding.
_RIDGE = 1e-8
# Steps of a bisection, over forty powers of e.
_HALVINGS = 30


def profile_matrix(n_fine, n_thick, fine, spacing, thickness, profile):
    """Return how thick slices are measured from fine ones.

    Parameters
    ----------
    n_fine, n_thick : int
        Voxels of the fine grid along the slice axis, and slices, over one field of view.
    fine, spacing, thickness : float
        Side of a fine voxel, distance of slices' centres and thickness of a slice, mm. Slices thinner than their spacing leave gaps,
        thicker ones overlap.
    profile : {"box", "gaussian", "kspace"}
        Sensitivity across a slice: the same everywhere; a Gaussian whose FWHM is the thickness; or, where the axis is encoded as a 3D
        acquisition does it, the lowest `n_thick` frequencies, whatever the thickness.

    Returns
    -------
    ndarray of float64, shape (n_thick, n_fine)
        Rows sum to one. No weight of a box or a Gaussian is negative; their centre of mass is the slice's centre, except for the
        outermost slices where they overlap.

    Raises
    ------
    InputError
        If the profile is another word, a length is not positive, or the two grids differ in their field of view.
    """
    _check(n_fine * fine, n_thick * spacing, thickness, profile)
    # In fine voxels from the face of the field of view.
    voxels = np.arange(n_fine) + 0.5
    centres = (np.arange(n_thick) + 0.5) * n_fine / n_thick
    if profile == "kspace":
        return _truncation(voxels, centres)
    faces = np.arange(n_fine + 1) - centres[:, None]
    cumulative = (_box if profile == "box" else _gaussian)(faces / (thickness / fine))
    weights = np.diff(cumulative, axis=1)
    return _centred(weights / weights.sum(axis=1, keepdims=True), voxels, centres[:, None])


def interpolation_matrix(n_fine, n_thick):
    """Return the cubic spline interpolation of slices at the voxels of a finer grid.

    Parameters
    ----------
    n_fine, n_thick : int
        Over one field of view.

    Returns
    -------
    ndarray of float64, shape (n_fine, n_thick)
        Rows sum to one. At both ends the spline is that of slices of which the outermost is repeated.
    """
    rows, positions = np.meshgrid(np.arange(n_thick), _in_slices(n_fine, n_thick), indexing="ij")
    return ndimage.map_coordinates(np.eye(n_thick), [rows, positions], order=3, mode="nearest").T


def distance_to_slices(n_fine, n_thick):
    """Return how far each voxel of a fine grid lies from the centre of the nearest slice.

    Parameters
    ----------
    n_fine, n_thick : int
        Over one field of view.

    Returns
    -------
    ndarray of float32, shape (n_fine,)
        In fine voxels; half the distance of two slices at most.
    """
    positions = _in_slices(n_fine, n_thick)
    nearest = np.clip(np.round(positions), 0, n_thick - 1)
    return (np.abs(positions - nearest) * n_fine / n_thick).astype(np.float32)


def kept(result, measured, matrix, tolerance=0.0, inside=None):
    """Change a fine image as little as possible so that it would be measured as the slices were.

    Parameters
    ----------
    result : ndarray of float32, shape (..., n_fine)
    measured : ndarray of float32, shape (..., n_thick)
        In the unit of `result`.
    matrix : ndarray of float64, shape (n_thick, n_fine)
        How slices are measured: from `profile_matrix`.
    tolerance : float
        RMS difference from the slices that may stay, such as part of their noise; 0: none.
    inside : ndarray of bool, shape (..., n_thick), optional
        Where it is looked at; everywhere by default.

    Returns
    -------
    ndarray of float32, shape (..., n_fine)
        The least-squares nearest to `result` among the images x whose `matrix` x is as near to `measured`. `result` itself if it is.
    """
    missing = measured - result @ matrix.T.astype(np.float32)
    power, directions = np.linalg.eigh(matrix @ matrix.T)
    ridge = _ridge(missing, power, directions, tolerance, inside)
    if ridge is None:
        return result
    back = (directions / (power + ridge) @ directions.T @ matrix).astype(np.float32)
    return (result + missing @ back).astype(np.float32)


def _check(fine_side, thick_side, thickness, profile):
    if profile not in PROFILES:
        raise InputError(f"`profile` must be one of {', '.join(PROFILES)}. Received: {profile!r}.")
    if not min(fine_side, thick_side, thickness) > 0:
        raise InputError(f"sides, spacing and thickness must be above 0 mm. Received: `thickness` {thickness:g}.")
    if abs(fine_side - thick_side) > _SAME * thick_side:
        raise InputError(
            f"`n_fine` · `fine` and `n_thick` · `spacing` must be one field of view. Received: {fine_side:g} and {thick_side:g} mm."
        )


def _ridge(missing, power, directions, tolerance, inside):
    """Return what is added to the power of the slices, so that a difference of the tolerance stays; None if it is not larger now."""
    least = _RIDGE * power.mean()
    if tolerance <= 0:
        return least
    lines = missing if inside is None else missing[inside.any(axis=-1)]
    count = missing.size if inside is None else np.count_nonzero(inside)
    squares = ((lines @ directions.astype(np.float32)) ** 2).sum(axis=tuple(range(lines.ndim - 1)), dtype=np.float64) / max(count, 1)
    if squares.sum() <= tolerance**2:
        return None
    low, high = np.log(least), np.log(power.max() / _RIDGE)
    for _ in range(_HALVINGS):
        middle = np.exp((low + high) / 2)
        # (I + A Aᵀ / ridge)⁻¹ of the difference stays.
        left = (squares * (middle / (power + middle)) ** 2).sum()
        low, high = (np.log(middle), high) if left < tolerance**2 else (low, np.log(middle))
    return np.exp(low)


def _in_slices(n_fine, n_thick):
    """Return the fine voxels' centres, as indices of slices."""
    # Both fields of view begin at index -1/2.
    return (np.arange(n_fine) + 0.5) * n_thick / n_fine - 0.5


def _box(distances):
    """Return the integral of the box from its beginning, at distances from its centre in thicknesses."""
    return np.clip(distances, -0.5, 0.5)


def _gaussian(distances):
    return special.ndtr(np.clip(distances, -_REACH, _REACH) / _SD)


def _centred(weights, voxels, centres):
    """Tilt weights so that their centre of mass is that of the slice, as far as none becomes negative.

    A voxel that a slice covers in part counts with its own centre. A straight line would be measured at another place than the slice's.
    """
    mean = (weights * voxels).sum(axis=1, keepdims=True)
    away = voxels - mean
    variance = (weights * away**2).sum(axis=1, keepdims=True)
    inside = weights > 0
    # 1 + tilt · away ≥ 0 at both ends of the profile.
    ends = [np.where(inside, away, 0).max(axis=1, keepdims=True), np.where(inside, away, 0).min(axis=1, keepdims=True)]
    with np.errstate(divide="ignore", invalid="ignore"):
        tilt = np.clip((centres - mean) / variance, -1 / ends[0], -1 / ends[1])
    # A slice within one voxel cannot be moved.
    return weights * (1 + np.where(variance > 0, tilt, 0) * away)


def _truncation(voxels, centres):
    """Return what sampling the lowest frequencies gives, as `kspace.resampled` does it."""
    n_fine, n_thick = len(voxels), len(centres)
    frequencies = np.arange(min(n_fine, n_thick) // 2 + 1)
    # At the edge of k-space one coefficient stands for a pair.
    pairs = np.where(frequencies == 0, 1.0, np.where(2 * frequencies == min(n_fine, n_thick), 1.0, 2.0))
    phases = 2 * np.pi * (centres[:, None] - voxels) / n_fine
    return np.tensordot(np.cos(phases[..., None] * frequencies), pairs, 1) / n_fine
