"""Batches that the network of thick slices learns from: a patch of fine slices, measured as thick ones with noise, interpolated again.

Everything is drawn by NumPy, so it feeds Keras on any backend. Each batch has a generator of its own: (seed, number of the batch).
"""

import importlib

import keras
import numpy as np
from keras import ops

from keras_mri.imaging.acquisition.scanner_noise import add_scanner_noise, draw_scanner
from keras_mri.imaging.acquisition.slice_profiles import distance_to_slices, interpolation_matrix, kept, profile_matrix

denoisers = importlib.import_module("experiments.05_pretrained.lesson")

# Distance of slices, fine voxels; short ones as often as long ones on a logarithmic scale.
SPACING = (1.3, 6.6)
# Thickness in distances of slices; so many scans have slices that just touch.
THICKNESS, _TOUCHING = (0.6, 1.1), 0.4
_PROFILES, _SHARES = ("box", "gaussian", "kspace"), (0.35, 0.4, 0.25)
# Distances that are encoded in k-space, as 3D acquisitions do it, are short: beyond these the profile is a Gaussian.
_LONGEST_ENCODED = 2.6
# SD of the noise of the thick slices, network units; how often there is any, and how often it is what a scanner makes of it, not white.
NOISE, _NOISY, _COLOURED = 0.02, 0.6, 0.3
# Patches of which a part is exactly 0, as in a masked or defaced scan.
_SILENT = 0.15
# Errors far below this, of patches of air, count no more.
_LEAST_ERROR = 0.004
# Fine voxels that are one unit of the distance that the network sees.
_DISTANCE = 4.0


class Patches(denoisers.Draws):
    """Batches of what the network sees, what keeps its result to the slices, and the truth; slices lie along z, a stack fills a patch.

    ((seen, projection, measured), truth): float32, shapes (batch, x, y, z, 2), (batch, z, z), (batch, x, y, z) and (batch, x, y, z, 1).
    A result is kept to what was measured as projection @ result + measured: see `keeping`.

    Parameters
    ----------
    pool : sequence of Fine
    shape : tuple of int, (x, y, z)
        Fine voxels of a patch.
    batch_size, steps, seed : int
    slices : dict
        How slices are measured, where not as those of scans: arguments of `drawn_matrix`.
    """

    def __init__(self, pool, shape, batch_size, steps, seed, **slices):
        super().__init__(pool, batch_size, steps, seed)
        self.shape, self.slices = tuple(shape), slices

    def __getitem__(self, index):
        *inputs, truth = self.examples(index)
        return tuple(inputs), truth

    def example(self, rng):
        """Draw what the network sees, what keeps its result, and what it should make of it."""
        truth = denoisers.other_contrast(self._piece(rng), rng)
        if rng.random() < _SILENT:
            truth = np.where(denoisers.kept(truth, rng), truth, 0).astype(np.float32)
        matrix = drawn_matrix(truth.shape[-1], rng, **self.slices)
        slices = with_noise(truth @ matrix.T.astype(np.float32), rng)
        return interpolated(slices, truth.shape[-1]), *keeping(slices, matrix), truth[..., None]

    def _piece(self, rng):
        """Cut a patch from the pool and turn it so that its slices lie along the last axis."""
        number = self.number(rng)
        image = self.pool[number]
        axis = image.axes[rng.integers(len(image.axes))]
        x, y = rng.permutation([other for other in range(3) if other != axis])
        shape = np.zeros(3, int)
        shape[[x, y, axis]] = self.shape
        piece = denoisers.cut(image.data, self.centre(number, rng) - shape // 2, shape).transpose(x, y, axis)
        return piece[tuple(slice(None, None, step) for step in rng.choice((1, -1), 3))]


def drawn_matrix(n_fine, rng, spacings=None, shares=None, longest_encoded=_LONGEST_ENCODED):
    """Draw how thick slices are measured: distance, thickness and profile; ndarray of float64, shape (slices, n_fine)."""
    slices = max(2, round(n_fine / np.exp(rng.uniform(*np.log(spacings or SPACING)))))
    spacing = n_fine / slices
    thickness = 1.0 if rng.random() < _TOUCHING else rng.uniform(*THICKNESS)
    profile = rng.choice(_PROFILES, p=shares or _SHARES)
    profile = "gaussian" if profile == "kspace" and spacing > longest_encoded else profile
    return profile_matrix(n_fine, slices, 1.0, spacing, thickness * spacing, profile)


def with_noise(slices, rng):
    """Add noise to slices and return the magnitude: ndarray of float32, same shape."""
    sigma = NOISE * rng.random() ** 1.5 if rng.random() < _NOISY else 0.0
    if rng.random() < _COLOURED:
        # Slices share no noise.
        slices = add_scanner_noise(np.abs(slices), sigma, draw_scanner(rng), rng)[0]
    else:
        slices = slices + sigma * rng.standard_normal(slices.shape, dtype=np.float32)
    return np.abs(slices).astype(np.float32)


def interpolated(slices, n_fine):
    """Return what the network sees: slices interpolated along the last axis, and the distance from them; float32, (x, y, n_fine, 2)."""
    seen = np.empty((*slices.shape[:-1], n_fine, 2), np.float32)
    seen[..., 0] = slices @ interpolation_matrix(n_fine, slices.shape[-1]).T.astype(np.float32)
    seen[..., 1] = distance_to_slices(n_fine, slices.shape[-1]) / _DISTANCE
    return seen


def keeping(slices, matrix):
    """Return `slice_profiles.kept` as a linear map: of a result, and of what was measured.

    Parameters
    ----------
    slices : ndarray of float32, shape (x, y, slices)
    matrix : ndarray of float64, shape (slices, n_fine)

    Returns
    -------
    projection : ndarray of float32, shape (n_fine, n_fine)
        Onto what the slices do not see.
    measured : ndarray of float32, shape (x, y, n_fine)
        The least image that would be measured so.
    """
    n_fine = matrix.shape[1]
    projection = kept(np.eye(n_fine, dtype=np.float32), np.zeros((n_fine, len(matrix)), np.float32), matrix).T
    return projection, kept(np.zeros((*slices.shape[:-1], n_fine), np.float32), slices, matrix)


def keeping_network(network):
    """Return a network whose result is kept to what was measured, for training: its inputs are those of `Patches`.

    Parameters
    ----------
    network : keras.Model
        From (batch, x, y, z, 2) to (batch, x, y, z, 1).

    Returns
    -------
    keras.Model
        It shares the weights.
    """
    seen, projection, measured = (keras.Input(shape) for shape in ((None,) * 3 + (2,), (None,) * 2, (None,) * 3))
    result = ops.einsum("bxyzc,bwz->bxywc", network(seen), projection)
    return keras.Model([seen, projection, measured], result + ops.expand_dims(measured, -1))


def logarithm(truth, restored):
    """Return half the logarithm of each patch's mean square error, of which the air counts less; float32, shape (batch,).

    A patch counts by the ratio by which its error falls, as decibels do, however large the error of its thick slices is.
    """
    error = denoisers.root_mean_square(truth, restored)
    return ops.log(error + _LEAST_ERROR)


LOSSES = {"rms": denoisers.root_mean_square, "log": logarithm}
