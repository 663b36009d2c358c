"""Batches that a blind denoiser learns from: patches of noise-free images, another contrast, and noise as scanners write it.

Everything is drawn by NumPy, so it feeds Keras on any backend. Each batch has a generator of its own: (seed, number of the batch).
"""

import dataclasses

import keras
import numpy as np
from keras import ops

from keras_mri.imaging.acquisition.scanner_noise import Scanner, add_scanner_noise, draw_scanner

FOREGROUND = 10 / 255
# What lies in the air counts, but less.
_WEIGHT_OF_AIR = 0.2
# Patches of a scan with measured noise that get it instead of a drawn one, by how much it is multiplied, and patches of other
# scans that get it.
_MEASURED, _TIMES, _BORROWED = 0.7, (0.5, 4.0), 0.35
# Patches whose image goes through the filter of the noise too, as in a scan; in the others only the noise is coloured.
_FILTERED = 0.4
# Patches whose noise is white: `predict` whitens noise of zero-filled scans before the network sees it. Of a magnitude it never is:
# `predict` takes the bias away afterwards.
WHITE = 0.7
# Noise of this SD, and weaker, counts by its own size.
_EVEN = 0.02


class Draws(keras.utils.PyDataset):
    """Batches that are drawn from a pool of images, each a function of the seed and its number; who inherits gives `example`.

    Parameters
    ----------
    pool : sequence
        Images with `data`, ndarray of shape (x, y, z) in network units, and `share` of the patches.
    batch_size, steps, seed : int
    """

    def __init__(self, pool, batch_size, steps, seed):
        super().__init__(workers=1, max_queue_size=8)
        self.pool, self.batch_size, self.steps, self.seed, self.drawn = pool, batch_size, steps, seed, 0
        self.shares = np.cumsum([image.share for image in pool])
        self.centres = [np.flatnonzero(image.data > FOREGROUND).astype(np.int32) for image in pool]

    def __len__(self):
        return self.steps

    def on_epoch_end(self):
        """Let the next epoch be other batches."""
        self.drawn += self.steps

    def examples(self, index):
        """Return the parts of the examples of a batch, each stacked: list of ndarray, (batch, …)."""
        rng = np.random.default_rng([self.seed, self.drawn + index])
        return [np.stack(part) for part in zip(*(self.example(rng) for _ in range(self.batch_size)))]

    def number(self, rng):
        """Draw the number of an image of the pool."""
        return int(np.searchsorted(self.shares, rng.random() * self.shares[-1]))

    def centre(self, number, rng):
        """Draw a voxel of an image's foreground: ndarray of int, (3,)."""
        return np.array(np.unravel_index(rng.choice(self.centres[number]), self.pool[number].data.shape))


class Patches(Draws):
    """Batches of (noisy, clean, weight): float32, shape (batch, side, side, side, 1) twice, (batch,); centres lie in the foreground.

    The weight makes an error count in relation to the noise: at 1 % noise, as scanners have it, as much as at 20 %.

    Parameters
    ----------
    pool : sequence of `scans.Clean`
    side, batch_size, steps, seed : int
    highest : float
        SD of the strongest noise, network units.
    silent : float
        Share of the patches of which a part is exactly 0 and without noise.
    white : float
        Share of the patches with drawn noise whose noise is white.
    told_sigma : bool
        The noisy patch has the map of its noise as a second channel.
    """

    def __init__(self, pool, side, batch_size, steps, seed, highest=0.32, silent=0.2, white=WHITE, told_sigma=False):
        super().__init__(pool, batch_size, steps, seed)
        self.side, self.highest, self.silent, self.white, self.told_sigma = side, highest, silent, white, told_sigma
        self.with_noise = [number for number, clean in enumerate(pool) if len(clean.noise)]

    def __getitem__(self, index):
        seen, truth, sigma = self.examples(index)
        return seen, truth, (_EVEN / (sigma + _EVEN)).astype(np.float32)

    def example(self, rng):
        """Draw what the network sees, what it should become, both with a channel, and the SD of the noise."""
        number = self.number(rng)
        start = self._place(number, rng)
        patch, measured = cut(self.pool[number].data, start, self.side), self._measured_noise(number, start, rng)
        axes, flips = rng.permutation(3), tuple(slice(None, None, step) for step in rng.choice((1, -1), 3))
        patch = other_contrast(patch.transpose(axes)[flips], rng)
        if measured is None:
            noisy, patch, sd = self._drawn_noise(patch, rng)
        else:
            noise = measured.transpose(axes)[flips]
            noisy, sd = patch + noise, np.full_like(patch, noise.std())
        keep = kept(patch, rng) if rng.random() < self.silent else True
        noisy, patch = np.where(keep, noisy, 0).astype(np.float32), np.where(keep, patch, 0).astype(np.float32)
        return np.stack([noisy, sd] if self.told_sigma else [noisy], axis=-1), patch[..., None], sd.mean()

    def _drawn_noise(self, patch, rng):
        scanner, sigma = dataclasses.replace(draw_scanner(rng), magnitude=False, coils=1), self.highest * rng.random() ** 2
        if rng.random() < self.white:
            scanner = Scanner(strongest=scanner.strongest)
        if rng.random() < _FILTERED:
            for axis, weights in enumerate(scanner.filters(patch.shape)):
                # Partial Fourier alone is left out: one side of k-space mends the other in the image.
                if weights is not None and scanner.fourier[axis] == 1:
                    form = [-1 if a == axis else 1 for a in range(3)]
                    patch = np.fft.ifft(np.fft.fft(patch, axis=axis) * weights.reshape(form), axis=axis).real
            patch = np.maximum(patch, 0).astype(np.float32)
        noisy, sd = add_scanner_noise(patch, sigma, scanner, rng)
        return noisy, patch, sd

    def _place(self, number, rng):
        """Return where a patch begins whose centre lies in the foreground."""
        return self.centre(number, rng) - self.side // 2

    def _measured_noise(self, number, start, rng):
        """Return noise of a run: of the patch itself where it is of one, or of another place and scan; or None."""
        frames = self.pool[number].noise
        if frames and rng.random() < _MEASURED:
            return cut(frames[rng.integers(len(frames))], start, self.side) * np.float32(rng.uniform(*_TIMES))
        if frames or not self.with_noise or rng.random() >= _BORROWED:
            return None
        other = self.with_noise[rng.integers(len(self.with_noise))]
        frames = self.pool[other].noise
        noise = cut(frames[rng.integers(len(frames))], self._place(other, rng), self.side)
        # Of the strength that drawn noise would have had.
        return noise * np.float32(self.highest * rng.random() ** 2 / max(noise.std(), 1e-6))


def cut(data, start, side):
    """Return a cube, or a block of three sides, that begins at `start`; beyond the border the image is its mirror image; float32."""
    index = []
    for first, count, length in zip(start, data.shape, np.broadcast_to(side, 3)):
        place = np.abs(np.arange(first, first + length)) % max(2 * count - 2, 1)
        index.append(np.minimum(place, 2 * count - 2 - place) if count > 1 else np.zeros(length, int))
    return np.asarray(data[np.ix_(*index)], np.float32)


def other_contrast(patch, rng):
    """Give a patch another contrast: a power, for half of them a smooth curve over the intensities, a brightness; 0 stays 0."""
    patch = np.maximum(patch, 0) ** np.float32(np.exp(rng.uniform(-0.3, 0.3)))
    if rng.random() < 0.5:
        inside = np.pi * np.minimum(patch, 1)
        patch = np.maximum(patch + rng.uniform(-0.2, 0.2) * np.sin(inside) + rng.uniform(-0.08, 0.08) * np.sin(2 * inside), 0)
    return (patch * np.exp(rng.uniform(-0.4, 0.2))).astype(np.float32)


def kept(patch, rng):
    """Tell what is not cut off: what is bright, as in a masked scan, or one side of a plane, as in a defaced one."""
    if rng.random() < 0.5:
        return patch > 0.2 * rng.random() ** 2
    x, y, z = ((np.arange(side) - side / 2) / side for side in patch.shape)
    a, b, c = rng.standard_normal(3)
    return a * x[:, None, None] + b * y[:, None] + c * z < rng.random() - 0.5


def root_mean_square(truth, restored):
    """Return the root of the mean square of each patch, of which the air counts less; float32, shape (batch,)."""
    weight = ops.where(truth > FOREGROUND, 1.0, _WEIGHT_OF_AIR)
    return ops.sqrt(ops.mean(weight * ops.square(restored - truth), axis=(1, 2, 3, 4)) + 1e-10)
