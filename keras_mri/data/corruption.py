"""Batches of (input, target) from patches: added noise, or repetitions with noise of their own.

Every draw is a pure function of the seed and of a running number, as in `keras_mri.data.pipelines`.
"""

import dataclasses

import numpy as np
import tensorflow as tf

from keras_mri.data.pipelines import draw_seed

# Streams of random numbers beside those of keras_mri.data.pipelines.
_LEVEL, _NOISE, _IMAGINARY = 3, 4, 5


@dataclasses.dataclass(frozen=True, kw_only=True)
class Corruption:
    """Noise of random strength that makes the input of a training example from its target.

    Parameters
    ----------
    model : {"gaussian", "rician"}
    low, high : float
        The range of the standard deviation, in network units.
    skew : float
        The place in that range is a uniform number to this power: above 1, weak noise is drawn more often than strong.
    evenly : bool
        Spread the noise levels of a batch evenly instead of drawing them: less scatter in validation.
    """

    model: str
    low: float
    high: float
    skew: float = 1.0
    evenly: bool = False


def noisy_pairs(patches, batch_size, corruption, seed, frames, target_weights):
    """Make batches of (noisy frames, target frame).

    Parameters
    ----------
    patches : tf.data.Dataset of float32, shape (x, y, z, window)
    batch_size : int
    corruption : Corruption
    seed : int
    frames : int
        The first `frames` of the window, corrupted, are the input.
    target_weights : sequence of float
        The target is this sum over the frames of the window, free of added noise: one of them, or a filter in time.

    Returns
    -------
    tf.data.Dataset of (float32, shape (batch, x, y, z, frames)), (float32, shape (batch, x, y, z, 1))
    """

    weights = tf.constant(target_weights, tf.float32)[:, None]

    def corrupt(number, window):
        clean, target = window[..., :frames], tf.linalg.matmul(window, weights)
        shape = [batch_size, 1, 1, 1, 1]
        if corruption.evenly:
            share = tf.reshape((tf.range(batch_size, dtype=tf.float32) + 0.5) / batch_size, shape)
        else:
            share = tf.random.stateless_uniform(shape, draw_seed([seed, 0], number, _LEVEL)) ** corruption.skew
        sigma = corruption.low + (corruption.high - corruption.low) * share
        noisy = clean + sigma * tf.random.stateless_normal(tf.shape(clean), draw_seed([seed, 0], number, _NOISE))
        if corruption.model == "rician":
            noisy = tf.sqrt(noisy**2 + (sigma * tf.random.stateless_normal(tf.shape(clean), draw_seed([seed, 0], number, _IMAGINARY))) ** 2)
        return noisy, target

    batches = patches.batch(batch_size, drop_remainder=True).enumerate()
    return batches.map(corrupt, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def repetition_pairs(patches, batch_size, channels, input_weights, target_weights):
    """Make batches of (input, target, mask) from patches that hold every repetition of a place.

    Each pair is a weighted sum of the patch's members: repetition 1 against the average of 2 and 3, say. All pairs take turns.

    Parameters
    ----------
    patches : tf.data.Dataset of float32, shape (x, y, z, members · channels + 1)
        The members one after the other, each of `channels` channels; the mask as the last channel.
    batch_size : int
    channels : int
    input_weights, target_weights : array_like of float, shape (pairs, members)

    Returns
    -------
    tf.data.Dataset of (float32, shape (batch, x, y, z, channels)) twice, then (float32, shape (batch, x, y, z))
    """
    weights = tf.constant(np.stack([input_weights, target_weights], axis=-1), tf.float32)

    def pair(number, patch):
        members = tf.reshape(patch[..., :-1], [*patch.shape[:3], weights.shape[1], channels])
        both = tf.tensordot(members, weights[number % weights.shape[0]], [[3], [0]])
        return both[..., 0], both[..., 1], patch[..., -1]

    pairs = patches.enumerate().map(pair, num_parallel_calls=tf.data.AUTOTUNE)
    return pairs.batch(batch_size, drop_remainder=True).prefetch(tf.data.AUTOTUNE)
