"""Batches that the network of thick slices learns from: a patch of fine slices, measured as thick ones with noise, interpolated again.

Everything is drawn by NumPy, so it feeds Keras on any backend. Each batch has a generator of its own: (seed, number of the batch).
"""

import importlib

import keras
import numpy as np
from keras import ops

from keras_mri.imaging.acquisition.scanner_noise import add_scanner_noise, draw_scanner
from keras_mri.imaging.acquisition.slice_profiles import distance_to_slices, interpolation_matrix, profile_matrix

denoisers = importlib.import_module("experiments.05_pretrained.lesson")

# Distance of slices, fine voxels; short ones as often as long ones on a logarithmic scale.
SPACING = (1.3, 6.6)
# Thickness in distances of slices; so many scans have slices that just touch.
THICKNESS, _TOUCHING = (0.6, 1.1), 0.4
_PROFILES, _SHARES = ("box", "gaussian", "kspace"), (0.35, 0.4, 0.25)
# SD of the noise of the thick slices, network units; how often it is what a scanner makes of it, not white.
NOISE, _COLOURED = 0.03, 0.3
# Patches of which a part is exactly 0, as in a masked or defaced scan.
_SILENT = 0.15
# Fine slices beyond the patch that are measured too: its ends are seldom those of the stack.
_BEYOND = 24
# Fine voxels that are one unit of the distance that the network sees.
_DISTANCE = 4.0


class Patches(keras.utils.PyDataset):
    """Batches of (seen, truth): float32, shapes (batch, x, y, z, 2) and (batch, x, y, z, 1); slices lie along z.

    Parameters
    ----------
    pool : sequence of Fine
    shape : tuple of int, (x, y, z)
        Fine voxels of a patch.
    batch_size, steps, seed : int
    """

    def __init__(self, pool, shape, batch_size, steps, seed):
        super().__init__(workers=1, max_queue_size=8)
        self.pool, self.shape, self.batch_size, self.steps, self.seed, self.drawn = pool, tuple(shape), batch_size, steps, seed, 0
        self.shares = np.cumsum([image.share for image in pool])
        self.centres = [np.flatnonzero(image.data > denoisers.FOREGROUND).astype(np.int32) for image in pool]

    def __len__(self):
        return self.steps

    def on_epoch_end(self):
        """Let the next epoch be other batches."""
        self.drawn += self.steps

    def __getitem__(self, index):
        rng = np.random.default_rng([self.seed, self.drawn + index])
        return tuple(np.stack(part) for part in zip(*(self.pair(rng) for _ in range(self.batch_size))))

    def pair(self, rng):
        """Draw what the network sees and what it should make of it: float32, shapes (x, y, z, 2) and (x, y, z, 1)."""
        whole = denoisers.other_contrast(self._piece(rng), rng)
        if rng.random() < _SILENT:
            whole = np.where(denoisers.kept(whole, rng), whole, 0).astype(np.float32)
        seen = interpolated(with_noise(whole @ drawn_matrix(whole.shape[-1], rng).T.astype(np.float32), rng), whole.shape[-1])
        first = rng.integers(whole.shape[-1] - self.shape[-1] + 1)
        part = slice(first, first + self.shape[-1])
        return seen[:, :, part], whole[:, :, part, None]

    def _piece(self, rng):
        """Cut a longer patch from the pool and turn it so that its slices lie along the last axis."""
        number = int(np.searchsorted(self.shares, rng.random() * self.shares[-1]))
        image = self.pool[number]
        axis = image.axes[rng.integers(len(image.axes))]
        x, y = rng.permutation([other for other in range(3) if other != axis])
        # Of any length, so that distances of slices are seldom whole.
        shape = np.zeros(3, int)
        shape[[x, y, axis]] = (*self.shape[:2], self.shape[2] + _BEYOND + rng.integers(-4, 5))
        centre = np.unravel_index(rng.choice(self.centres[number]), image.data.shape)
        piece = denoisers.cut(image.data, np.array(centre) - shape // 2, shape).transpose(x, y, axis)
        return piece[tuple(slice(None, None, step) for step in rng.choice((1, -1), 3))]


def drawn_matrix(n_fine, rng):
    """Draw how thick slices are measured: distance, thickness and profile; ndarray of float64, shape (slices, n_fine)."""
    slices = max(2, round(n_fine / np.exp(rng.uniform(*np.log(SPACING)))))
    spacing = n_fine / slices
    thickness = 1.0 if rng.random() < _TOUCHING else rng.uniform(*THICKNESS)
    return profile_matrix(n_fine, slices, 1.0, spacing, thickness * spacing, rng.choice(_PROFILES, p=_SHARES))


def with_noise(slices, rng):
    """Add noise to slices and return the magnitude: ndarray of float32, same shape."""
    sigma = NOISE * rng.random() ** 1.5
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


def mean_absolute(truth, restored):
    """Return the mean absolute error of each patch, of which the air counts less; float32, shape (batch,)."""
    weight = ops.where(truth > denoisers.FOREGROUND, 1.0, 0.2)
    return ops.mean(weight * ops.abs(restored - truth), axis=(1, 2, 3, 4))


LOSSES = {"rms": denoisers.root_mean_square, "l1": mean_absolute}
