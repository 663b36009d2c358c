"""Arrays turned so that their axes run to the right, to the front and to the top, without interpolation, and back."""

import numpy as np

from keras_mri.io.grids import anatomical_axes, zooms


class Orientation:
    """How the voxel axes of an image lie in the head.

    Parameters
    ----------
    affine : ndarray of float64, shape (4, 4)
        Voxel indices to RAS+ millimetres.

    Attributes
    ----------
    zooms : tuple of float
        Sides of the voxels along the turned axes, mm.
    """

    def __init__(self, affine):
        self.axes, self.backwards = anatomical_axes(affine)
        self.zooms = tuple(zooms(affine)[axis] for axis in self.axes)

    def turned(self, data):
        """Return an image with axes to the right, to the front and to the top.

        Parameters
        ----------
        data : ndarray, shape (x, y, z, …)

        Returns
        -------
        ndarray
            A view, nearest to RAS.
        """
        return np.flip(self._permuted(data, self.axes), [axis for axis in range(3) if self.backwards[axis]])

    def turned_back(self, data):
        """Return what `turned` has turned as it was: ndarray, a view."""
        flipped = np.flip(data, [axis for axis in range(3) if self.backwards[axis]])
        return self._permuted(flipped, np.argsort(self.axes))

    def turned_affine(self, affine, shape):
        """Return the affine of a turned image.

        Parameters
        ----------
        affine : ndarray of float64, shape (4, 4)
            Of the image before.
        shape : sequence of int, (x, y, z)
            Of the image before.

        Returns
        -------
        ndarray of float64, shape (4, 4)
        """
        step = np.zeros((4, 4))
        step[3, 3] = 1
        for new, (old, backwards) in enumerate(zip(self.axes, self.backwards)):
            step[old, new] = -1 if backwards else 1
            step[old, 3] = shape[old] - 1 if backwards else 0
        return affine @ step

    @staticmethod
    def _permuted(data, axes):
        return np.transpose(data, (*(int(axis) for axis in axes), *range(3, data.ndim)))
