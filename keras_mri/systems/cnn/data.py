"""From slices to the batches of a 2D network."""

import logging

import numpy as np
import tensorflow as tf

from keras_mri.data.corruption import Corruption, noisy_pairs
from keras_mri.data.pipelines import Batches, PatchSource, listed_patches, with_random_flips
from keras_mri.systems.cnn.slices import split_slices, with_noise

_LOGGER = logging.getLogger(__name__)
# Held-out slices by which epochs are compared: enough, and no more than take a second.
_MOST_HELD_OUT = 256


def slice_data(slices, config):
    """Make the batches that train and validate a network of slices.

    Parameters
    ----------
    slices : keras_mri.systems.cnn.slices.Slices
    config : keras_mri.systems.cnn.settings.Config

    Returns
    -------
    data : keras_mri.data.pipelines.Batches
        Elements (noisy, clean): float32, shape (batch, x, y, 1) twice.
    held_out : ndarray of int
        Rows of the slices that validate.

    Raises
    ------
    InputError
        If there are too few slices to hold some out.
    """
    rows, held_out = split_slices(slices, config.split, config.seed)
    if len(held_out) > _MOST_HELD_OUT:
        held_out = held_out[np.linspace(0, len(held_out) - 1, _MOST_HELD_OUT).round().astype(int)]
    fresh = config.fresh_noise and slices.noisy is None
    _LOGGER.info("%d slices train, %d are held out; the noise is %s", len(rows), len(held_out), "new in every batch" if fresh else "fixed")
    training = _fresh_pairs(slices.clean[rows], config) if fresh else _fixed_pairs(slices, rows, config)
    noisy = with_noise(slices, held_out, config.noise, config.seed, config.clip)
    validation = tf.data.Dataset.from_tensor_slices((noisy[..., None], slices.clean[held_out][..., None]))
    steps = config.steps_per_epoch or max(1, len(rows) // config.batch_size)
    return Batches(training, validation.batch(config.batch_size), steps), held_out


def _fresh_pairs(clean, config):
    """Draw the noise in the graph, anew for every batch."""
    corruption = Corruption(model=config.noise, low=config.noise_range[0], high=config.noise_range[1], skew=config.noise_skew)
    patches = _shuffled(clean[..., None], config)
    pairs = noisy_pairs(patches, config.batch_size, corruption, config.seed, frames=1, target_weights=[1.0])

    def as_slices(noisy, target):
        # A slice travels as a patch of one plane, (1, x, y, window).
        noisy, target = tf.squeeze(noisy, 1), tf.squeeze(target, 1)
        return (tf.clip_by_value(noisy, 0.0, 1.0) if config.clip else noisy), target

    return pairs.map(as_slices).prefetch(tf.data.AUTOTUNE)


def _fixed_pairs(slices, rows, config):
    """Pair every slice with the one draw of its noise."""
    both = np.stack([with_noise(slices, rows, config.noise, config.seed, config.clip), slices.clean[rows]], axis=-1)
    batches = _shuffled(both, config).batch(config.batch_size, drop_remainder=True)
    return batches.map(lambda patch: (patch[:, 0, ..., :1], patch[:, 0, ..., 1:])).prefetch(tf.data.AUTOTUNE)


def _shuffled(stack, config):
    """Go through a stack of slices, shape (slices, x, y, window), without end, in a new order at every pass, mirrored if wanted."""
    corners = np.zeros((len(stack), 4), np.int32)
    corners[:, 0] = np.arange(len(stack))
    patches = listed_patches([PatchSource(stack, corners)], (1, *stack.shape[1:3]), stack.shape[3], config.seed)
    return with_random_flips(patches, config.seed, axes=(1, 2)) if config.flips else patches
