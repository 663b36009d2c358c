"""What no frame knows, filled from the slices beside it, by a mixture of ways that proves itself on holes like it."""

import numpy as np
from scipy import ndimage

from keras_mri.imaging.run_repair.relaxation import filled_in_space
from keras_mri.imaging.run_repair.stacking import shares

# Voxels: SDs of averages within a slice; far from known slices, detail is noise.
_WIDTHS = (1.0, 2.0)
# Trials on the mean of the run, and distances from known voxels that have shares of their own.
_TRIALS, _CLASSES = 8, 4
# Slices on either side of a hole that a trial leaves it, as far as the hole has them and there is room.
_CLEAR = 2


class SpaceGuess:
    """Fills voxels that no frame knows.

    Parameters
    ----------
    image : ndarray of float32, shape (x, y, z)
        The mean of the run, on which ways are tried.
    never : ndarray of bool, shape (x, y, z)
        What no frame knows; not everywhere True.
    tissue : ndarray of bool, shape (x, y, z)
        Voxels that count.
    """

    def __init__(self, image, never, tissue):
        self._never, self._axis = never, _thinnest(never)
        self._distance = _classes(never)
        self._shares = self._tried(image, tissue)

    def filled(self, frame):
        """Return a frame whose voxels that no frame knows are filled.

        Parameters
        ----------
        frame : ndarray of float32, shape (x, y, z)

        Returns
        -------
        ndarray of float32, shape (x, y, z)
        """
        ways = _ways(frame, self._never, self._axis)
        filled = frame.copy()
        filled[self._never] = np.sum(self._shares[self._distance] * ways, axis=1)
        return filled

    def _tried(self, image, tissue):
        """Return the shares of ways in each class of distances: ndarray of float32, shape (classes, ways)."""
        products = wanted = 0.0
        for hole in moved_holes(self._never, self._axis):
            counted = tissue[hole]
            ways, truth = _ways(np.where(self._never, 0, image), hole | self._never, self._axis), image[hole]
            ways, distance = ways[hole[hole | self._never]][counted].astype(np.float64), _classes(hole)[counted]
            parts = [ways[distance == away] for away in range(_CLASSES)]
            products = products + np.stack([part.T @ part for part in parts])
            wanted = wanted + np.stack([part.T @ truth[counted][distance == away] for away, part in enumerate(parts)])
        return np.float32([shares(*sums) if np.ndim(products) and sums[0].any() else _relaxed() for sums in self._pairs(products, wanted)])

    @staticmethod
    def _pairs(products, wanted):
        return zip(products, wanted) if np.ndim(products) else [(products, wanted)] * _CLASSES


def moved_holes(never, axis=None):
    """Return a hole moved along an axis to where all is known.

    Parameters
    ----------
    never : ndarray of bool, shape (x, y, z)
        Not empty.
    axis : int, optional
        By default the one along which the hole is thinnest.

    Returns
    -------
    list of ndarray of bool, shape (x, y, z)
        Empty where the hole lies at an end of the axis, or leaves no room.
    """
    axis = _thinnest(never) if axis is None else axis
    lacking = np.moveaxis(never, axis, 0).any(axis=(1, 2))
    places, closed = np.flatnonzero(lacking), ndimage.binary_dilation(lacking)
    for clear in range(_CLEAR, 0, -1):
        low, high = min(clear, places[0]), min(clear, len(lacking) - 1 - places[-1])
        shifts = range(low - places[0], len(lacking) - high - places[-1]) if low and high else ()
        found = [shift for shift in shifts if not closed[places + shift].any()]
        if found:
            break
    found = [found[k] for k in np.unique(np.linspace(0, len(found) - 1, min(_TRIALS, len(found))).round().astype(int))] if found else []
    return [np.roll(never, shift, axis) for shift in found]


def _relaxed():
    return np.eye(3 + len(_WIDTHS))[0]


def _ways(frame, hole, axis):
    """Return what several ways put into a hole: ndarray of float32, shape (voxels, ways)."""
    linear, cubic = (_between(frame, hole, axis, order) for order in (1, 3))
    across = [0.0 if other == axis else 1.0 for other in range(3)]
    smooth = [ndimage.gaussian_filter(linear, [width * side for side in across], mode="nearest") for width in _WIDTHS]
    return np.stack([way[hole] for way in (filled_in_space(frame, hole), linear, cubic, *smooth)], axis=1)


def _between(frame, hole, axis, order):
    """Return a frame whose slices with holes are drawn between those beside: a line through two, or a cubic through four."""
    slices, lacking = np.moveaxis(frame, axis, 0), np.moveaxis(hole, axis, 0).any(axis=(1, 2))
    known, result = np.flatnonzero(~lacking), slices.copy()
    for place in np.flatnonzero(lacking) if len(known) else ():
        at = int(np.searchsorted(known, place))
        before, after = known[max(at - 1, 0) : at], known[at : at + 1]
        if order == 3 and 1 < at < len(known) - 1:
            # Their partners only if they lie just beside.
            before, after = known[at - 2 : at], known[at : at + 2]
        result[place] = np.tensordot(_lagrange(np.concatenate([before, after]), place), slices[np.concatenate([before, after])], 1)
    return np.moveaxis(result, 0, axis)


def _lagrange(points, place):
    others = [np.delete(points, k) for k in range(len(points))]
    return np.array([np.prod((place - rest) / (point - rest)) for point, rest in zip(points, others)], np.float32)


def _thinnest(hole):
    """Return the axis along which a hole has the fewest slices one after another."""
    depths = []
    for axis in range(3):
        profile = hole.any(axis=tuple(other for other in range(3) if other != axis))
        runs, count = ndimage.label(profile)
        depths.append(max(np.bincount(runs)[1:]) if not profile.all() else np.inf)
    # Slices are stacked along the last one, most often.
    return 2 - int(np.argmin(depths[::-1]))


def _classes(hole):
    """Return how far voxels of a hole are from known ones, 0 for the next: ndarray of int, shape (voxels,)."""
    return np.minimum(ndimage.distance_transform_edt(hole)[hole].round().astype(int), _CLASSES) - 1
