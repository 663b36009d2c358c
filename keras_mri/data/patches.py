"""Where training patches lie: on tissue, or on a lattice."""

import itertools

import numpy as np

from keras_mri.errors import InputError


def foreground_corners(tissue, patch_shape):
    """List the corners of the patches centred on tissue, moved inwards where they would stick out.

    Parameters
    ----------
    tissue : ndarray of bool, shape (x, y, z)
    patch_shape : tuple of int
        Voxels, (x, y, z).

    Returns
    -------
    ndarray of int32, shape (corners, 3)

    Raises
    ------
    InputError
        If a patch is larger than the volume.
    """
    check_patch_fits(patch_shape, tissue.shape)
    centres = np.argwhere(tissue if tissue.any() else np.ones_like(tissue))
    last = np.subtract(tissue.shape, patch_shape)
    return np.clip(centres - np.floor_divide(patch_shape, 2), 0, last).astype(np.int32)


def lattice_corners(frame, patch_shape, lowest_mean):
    """List the corners at half-patch steps whose patch is brighter than `lowest_mean`: the published sampling.

    Parameters
    ----------
    frame : ndarray of float32, shape (x, y, z)
        In network units.
    patch_shape : tuple of int
    lowest_mean : float
        In network units.

    Returns
    -------
    ndarray of int32, shape (corners, 3)

    Raises
    ------
    InputError
        If a patch is larger than the volume.
    """
    check_patch_fits(patch_shape, frame.shape)
    starts = [range(0, side - size + 1, max(1, size // 2)) for side, size in zip(frame.shape, patch_shape)]
    corners = np.array(list(itertools.product(*starts)), dtype=np.int32)
    means = [frame[tuple(slice(c, c + size) for c, size in zip(corner, patch_shape))].mean() for corner in corners]
    return corners[np.array(means) > lowest_mean]


def check_patch_fits(patch_shape, shape):
    """Raise unless a patch lies inside a volume.

    Raises
    ------
    InputError
    """
    if any(size > side for size, side in zip(patch_shape, shape)):
        largest = tuple(min(size, side) for size, side in zip(patch_shape, shape))
        raise InputError(
            f"`patch_shape` must lie inside the volume. Received: patch {tuple(patch_shape)}, volume {tuple(shape[:3])}. "
            f"Largest valid: {largest}."
        )


def fitting_patch(patch_shape, runs, factor):
    """Cut a patch to what fits every scan and a network's halvings.

    Parameters
    ----------
    patch_shape : tuple of int
        Voxels wanted.
    runs : sequence of ndarray, shape (x, y, z, …)
    factor : int
        The sides of the result are multiples of this, and no smaller.

    Returns
    -------
    tuple of int
    """
    sides = np.min([run.shape[:3] for run in runs], axis=0)
    return tuple(int(max(factor, min(size, side) // factor * factor)) for size, side in zip(patch_shape, sides))


def thickened(run, factor):
    """Repeat the outermost voxels of a scan that is thinner than one block of a network.

    Parameters
    ----------
    run : ndarray, shape (x, y, z, t)
    factor : int
        The least side.

    Returns
    -------
    ndarray, same type
    """
    missing = [max(0, factor - side) for side in run.shape[:3]]
    return np.pad(run, [(0, pad) for pad in missing] + [(0, 0)], mode="edge") if any(missing) else run
