"""How a network responds to a test activation in the run at hand: the share of amplitude kept, and what spreads to its surroundings."""

import numpy as np
from scipy import ndimage

# The test: spheres with this radius (voxels), this amplitude (share of the local mean), blocks of frames on and off; how many spheres.
_RADIUS, _AMPLITUDE, _BLOCK, _SPHERES = 2, 0.02, 12, 30
# Maps that hold most of its time course.
_MAPS = 12


class TestActivation:
    """Spheres that follow blocks, as they appear in the maps of a run.

    Parameters
    ----------
    mean : ndarray of float32, shape (x, y, z)
        Temporal mean in units of the noise.
    tissue : ndarray of bool, shape (x, y, z)
    basis : ndarray of float32, shape (t, components)
    """

    def __init__(self, mean, tissue, basis):
        body, self._shell = _spheres(tissue)
        self._profile = (_AMPLITUDE * mean * body).astype(np.float32)
        self._body = body
        course = (np.arange(len(basis)) // _BLOCK % 2).astype(np.float32)
        self._weights = basis.T @ (course - course.mean())
        order = np.argsort(-np.abs(self._weights))
        self.maps = tuple(int(k) for k in order[:_MAPS] if self._weights[k])

    def response(self, denoised, known):
        """Measure the response of a network.

        Parameters
        ----------
        denoised : callable
            From a map, ndarray of float32, shape (x, y, z), to the denoised map.
        known : dict of int to pair of ndarray
            For each of `maps`: the map, and the denoised map.

        Returns
        -------
        dict of str to float or None
            `keep_measured`, and `spread`: the mean amplitude in a shell of one voxel around the spheres, relative to inside.
        """
        if not self._profile.any() or not known:
            return {"keep_measured": None, "spread": None}
        change = np.zeros_like(self._profile)
        for k, (before, after) in known.items():
            weight = self._weights[k]
            change += weight * (denoised(before + weight * self._profile) - after)
        change /= sum(self._weights[k] ** 2 for k in known)
        inside = float(self._profile[self._body].mean())
        kept = float((change * self._profile).sum() / (self._profile**2).sum())
        spread = round(float(change[self._shell].mean()) / inside, 3) if self._shell.any() else None
        return {"keep_measured": round(kept, 3), "spread": spread}


def _spheres(tissue):
    """Return spheres at places spread over the tissue, and the shells of one voxel around them: ndarray of bool."""
    body = np.zeros_like(tissue)
    points = np.argwhere(tissue)
    if len(points):
        body[tuple(points[np.linspace(0, len(points) - 1, min(_SPHERES, len(points)) + 2).round().astype(int)[1:-1]].T)] = True
    offsets = np.indices((2 * _RADIUS + 1,) * 3) - _RADIUS
    body = ndimage.binary_dilation(body, (offsets**2).sum(axis=0) <= _RADIUS**2 + 0.5) & tissue
    return body, ndimage.binary_dilation(body) & ~body & tissue
