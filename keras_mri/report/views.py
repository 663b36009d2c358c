"""Slices as a reader of images expects them: axial, coronal, sagittal, upright, sides named, in millimetres."""

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
        The letters of the left, right, upper and lower edge: L, R, A, P, S or I.
    """

    image: np.ndarray
    size: tuple
    sides: tuple


# Plane → the RAS axes that run to the right and upwards in it.
_PLANES = {"axial": (0, 1), "coronal": (0, 2), "sagittal": (1, 2)}
_NAMES = (("L", "R"), ("P", "A"), ("I", "S"))


def orthogonal_views(data, affine, centre):
    """Cut a volume along its three axes, in the order and direction nearest to the anatomical ones.

    Parameters
    ----------
    data : ndarray, shape (x, y, z)
    affine : ndarray of float64, shape (4, 4)
    centre : sequence of float
        Where to cut: along each voxel axis, from 0 at its first face to 1 at its last.

    Returns
    -------
    dict of str to View
        axial, coronal, sagittal; the left of the body is on the left.
    """
    axes, backwards = anatomical_axes(affine)
    zooms = voxel_sides(affine)
    views = {}
    for plane, (across, up) in _PLANES.items():
        through = axes[3 - across - up]
        place = min(int(centre[through] * data.shape[through]), data.shape[through] - 1)
        image = np.take(data, place, axis=through)
        # What is left of the axes is in their old order.
        image = image if axes[up] < axes[across] else image.T
        image = image[::-1] if backwards[up] else image
        image = image[:, ::-1] if backwards[across] else image
        size = tuple(float(data.shape[axes[axis]] * zooms[axes[axis]]) for axis in (across, up))
        # Rows are drawn from the top, and up is the larger coordinate.
        views[plane] = View(image[::-1], size, (*_NAMES[across], *_NAMES[up][::-1]))
    return views


def centre_of(mask):
    """Return where the middle of a mask is along each axis, from 0 to 1; that of the volume if the mask is empty."""
    places = np.argwhere(mask)
    middle = places.mean(axis=0) if len(places) else (np.array(mask.shape) - 1) / 2
    return tuple(float(place) for place in (middle + 0.5) / mask.shape)
