"""A grid of tiles: it splits a volume for prediction and merges the results."""

import dataclasses
import itertools

import numpy as np

from keras_mri.errors import InputError


@dataclasses.dataclass(frozen=True)
class PatchGrid:
    """Tiles of one shape that cover a volume, and the assembly of their results.

    `merge` is the inverse of `split`. Tiles start at multiples of a step; the last tile of an axis is moved inwards, so that it
    ends with the volume.

    Parameters
    ----------
    shape : tuple of int, (x, y, z)
        Shape of the volume, voxels.
    window : tuple of int, (x, y, z)
        Shape of a tile, voxels.
    halo : tuple of int, (x, y, z)
        `merge` leaves a tile's outermost voxels to its neighbour, this many on each side where the volume continues.
    stride : int
        All tiles but the last of an axis start at multiples of this.

    Raises
    ------
    InputError
        If a tile is larger than the volume, or consists of halo alone.
    """

    # One axis of 14 voxels, window 8, halo 2, so the step is 8 - 2 · 2 = 4. "." is halo, a digit is kept:
    #
    #     voxel           0 1 2 3 4 5 6 7 8 9 0 1 2 3
    #     tile 0, at 0    0 0 0 0 0 0 . .
    #     tile 1, at 4            . . 1 1 1 1 . .
    #     tile 2, at 6                . . 2 2 2 2 2 2   the last: at 8 it would stick out
    #     merged          0 0 0 0 0 0 1 1 2 2 2 2 2 2   where two tiles keep a voxel, the later one counts

    shape: tuple[int, int, int]
    window: tuple[int, int, int]
    halo: tuple[int, int, int] = (0, 0, 0)
    stride: int = 1

    def __post_init__(self):
        for side, window, halo in zip(self.shape, self.window, self.halo):
            if window > side or (window < side and window - 2 * halo < self.stride):
                raise InputError(
                    f"tiles must lie inside the volume and be larger than twice the network's reach of {self.halo} voxels. "
                    f"Received: tile {self.window}, volume {self.shape}."
                )

    def starts(self):
        """List the windows' corners: tuples (x, y, z)."""
        return list(itertools.product(*(self._axis_starts(axis) for axis in range(3))))

    def split(self, volume):
        """Yield (corner, window) for an array of shape (x, y, z, …)."""
        for corner in self.starts():
            yield corner, volume[tuple(slice(start, start + size) for start, size in zip(corner, self.window))]

    def merge(self, windows):
        """Assemble a volume from (corner, window) pairs, by each window's part that no cut side has touched.

        Parameters
        ----------
        windows : iterable of (tuple of int, ndarray of float32, shape (x, y, z, …))

        Returns
        -------
        ndarray of float32, shape (*shape, …)
        """
        volume = None
        for corner, window in windows:
            volume = np.empty((*self.shape, *window.shape[3:]), np.float32) if volume is None else volume
            inner = [self._inner(axis, start) for axis, start in enumerate(corner)]
            outer = tuple(slice(start + low, start + high) for start, (low, high) in zip(corner, inner))
            volume[outer] = window[tuple(slice(low, high) for low, high in inner)]
        return volume

    def blend(self, windows):
        """Assemble a volume from (corner, window) pairs, weighted by a triangle that falls towards each window's edge.

        For networks whose reach has no bound. Weights are positive everywhere, so their sum divides out exactly.

        Parameters
        ----------
        windows : iterable of (tuple of int, ndarray of float32, shape (x, y, z, …))

        Returns
        -------
        ndarray of float32, shape (*shape, …)
        """
        triangles = [np.minimum(np.arange(size) + 1.0, size - np.arange(size)) for size in self.window]
        weight = triangles[0][:, None, None] * triangles[1][:, None] * triangles[2]
        total, weights = None, np.zeros(self.shape)
        for corner, window in windows:
            total = np.zeros((*self.shape, *window.shape[3:])) if total is None else total
            place = tuple(slice(start, start + size) for start, size in zip(corner, self.window))
            total[place] += _with_axes(weight, window.ndim) * window
            weights[place] += weight
        return (total / _with_axes(weights, total.ndim)).astype(np.float32)

    def _axis_starts(self, axis):
        side, window, halo = self.shape[axis], self.window[axis], self.halo[axis]
        if window == side:
            return [0]
        # A pooling network sees the grid in blocks of `stride`: windows must start on a block.
        step = max(self.stride, (window - 2 * halo) // self.stride * self.stride)
        return [*range(0, side - window, step), side - window]

    def _inner(self, axis, start):
        side, window, halo = self.shape[axis], self.window[axis], self.halo[axis]
        return (halo if start else 0), (window if start + window == side else window - halo)


def _with_axes(array, ndim):
    """Append axes of length one."""
    return array.reshape(array.shape + (1,) * (ndim - array.ndim))
