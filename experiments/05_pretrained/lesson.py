"""What happens to a patch on its way into the network that learns, as Keras layers: it runs where the network runs, on any backend."""

import keras
import numpy as np
from keras import layers, ops

FOREGROUND = 10 / 255
# What lies in the air counts, but less: nobody looks there.
_WEIGHT_OF_AIR = 0.2


class Places(keras.utils.PyDataset):
    """Batches of where patches begin, and how they are turned: int32, shape (batch, 10); centres lie in the foreground."""

    def __init__(self, scans, side, batch_size, steps, seed):
        super().__init__()
        self.side, self.batch_size, self.steps, self.rng = side, batch_size, steps, np.random.default_rng(seed)
        self.shares = np.cumsum([scan.share for scan in scans])
        self.offsets = np.concatenate([[0], np.cumsum([scan.data.size for scan in scans])[:-1]])
        self.shapes = np.array([scan.data.shape for scan in scans])
        self.strides = np.stack([self.shapes[:, 1] * self.shapes[:, 2], self.shapes[:, 2], np.ones(len(scans), int)], axis=1)
        self.centres = [np.flatnonzero(scan.data > FOREGROUND) for scan in scans]

    def __len__(self):
        return self.steps

    def __getitem__(self, index):
        numbers = np.searchsorted(self.shares, self.rng.random(self.batch_size) * self.shares[-1])
        places = np.stack([self._place(number) for number in numbers]).astype(np.int32)
        return places, np.zeros(self.batch_size, np.float32)

    def _place(self, number):
        """Return a scan's offset, then for each axis of the patch, in an order of its own: first index, number of voxels, stride."""
        centre = self.rng.choice(self.centres[number])
        start = np.array(np.unravel_index(centre, self.shapes[number])) - self.side // 2
        axes = self.rng.permutation(3)
        return [self.offsets[number], *np.stack([start, self.shapes[number], self.strides[number]], axis=1)[axes].ravel()]


class Patches(layers.Layer):
    """Look patches up in the scans; beyond a scan's border they are its mirror image. Half of them are flipped, axis by axis."""

    def __init__(self, scans, side, seed):
        super().__init__(trainable=False, dtype="float32")
        self.side, self.seeds = side, keras.random.SeedGenerator(seed)
        voxels = np.concatenate([scan.data.ravel() for scan in scans]).astype(np.float32)
        self.voxels = self.add_weight(shape=voxels.shape, trainable=False, initializer="zeros", dtype="float32")
        self.voxels.assign(voxels)

    def call(self, places):
        """Return the patches: float32, shape (batch, side, side, side, 1)."""
        offset, axes = places[:, 0], ops.reshape(places[:, 1:], (-1, 3, 3))
        steps = ops.arange(self.side, dtype="int32")
        flips = keras.random.randint((ops.shape(places)[0], 3, 1), 0, 2, seed=self.seeds)
        steps = ops.where(ops.equal(flips, 1), self.side - 1 - steps, steps)
        start, count, stride = axes[..., 0:1], axes[..., 1:2], axes[..., 2:3]
        period = 2 * count - 2
        index = (start + steps) % period
        index = ops.minimum(index, period - index) * stride
        index = index[:, 0, :, None, None] + index[:, 1, None, :, None] + index[:, 2, None, None, :]
        return ops.take(self.voxels, index + offset[:, None, None, None])[..., None]


class Contrast(layers.Layer):
    """Give each patch another contrast: a brightness, a power, and for half of them a smooth curve over the intensities; 0 stays 0."""

    def __init__(self, seed):
        super().__init__(trainable=False, dtype="float32")
        self.seeds = keras.random.SeedGenerator(seed)

    def call(self, patches):
        """Return patches of the same shape."""
        count = ops.shape(patches)[0]
        patches = ops.power(ops.maximum(patches, 1e-6), ops.exp(self._random(count, -0.4, 0.4)))
        curved = self._random(count, 0, 1) < 0.5
        inside = np.pi * ops.minimum(patches, 1.0)
        curve = self._random(count, -0.2, 0.2) * ops.sin(inside) + self._random(count, -0.08, 0.08) * ops.sin(2 * inside)
        patches = ops.where(curved, ops.maximum(patches + curve, 0.0), patches)
        return patches * ops.exp(self._random(count, -0.3, 0.2))

    def _random(self, count, low, high):
        return keras.random.uniform((count, 1, 1, 1, 1), low, high, seed=self.seeds)


class Noise(layers.Layer):
    """Add Gaussian noise, whose SD differs from patch to patch; weak noise is as frequent as its root says.

    In a share of the patches a part is exactly 0 and without noise, as in scans whose air, face or skull was removed: half of these
    parts are what is dark, half lie beyond a plane. A network that never saw this takes such a scan to be free of noise.
    """

    def __init__(self, highest, silent, seed):
        super().__init__(trainable=False, dtype="float32")
        self.highest, self.silent, self.seeds = highest, silent, keras.random.SeedGenerator(seed)

    def call(self, patches):
        """Return noisy patches of the same shape, what they should become, and a map of the SD."""
        shape = ops.shape(patches)
        sigma = self.highest * ops.square(self._random(shape[0]))
        keep = ops.logical_or(self._random(shape[0]) >= self.silent, self._measured(patches))
        patches = ops.where(keep, patches, 0.0)
        noise = ops.where(keep, sigma * keras.random.normal(shape, seed=self.seeds), 0.0)
        return patches + noise, patches, ops.broadcast_to(sigma, shape)

    def _measured(self, patches):
        """Tell what is not cut off."""
        count, side = ops.shape(patches)[0], patches.shape[1]
        bright = patches > 0.2 * ops.square(self._random(count))
        normal = keras.random.normal((count, 1, 1, 1, 3), seed=self.seeds)
        line = (ops.arange(side, dtype="float32") - (side - 1) / 2) / side
        height = line[:, None, None] * normal[..., 0] + line[:, None] * normal[..., 1] + line * normal[..., 2]
        near = height[..., None] < self._random(count) - 0.5
        return ops.where(self._random(count) < 0.5, bright, near)

    def _random(self, count):
        return keras.random.uniform((count, 1, 1, 1, 1), seed=self.seeds)


class WeightedError(layers.Layer):
    """Subtract the truth from what was restored; in the air it counts less."""

    def call(self, restored_and_truth):
        """Return the error, float32, of the same shape."""
        restored, truth = restored_and_truth
        return (restored - truth) * ops.sqrt(ops.where(truth > FOREGROUND, 1.0, _WEIGHT_OF_AIR))


def lesson(network, scans, side, highest_noise, seed, contrast=True, silent=0.4, told_sigma=False):
    """Build the model that trains a network: from places to errors.

    Parameters
    ----------
    network : keras.Model
        From (batch, x, y, z, 1) to the same; from 2 channels if it is told the noise.
    scans : sequence of Scan
    side : int
        Of a patch, voxels.
    highest_noise : float
        SD, in network units.
    seed : int
    contrast : bool
        Change the contrast of patches.
    silent : float
        Share of the patches of which a part is 0 and without noise.
    told_sigma : bool
        Let the network see a map of the noise's SD as a second channel.

    Returns
    -------
    keras.Model
        From int32 (batch, 10) to float32 (batch, side, side, side, 1).
    """
    places = keras.Input((10,), dtype="int32")
    clean = Patches(scans, side, seed)(places)
    clean = Contrast(seed + 1)(clean) if contrast else clean
    noisy, clean, sigma = Noise(highest_noise, silent, seed + 2)(clean)
    restored = network(ops.concatenate([noisy, sigma], axis=-1) if told_sigma else noisy)
    return keras.Model(places, WeightedError(dtype="float32")([restored, clean]))


def root_mean_square(_, errors):
    """Return the mean over patches of the root of the mean square: a goal that no noise level dominates."""
    return ops.mean(ops.sqrt(ops.mean(ops.square(errors), axis=(1, 2, 3, 4)) + 1e-10))


def mean_absolute(_, errors):
    """Return the mean absolute error."""
    return ops.mean(ops.abs(errors))
