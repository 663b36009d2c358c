"""Where patches and tiles lie: foreground corners for training, a grid that splits and merges for prediction."""

import dataclasses
import itertools

import numpy as np

from keras_mri.errors import InputError


def foreground(volume):
    """Tell tissue from air: brighter than a tenth of the 98th percentile.

    Parameters
    ----------
    volume : ndarray of float32, shape (x, y, z)

    Returns
    -------
    ndarray of bool, same shape
    """
    return volume > 0.1 * np.percentile(volume, 98)


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
            f"--patch-shape must lie inside the volume. Received: patch {tuple(patch_shape)}, volume {tuple(shape[:3])}. "
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


@dataclasses.dataclass(frozen=True)
class PatchGrid:
    """Windows of one shape that cover a volume, and how their results become a volume again.

    Each window starts at a multiple of `step`, except the last of an axis, which is moved inwards to end with the volume.
    `merge` is the inverse of `split`: what a window holds closer than `halo` to a side where the volume goes on is left
    to its neighbour (halo 5, window 16, side 30: windows at 0, 6, 12, 14 keep voxels 0–10, 11–16, 17–22, 19–29).
    """

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
