"""What known voxels beside a hole add to a guess: neighbours share noise and local fluctuations."""

import functools

import numpy as np
from scipy import ndimage

# Voxels: SDs of averages of known neighbours, and how far into a hole they count.
_WIDTHS, REACH = (0.8, 2.0), 3
# Share of known neighbours' weights that a full average has; below, it is drawn to 0.
_FEW = 0.02


class Neighbours:
    """Learns, in trials, how much of what known neighbours deviate from a guess a hole does too, by the distance from them."""

    def __init__(self):
        self._products = np.zeros((REACH, len(_WIDTHS), len(_WIDTHS)))
        self._wanted = np.zeros((REACH, len(_WIDTHS)))

    def try_out(self, deviation, hole, counted):
        """Learn from a frame that is known in the hole too.

        Parameters
        ----------
        deviation : ndarray of float32, shape (x, y, z)
            Frame less guess.
        hole, counted : ndarray of bool, shape (x, y, z)
            What counts as missing, and those of its voxels that count.
        """
        seen, distance, wanted = _averages(deviation, ~hole), _distances(hole), deviation[hole]
        for away in range(REACH):
            chosen = counted[hole] & (distance == away + 1)
            features = seen[:, chosen].astype(np.float64)
            self._products[away] += features @ features.T
            self._wanted[away] += features @ wanted[chosen]

    def added(self, deviation, hole):
        """Return what to add to the guess in a hole: ndarray of float32, shape (voxels,).

        Parameters
        ----------
        deviation : ndarray of float32, shape (x, y, z)
            Frame less guess; what it holds in the hole does not matter.
        hole : ndarray of bool, shape (x, y, z)
        """
        seen, distance = _averages(deviation, ~hole), _distances(hole)
        total = np.zeros(seen.shape[1], np.float32)
        for away in range(REACH):
            chosen = distance == away + 1
            total[chosen] = self._weights(away) @ seen[:, chosen]
        return total

    def _weights(self, away):
        products = self._products[away]
        size = np.trace(products)
        return np.linalg.solve(products + 1e-3 * size * np.eye(len(_WIDTHS)), self._wanted[away]) if size > 0 else np.zeros(len(_WIDTHS))


@functools.lru_cache(maxsize=4)
def _distances_of(hole, shape):
    hole = np.frombuffer(hole, bool).reshape(shape)
    return ndimage.distance_transform_edt(hole)[hole].round().astype(int)


def _distances(hole):
    """Return how far voxels of a hole are from known ones, whole voxels: ndarray of int, shape (voxels,)."""
    return _distances_of(hole.tobytes(), hole.shape)


def _averages(deviation, known):
    """Return averages of known voxels around those that are not: ndarray of float32, shape (widths, voxels)."""
    weight, values = known.astype(np.float32), np.where(known, deviation, np.float32(0))
    smooth = [[ndimage.gaussian_filter(data, width, mode="constant", truncate=3)[~known] for data in (values, weight)] for width in _WIDTHS]
    return np.stack([total / (count + np.float32(_FEW)) for total, count in smooth])
