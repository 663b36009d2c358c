"""The loop of a sampler, compiled as one graph, and guidance towards a label."""

import tensorflow as tf

from keras_mri.schedules import clean_and_noise


def sampled(denoise, start, steps, prediction, seed=0):
    """Turn noise into samples.

    Parameters
    ----------
    denoise : callable
        `denoise(x, time)`: what the network says of x, from tensors of float32, shape (batch, …), and of int32, shape (batch,).
    start : ndarray of float32, shape (batch, …)
        Noise of unit variance.
    steps : keras_mri.samplers.Steps
    prediction : {"noise", "velocity"}
        What the network says.
    seed : int
        Of what a sampler draws on its way; DDIM and DPM-Solver draw nothing.

    Returns
    -------
    ndarray of float32, shape of `start`
    """
    columns = (steps.signal_rates, steps.noise_rates, steps.keep, steps.clean, steps.previous, steps.fresh)
    table = tf.constant(list(zip(*columns)), tf.float32)
    times = tf.constant(steps.times, tf.int32)
    noisy = bool(steps.fresh.any())

    @tf.function
    def walk(x):

        def step(k, x, before):
            signal_rate, noise_rate, keep, now, back, fresh = tf.unstack(table[k])
            said = denoise(x, tf.fill(tf.shape(x)[:1], times[k]))
            clean, _ = clean_and_noise(prediction, said, x, signal_rate, noise_rate)
            after = keep * x + now * clean + back * before
            if noisy:
                after += fresh * tf.random.stateless_normal(tf.shape(x), tf.stack([tf.constant(seed, tf.int32), k]))
            return k + 1, tf.ensure_shape(after, x.shape), tf.ensure_shape(clean, x.shape)

        loop = (tf.constant(0), x, tf.zeros_like(x))
        return tf.while_loop(lambda k, *_: k < len(steps.times), step, loop, parallel_iterations=1)[1]

    return walk(tf.constant(start, tf.float32)).numpy()


def guided(denoise, conditional, unconditional, guidance):
    """Make a denoiser that exaggerates what a condition changes.

    Parameters
    ----------
    denoise : callable
        `denoise(x, time, condition)`, the condition a dict of tensors with one entry for each member of the batch.
    conditional, unconditional : dict of str to ndarray
        What is wanted, and nothing in particular.
    guidance : float
        1 is the conditional network itself, 0 the unconditional one.

    Returns
    -------
    callable
        `denoise(x, time)`, for `sampled`. At 1 it asks the network once, otherwise once with both in one batch.

    References
    ----------
    Ho & Salimans, 2022. arXiv:2207.12598
    """
    if guidance == 1:
        return lambda x, time: denoise(x, time, conditional)
    both = {name: tf.concat([unconditional[name], value], 0) for name, value in conditional.items()}

    def exaggerated(x, time):
        without, with_condition = tf.split(denoise(tf.concat([x, x], 0), tf.concat([time, time], 0), both), 2)
        return without + guidance * (with_condition - without)

    return exaggerated
