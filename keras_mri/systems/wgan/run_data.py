"""From recorrupted copies of runs to batches: patches of a few components each, drawn in the TensorFlow graph."""

import numpy as np
import tensorflow as tf

from keras_mri.data.patches import foreground_corners
from keras_mri.data.pipelines import Batches, draw_seed
from keras_mri.data.splits import slab_cut

# Components of one patch: half of the draws are even, half by the power of the activations.
COMPONENTS = 4
_EVEN = 0.5
_VALIDATION_GROUPS = 16
# Uses of a seed: the copy, the place, the components, the reflections, the signs.
_COPY, _WHERE, _WHICH, _FLIP, _SIGN = 9, 10, 11, 12, 13


def run_batches(copies, patch_shape, batch_size, steps, seed):
    """Make the batches that train and validate the network of runs.

    Parameters
    ----------
    copies : sequence of Copy
    patch_shape : tuple of int
        Voxels.
    batch_size : int
        Patches of a batch; each has `COMPONENTS` maps.
    steps : int
        Batches of an epoch.
    seed : int

    Returns
    -------
    Batches
        Elements (channels, channels without activations, targets, labels, weights) of shapes (batch, components, x, y, z, 5) twice,
        (batch, components, x, y, z), and (batch, x, y, z) twice; float32, labels int32. Patches that validate and patches that train
        share no slice.
    """
    streams, held_out = [], []
    for number, copy in enumerate(copies):
        axis, cut = slab_cut(copy.tissue)
        before = np.arange(copy.tissue.shape[axis]).reshape([-1 if k == axis else 1 for k in range(3)]) < cut
        cut_patch = _patches_of(copy, patch_shape)
        corners = _corners(copy.tissue & before, patch_shape, (axis, 0, cut))
        streams.append(_stream(cut_patch, corners, [seed, number]))
        corners = _corners(copy.tissue & ~before, patch_shape, (axis, cut, copy.tissue.shape[axis]))
        held_out.append(_stream(cut_patch, corners, [seed + 1, number]))
    training = _mixed(streams, seed).batch(batch_size, drop_remainder=True).prefetch(2)
    count = -(-max(_VALIDATION_GROUPS, len(copies)) // batch_size) * batch_size
    validation = _mixed(held_out, seed + 1).take(count).batch(batch_size, drop_remainder=True)
    return Batches(training, validation.cache(), steps)


def _mixed(streams, seed):
    if len(streams) == 1:
        return streams[0]

    def choose(number):
        return tf.random.stateless_uniform([], draw_seed([seed, 0], number, _COPY), maxval=len(streams), dtype=tf.int64)

    return tf.data.Dataset.choose_from_datasets(streams, _numbers().map(choose), stop_on_empty_dataset=True)


def _corners(tissue, patch_shape, slab):
    """Return the corners of patches on tissue within a slab: (axis, first slice, end)."""
    corners = foreground_corners(tissue, patch_shape)
    axis, first, end = slab
    # Where a slab is thinner than a patch, the patch reaches beyond it.
    last = min(max(first, end - patch_shape[axis]), tissue.shape[axis] - patch_shape[axis])
    corners[:, axis] = np.clip(corners[:, axis], min(first, last), last)
    return corners


def _stream(cut_patch, corners, seed):
    """Draw patches of one copy at some of the corners, without end."""
    corners = tf.constant(corners)

    def draw(number):
        at = tf.random.stateless_uniform([], draw_seed(seed, number, _WHERE), maxval=tf.shape(corners)[0], dtype=tf.int32)
        flips = tf.where(tf.random.stateless_uniform([3], draw_seed(seed, number, _FLIP)) < 0.5)[:, 0]
        signs = tf.sign(tf.random.stateless_uniform([COMPONENTS], draw_seed(seed, number, _SIGN)) - 0.5)
        return cut_patch(corners[at], tf.random.stateless_uniform([COMPONENTS], draw_seed(seed, number, _WHICH)), flips, signs)

    return _numbers().map(draw, num_parallel_calls=tf.data.AUTOTUNE)


def _patches_of(copy, patch_shape):
    """Return the function that cuts a patch of a copy, which is in the graph's memory once.

    It takes the corner, a number between 0 and 1 for each component, the axes that are mirrored, and the components' signs.
    """
    shares = _EVEN / len(copy.power) + (1 - _EVEN) * copy.power
    edges = tf.constant(np.cumsum(shares / shares.sum())[:-1], tf.float32)
    with tf.device("CPU"):
        maps, scores = [tf.constant(array) for array in copy[:3]], [tf.constant(array) for array in (copy.scores, copy.scores_without)]
        volumes = [copy.contrast, copy.active, copy.active_without, copy.tissue.astype(np.float32), copy.labels]
        volumes = [tf.constant(array) for array in volumes]

    def cut_patch(corner, draws, flips, signs):
        components = tf.searchsorted(edges, draws, side="right")

        def of_components(array):
            more = array.shape[4:]
            size, rest = [1, *patch_shape, *more], [0] * len(more)
            cut = tf.concat([tf.slice(array, [components[k], *tf.unstack(corner), *rest], size) for k in range(COMPONENTS)], 0)
            cut = cut * tf.reshape(signs, [COMPONENTS, 1, 1, 1, *[1] * len(more)])
            return tf.reshape(tf.reverse(cut, flips + 1), [COMPONENTS, *patch_shape, *more])

        def of_all(volume):
            return tf.reshape(tf.reverse(tf.slice(volume, corner, patch_shape), flips), patch_shape)

        values, bare, targets = (of_components(array) for array in maps)
        guides, bare_guides = (of_components(array) for array in scores)
        contrast, active, bare_active, weights, labels = (of_all(volume) for volume in volumes)
        channels, bare_channels = _channels(values, guides, contrast, active), _channels(bare, bare_guides, contrast, bare_active)
        return channels, bare_channels, targets, labels, weights

    return cut_patch


def _channels(values, guides, contrast, active):
    both = tf.stack([contrast, active], axis=-1)[None]
    return tf.concat([values[..., None], guides, tf.repeat(both, COMPONENTS, axis=0)], axis=-1)


def _numbers():
    return tf.data.Dataset.range(np.iinfo(np.int64).max)
