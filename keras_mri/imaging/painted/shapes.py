"""Heads of other shapes: a random affine and a smooth deformation of a label map."""

import numpy as np
from scipy import ndimage

# mm between the control points of a deformation.
_SPACING = (25.0, 60.0)
# Planes that are moved at once: coordinates of a whole head would need a gigabyte.
_PLANES = 32


def drawn_affine(rng, rotation=15.0, scaling=0.12, shear=0.05):
    """Draw a rotation, scaling and shear about the centre.

    Parameters
    ----------
    rng : numpy.random.Generator
    rotation : float
        Largest angle about each axis, degrees.
    scaling, shear : float
        Largest change of each.

    Returns
    -------
    ndarray of float64, shape (3, 3)
    """
    matrix = np.eye(3)
    for axis, angle in enumerate(np.radians(rng.uniform(-rotation, rotation, 3))):
        turn = np.eye(3)
        a, b = (other for other in range(3) if other != axis)
        turn[a, a] = turn[b, b] = np.cos(angle)
        turn[a, b], turn[b, a] = -np.sin(angle), np.sin(angle)
        matrix = matrix @ turn
    sheared = np.eye(3) + np.triu(rng.uniform(-shear, shear, (3, 3)), 1)
    return matrix @ np.diag(1 + rng.uniform(-scaling, scaling, 3)) @ sheared


def drawn_deformation(shape, rng, largest=4.0):
    """Draw a smooth field of shifts by its control points.

    Parameters
    ----------
    shape : tuple of int, (x, y, z)
        Of the image, in voxels of 1 mm.
    rng : numpy.random.Generator
    largest : float
        Highest SD of the shifts of a control point, mm.

    Returns
    -------
    ndarray of float32, shape (3, i, j, k)
        Shift along each axis at control points that cover the image; `moved` interpolates between them.
    """
    spacing = rng.uniform(*_SPACING)
    points = [max(4, int(np.ceil(side / spacing)) + 1) for side in shape]
    return (rng.uniform(0, largest) * rng.standard_normal((3, *points))).astype(np.float32)


def moved(labels, affine, deformation, flipped=False):
    """Move a label map: each voxel takes the label at another place.

    Parameters
    ----------
    labels : ndarray of int, shape (x, y, z)
    affine : ndarray of float64, shape (3, 3)
        About the centre.
    deformation : ndarray of float32, shape (3, i, j, k)
        Shifts in voxels at control points.
    flipped : bool
        Also reflect the first axis.

    Returns
    -------
    ndarray of int, same shape and type
        0 (air) beyond the map.
    """
    centre = (np.array(labels.shape) - 1) / 2
    labels = labels[::-1] if flipped else labels
    result = np.empty_like(labels)
    weights = [cubic_weights(count, side) for count, side in zip(deformation.shape[1:], labels.shape)]
    # From control points to the second and third axis; the first follows plane by plane.
    shifts = np.einsum("aijk,yj,zk->aiyz", deformation, weights[1], weights[2], optimize=True)
    axes = [np.arange(side, dtype=np.float32) - middle for side, middle in zip(labels.shape, centre)]
    for start in range(0, labels.shape[0], _PLANES):
        part = slice(start, start + _PLANES)
        x, y, z = axes[0][part, None, None], axes[1][None, :, None], axes[2][None, None, :]
        shift = np.einsum("aiyz,xi->axyz", shifts, weights[0][part], optimize=True)
        places = [affine[a, 0] * x + affine[a, 1] * y + affine[a, 2] * z + centre[a] + shift[a] for a in range(3)]
        result[part] = _nearest(labels, places)
    return result


def _nearest(labels, places):
    """Return the labels nearest to these places; 0 beyond the map."""
    index, inside = 0, True
    for place, side in zip(places, labels.shape):
        whole = np.rint(place).astype(np.int32)
        inside = inside & (whole >= 0) & (whole < side)
        index = index * side + np.clip(whole, 0, side - 1)
    return np.where(inside, np.ascontiguousarray(labels).ravel()[index], labels.dtype.type(0))


def cubic_weights(points, side):
    """Return what interpolates control points, which reach from the first voxel to the last, by a cubic spline: float32, (side, points)."""
    places = np.linspace(0, points - 1, side)
    columns = [ndimage.map_coordinates(row, places[None], order=3, mode="nearest") for row in np.eye(points)]
    return np.stack(columns, axis=1).astype(np.float32)
