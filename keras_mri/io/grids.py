"""Voxel grids: the size, the direction and the place of an image's voxels, and boxes of voxels."""

import itertools

import nibabel
import numpy as np

from keras_mri.errors import GridMismatchError, InputError

# Programs round affines differently; more than this share of a voxel is another grid.
_SAME_PLACE = 0.03


def zooms(affine):
    """Return the voxel sides of an affine, the lengths of its columns, mm: tuple of three floats."""
    return tuple(float(side) for side in nibabel.affines.voxel_sizes(affine))


def voxel_sides(affine):
    """Return the zooms of an affine, with 1 in place of 0, so that an image with a broken affine can be drawn."""
    return tuple(side or 1.0 for side in zooms(affine))


def axis_codes(affine):
    """Return the anatomical direction of each voxel axis, one letter each, for example LAS.

    Parameters
    ----------
    affine : ndarray of float64, shape (4, 4)
        Voxel indices to RAS+ millimetres.

    Returns
    -------
    str
        The letter of the direction in which the index grows; no two axes have the letters of one anatomical axis.
    """
    return "".join(nibabel.orientations.ornt2axcodes(_orientation(affine)))


def anatomical_axes(affine):
    """Find the voxel axis that runs most nearly along each anatomical axis.

    Parameters
    ----------
    affine : ndarray of float64, shape (4, 4)
        Voxel indices to RAS+ millimetres.

    Returns
    -------
    axes : tuple of int
        The voxel axes for right, anterior, superior.
    backwards : tuple of bool
        Whether each runs to the left, posterior, inferior.
    """
    orientation = _orientation(affine)
    axes = tuple(int(axis) for axis in np.argsort(orientation[:, 0]))
    return axes, tuple(bool(orientation[axis, 1] < 0) for axis in axes)


def tilt(affine):
    """Return the largest angle between a voxel axis and the anatomical axis that it runs most nearly along, degrees: float."""
    axes, _ = anatomical_axes(affine)
    lengths = voxel_sides(affine)
    cosines = [abs(affine[anatomical, axis]) / lengths[axis] for anatomical, axis in enumerate(axes)]
    return float(np.degrees(np.arccos(np.clip(cosines, 0, 1))).max())


def left_right_axis(affine):
    """Return the voxel axis that runs most nearly from left to right: 0, 1 or 2."""
    return anatomical_axes(affine)[0][0]


def mirror_axes(affine, mirror, across=None):
    """Return the voxel axes along which mirror images are made.

    Parameters
    ----------
    affine : ndarray of float64, shape (4, 4)
    mirror : {"none", "left-right", "all"}
    across : int, optional
        An axis to leave out, for example the slice axis.

    Returns
    -------
    tuple of int
    """
    axes = {"none": (), "left-right": (left_right_axis(affine),), "all": (0, 1, 2)}[mirror]
    return tuple(axis for axis in axes if axis != across)


def check_same_grid(first, second, expectation="the images must lie on one grid"):
    """Raise unless two Volumes share spatial shape and affine (no voxel further apart than 3 % of its side).

    Parameters
    ----------
    first, second : Volume
    expectation : str
        The first line of the message.

    Raises
    ------
    GridMismatchError
    """
    # The outermost voxels must agree: a small difference of zooms or angles grows with the distance from the first voxel.
    corners = np.array([(*corner, 1) for corner in itertools.product(*((0, side - 1) for side in first.shape[:3]))])
    apart = np.linalg.norm((corners @ (first.affine - second.affine).T)[:, :3], axis=1).max()
    if first.shape[:3] == second.shape[:3] and apart <= _SAME_PLACE * min(zooms(first.affine)):
        return
    remedy = "  Resample the second to the first, e.g. with nilearn.image.resample_to_img."
    raise GridMismatchError("\n".join([expectation + ".", _describe_grid(first), _describe_grid(second), remedy]))


def bounding_box(mask, margin=0):
    """Return the smallest box that holds a mask and a margin around it, cut off at the array's edges.

    Parameters
    ----------
    mask : ndarray
        True, or not 0, inside; any number of dimensions.
    margin : int or sequence of int
        Voxels on each side, one number or one for each axis.

    Returns
    -------
    tuple of slice

    Raises
    ------
    InputError
        If the mask is empty.

    Examples
    --------
    >>> mask = np.zeros((9, 8, 7), bool)
    >>> mask[2:5, 3, 6] = True
    >>> bounding_box(mask)
    (slice(2, 5, None), slice(3, 4, None), slice(6, 7, None))
    >>> bounding_box(mask, margin=(3, 1, 1))
    (slice(0, 8, None), slice(2, 5, None), slice(5, 7, None))
    """
    # Axis by axis: a list of all voxels inside would be many times as large as the mask.
    others = (tuple(other for other in range(mask.ndim) if other != axis) for axis in range(mask.ndim))
    inside = [np.flatnonzero(mask.any(axis=axes)) for axes in others]
    if not all(map(len, inside)):
        raise InputError(f"`mask` must hold at least one voxel. Received: no voxel of {mask.shape}.")
    margins = np.broadcast_to(margin, mask.ndim)
    return tuple(
        slice(max(int(places[0] - more), 0), min(int(places[-1] + 1 + more), side))
        for places, more, side in zip(inside, margins, mask.shape)
    )


def _orientation(affine):
    """Return nibabel's orientation, where each voxel axis has an anatomical axis of its own: ndarray of int, shape (3, 2)."""
    orientation = nibabel.orientations.io_orientation(np.nan_to_num(affine, posinf=0.0, neginf=0.0))
    # A broken affine leaves voxel axes without a direction: they get the anatomical axes that are left.
    dropped = np.isnan(orientation[:, 0])
    left = sorted({0, 1, 2} - set(orientation[~dropped, 0].astype(int)))
    orientation[dropped] = [(axis, 1) for axis in left] if left else np.empty((0, 2))
    return orientation.astype(int)


def _describe_grid(volume):
    sides = tuple(round(side, 4) for side in zooms(volume.affine))
    origin = tuple(round(float(value), 2) for value in volume.affine[:3, 3])
    return f"  {volume.name}  shape {volume.shape[:3]}  zooms {sides} mm  origin {origin} mm  axes {axis_codes(volume.affine)}"
