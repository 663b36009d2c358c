"""A rigid motion between two scans on one grid: its parameters, its matrix, and what it does to a volume."""

import dataclasses
import itertools

import numpy as np
from scipy import ndimage
from scipy.spatial.transform import Rotation

from keras_mri.errors import InputError
from keras_mri.io.grids import bounding_box


@dataclasses.dataclass(frozen=True)
class RigidTransform:
    """A rotation about a point, then a shift: where a point of the fixed scan lies in the moving scan.

    Parameters
    ----------
    translation : tuple of float, shape (3,)
        mm along the RAS+ axes.
    rotation : tuple of float, shape (3,)
        Degrees about the x, then the y, then the z axis of the world, each right-handed.
    centre : tuple of float, shape (3,)
        The world point in mm about which the scan turns.
    """

    translation: tuple[float, float, float] = (0.0, 0.0, 0.0)
    rotation: tuple[float, float, float] = (0.0, 0.0, 0.0)
    centre: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @classmethod
    def from_matrix(cls, matrix, centre):
        """Read the six parameters from a rigid (4, 4) matrix whose rotation is about `centre`."""
        angles = Rotation.from_matrix(matrix[:3, :3]).as_euler("xyz", degrees=True)
        shift = matrix[:3, :3] @ centre + matrix[:3, 3] - centre
        return cls(*(tuple(float(value) for value in values) for values in (shift, angles, centre)))

    def matrix(self):
        """World points of the fixed scan to world points of the moving scan: ndarray of float64, shape (4, 4)."""
        matrix = np.eye(4)
        matrix[:3, :3] = Rotation.from_euler("xyz", self.rotation, degrees=True).as_matrix()
        matrix[:3, 3] = self.centre + np.asarray(self.translation) - matrix[:3, :3] @ self.centre
        return matrix

    def displacement(self, mask, affine):
        """Return how far the transform moves the corners of the mask's bounding box at most: float, mm.

        The length of a displacement is convex in the point, so that no voxel of the mask moves further.

        Parameters
        ----------
        mask : ndarray of bool, shape (x, y, z)
        affine : ndarray of float64, shape (4, 4)

        Raises
        ------
        InputError
            If the mask is empty.
        """
        check_mask(mask)
        return longest_move(self.matrix(), box_corners(mask, affine))

    def angle(self):
        """Return the angle of the rotation: float, degrees."""
        return float(np.degrees(Rotation.from_euler("xyz", self.rotation, degrees=True).magnitude()))

    def describe(self):
        """Put shift and rotation into words."""
        # Adding 0.0 turns -0.0 into 0.0.
        shift = " ".join(f"{round(value, 2) + 0.0:.2f}" for value in self.translation)
        rotation = " ".join(f"{round(value, 1) + 0.0:.1f}" for value in self.rotation)
        return f"shift {shift} mm, rotation {rotation} degrees"


def resample_rigid(moving, transform, affine, order=3):
    """Bring the moving scan onto the fixed scan's grid by spline interpolation; edges are extended by their nearest voxel.

    Parameters
    ----------
    moving : ndarray of float32, shape (x, y, z)
    transform : RigidTransform
        From the fixed to the moving scan, as `estimate_rigid` returns it.
    affine : ndarray of float64, shape (4, 4)
        Affine of both scans.
    order : int
        Order of the spline, 0 (nearest voxel) to 5.

    Returns
    -------
    ndarray of float32, shape (x, y, z)
    """
    to_moving = np.linalg.solve(affine, transform.matrix() @ affine)
    return ndimage.affine_transform(moving, to_moving, order=order, mode="nearest", output=np.float32)


def in_view(transform, shape, affine):
    """Tell which voxels of the fixed grid the moving scan holds.

    Parameters
    ----------
    transform : RigidTransform
    shape : tuple of int, (x, y, z)
    affine : ndarray of float64, shape (4, 4)
        Of both scans.

    Returns
    -------
    ndarray of bool, shape `shape`
    """
    matrix = np.linalg.inv(affine) @ transform.matrix() @ affine
    grid = np.ogrid[tuple(slice(side) for side in shape)]
    seen = np.ones(shape, bool)
    for row, side in zip(matrix[:3], shape):
        place = row[0] * grid[0] + row[1] * grid[1] + row[2] * grid[2] + row[3]
        seen &= (place > -0.5) & (place < side - 0.5)
    return seen


def box_corners(mask, affine):
    """Return the world points of the eight outermost voxels of the bounding box: ndarray of float64, shape (8, 4)."""
    corners = itertools.product(*((part.start, part.stop - 1) for part in bounding_box(mask)))
    return np.array([(*corner, 1) for corner in corners]) @ affine.T


def longest_move(matrix, points):
    """Return how far a (4, 4) matrix moves any of the points, shape (n, 4), at most: float, their unit."""
    return float(np.linalg.norm(points @ matrix.T - points, axis=1).max())


def check_mask(mask):
    """Raise InputError if a mask is empty."""
    if not mask.any():
        raise InputError(f"the mask must hold at least one voxel. Received: no voxel of {mask.shape}. Lower its threshold.")
