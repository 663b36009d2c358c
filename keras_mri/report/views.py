"""Slices in radiological planes: axial, coronal, sagittal, upright, with named sides and sizes in millimetres."""

import typing

import numpy as np

from keras_mri.io.grids import anatomical_axes, voxel_sides


class View(typing.NamedTuple):
    """One slice.

    Parameters
    ----------
    image : ndarray, shape (rows, columns)
        The first row is the top.
    size : tuple of float
        Width and height, mm.
    sides : tuple of str
        Letters of the left, right, upper and lower edge: L, R, A, P, S or I.
    cut : tuple of float
        Where the other two slices cut this one: mm from its left and its lower edge.
    """

    image: np.ndarray
    size: tuple
    sides: tuple
    cut: tuple = (0.0, 0.0)


# Plane → the RAS axes that run to the right and upwards in it.
_PLANES = {"axial": (0, 1), "coronal": (0, 2), "sagittal": (1, 2)}
_NAMES = (("L", "R"), ("P", "A"), ("I", "S"))


def orthogonal_views(data, affine, centre):
    """Cut a volume along its voxel axes into the slices nearest to the three anatomical planes.

    Parameters
    ----------
    data : ndarray, shape (x, y, z)
    affine : ndarray of float64, shape (4, 4)
    centre : sequence of float
        Position of the cuts along each voxel axis, from 0 at its first face to 1 at its last.

    Returns
    -------
    dict of str to View
        axial, coronal and sagittal slice; the left of the body is on the left.
    """
    axes, backwards = anatomical_axes(affine)
    zooms = voxel_sides(affine)
    views = {}
    for plane, (across, up) in _PLANES.items():
        through = axes[3 - across - up]
        place = min(int(centre[through] * data.shape[through]), data.shape[through] - 1)
        image = np.take(data, place, axis=through)
        # The two remaining axes are in their original order.
        image = image if axes[up] < axes[across] else image.T
        image = image[::-1] if backwards[up] else image
        image = image[:, ::-1] if backwards[across] else image
        size = tuple(float(data.shape[axes[axis]] * zooms[axes[axis]]) for axis in (across, up))
        shares = (1 - centre[axes[axis]] if backwards[axis] else centre[axes[axis]] for axis in (across, up))
        cut = tuple(float(share * side) for share, side in zip(shares, size))
        # Rows are drawn from the top, and the larger coordinate belongs there.
        views[plane] = View(image[::-1], size, (*_NAMES[across], *_NAMES[up][::-1]), cut)
    return views


def centre_of(mask):
    """Return the centre of a mask along each axis, from 0 to 1; the centre of the volume if the mask is empty."""
    places = np.argwhere(mask)
    middle = places.mean(axis=0) if len(places) else (np.array(mask.shape) - 1) / 2
    return tuple(float(place) for place in (middle + 0.5) / mask.shape)
