"""A scan on another grid: another scan's, interpolated through both affines; or a coarser one, by its k-space."""

import numpy as np
from scipy import ndimage

from keras_mri.imaging.kspace import finer_affine, resampled
from keras_mri.io.volumes import Volume


def resampled_to(volume, reference, order=3):
    """Interpolate a volume at the voxels of another one.

    Parameters
    ----------
    volume : Volume
        3D.
    reference : Volume
        Grid and header of the result.
    order : int
        Order of the spline: 3 is cubic, 1 linear.

    Returns
    -------
    Volume
        0 outside the volume's field of view; nowhere brighter or darker than the volume's extremes.
    """
    # Index on the reference's grid → world → index on the volume's.
    matrix = np.linalg.inv(volume.affine) @ reference.affine

    def read_frame(t):
        data = volume.frame(t)
        moved = ndimage.affine_transform(data, matrix[:3, :3], matrix[:3, 3], output_shape=reference.shape[:3], order=order, mode="nearest")
        moved[outside(matrix, reference.shape[:3], data.shape)] = 0
        # A spline swings beyond an edge on both sides of it.
        return np.clip(moved, min(0.0, data.min()), max(0.0, data.max())).astype(np.float32)

    return Volume(read_frame, reference.shape[:3], reference.affine, reference.header, volume.name)


def coarse_copy(volume, factor):
    """Return a scan as a scanner with larger voxels would have measured it: its k-space truncated, on the coarser grid.

    Parameters
    ----------
    volume : Volume
        3D.
    factor : float
        How much larger voxels are, up to whole numbers of them.

    Returns
    -------
    Volume
        Over the same field of view.
    """
    shape = tuple(max(1, round(side / factor)) for side in volume.shape[:3])
    affine = finer_affine(volume.affine, [few / many for few, many in zip(shape, volume.shape)])
    return Volume(lambda t: resampled(volume.frame(0), shape), shape, affine, name=f"{volume.name}, {factor:g} times coarser")


def outside(matrix, shape, sides):
    """Find the voxels of one grid whose centres lie beyond the outer faces of another grid.

    Parameters
    ----------
    matrix : ndarray of float64, shape (4, 4)
        Voxel indices of the first grid to those of the other.
    shape, sides : tuple of int, (x, y, z)
        Of the first grid, and of the other.

    Returns
    -------
    ndarray of bool, shape `shape`
    """
    axes = np.ogrid[tuple(slice(side) for side in shape)]
    beyond = np.zeros(shape, bool)
    for row, side in zip(matrix[:3], sides):
        index = row[3] + sum(weight * axis for weight, axis in zip(row, axes))
        beyond |= (index < -0.5) | (index > side - 0.5)
    return beyond
