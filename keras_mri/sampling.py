"""The loop of a sampler, compiled as one graph, and guidance towards a label."""

import numpy as np
import tensorflow as tf

from keras_mri.schedules import clean_and_noise


def compiled(denoise, steps, prediction):
    """Compile a sampler's loop around a denoiser, once for all that has the same shapes.

    Parameters
    ----------
    denoise : callable
        `denoise(x, time, told)`: what the network says of x, from tensors of float32, shape (batch, …), and of int32, shape (batch,),
        and from whatever else it is told.
    steps : keras_mri.samplers.Steps
    prediction : {"noise", "velocity"}
        What the network says.

    Returns
    -------
    callable
        `sample(start, told=(), seed=0)`: from noise of unit variance, ndarray of float32, shape (batch, …), a nest of arrays, and the
        seed of what a sampler draws on its way (DDIM and DPM-Solver draw nothing), to samples, an ndarray like `start`.
    """
    columns = (steps.signal_rates, steps.noise_rates, steps.keep, steps.clean, steps.previous, steps.fresh)
    table = np.stack(columns, axis=1).astype(np.float32)
    times = steps.times.astype(np.int32)
    noisy = bool(steps.fresh.any())

    @tf.function
    def walk(x, told, seed):

        def step(k, x, before):
            signal_rate, noise_rate, keep, now, back, fresh = tf.unstack(tf.constant(table)[k])
            said = denoise(x, tf.fill(tf.shape(x)[:1], tf.constant(times)[k]), told)
            clean, _ = clean_and_noise(prediction, said, x, signal_rate, noise_rate)
            after = keep * x + now * clean + back * before
            if noisy:
                after += fresh * tf.random.stateless_normal(tf.shape(x), tf.stack([seed, k]))
            return k + 1, tf.ensure_shape(after, x.shape), tf.ensure_shape(clean, x.shape)

        loop = (tf.constant(0), x, tf.zeros_like(x))
        return tf.while_loop(lambda k, *_: k < len(times), step, loop, parallel_iterations=1)[1]

    def sample(start, told=(), seed=0):
        return walk(tf.constant(start, tf.float32), tf.nest.map_structure(tf.constant, told), tf.constant(seed, tf.int32)).numpy()

    return sample


def guided(denoise, guidance):
    """Make a denoiser that exaggerates what a condition changes.

    Parameters
    ----------
    denoise : callable
        `denoise(x, time, told)`, the latter a dict of tensors with one entry for each member of the batch.
    guidance : float
        1 is the conditional network itself, 0 the unconditional one.

    Returns
    -------
    callable
        `denoise(x, time, (wanted, nothing))`, for `compiled`: what it is told, and nothing in particular, as such dicts. With guidance
        1 it asks the network once, otherwise once with both in one batch.

    References
    ----------
    Ho & Salimans, 2022. arXiv:2207.12598
    """
    if guidance == 1:
        return lambda x, time, told: denoise(x, time, told[0])

    def exaggerated(x, time, told):
        wanted, nothing = told
        both = {name: tf.concat([nothing[name], wanted[name]], 0) for name in wanted}
        without, with_condition = tf.split(denoise(tf.concat([x, x], 0), tf.concat([time, time], 0), both), 2)
        return without + guidance * (with_condition - without)

    return exaggerated
