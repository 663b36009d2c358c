"""The loop of a sampler, compiled as one graph on any backend of Keras, and guidance towards a label."""

import keras
import numpy as np
from keras import ops

from keras_mri.systems.ldm.schedules import clean_and_noise

# Of fresh noise that is drawn ahead; at least one step's.
_MOST_NOISE_BYTES = 32e6


def compiled(denoise, steps, prediction, network=None):
    """Compile a sampler's loop around a denoiser, once for all that has the same shapes.

    Parameters
    ----------
    denoise : callable
        `denoise(x, time, told)`: what the network says of x, from tensors of float32, shape (batch, …), and of int32, shape (batch,),
        and from whatever else it is told.
    steps : keras_mri.systems.ldm.samplers.Steps
    prediction : {"noise", "velocity"}
        What the network says.
    network : keras.Model, optional
        Whose weights `denoise` uses. Without it JAX takes them for constants of the graph.

    Returns
    -------
    callable
        `sample(start, told=(), seed=0)`: from noise of unit variance, ndarray of float32, shape (batch, …), a nest of arrays, and the
        seed of what a sampler draws on its way (DDIM and DPM-Solver draw nothing), to samples, an ndarray like `start`.
    """
    walk = _Walk(denoise, steps, prediction, network)

    def sample(start, told=(), seed=0):
        x = np.asarray(start, np.float32)
        if not walk.noisy:
            return walk.predict_on_batch({"x": x, "told": told})[0]
        count, before = len(steps.times), np.zeros_like(x)
        ahead = min(count, max(1, int(_MOST_NOISE_BYTES // x.nbytes)))
        noise = np.zeros((ahead, *x.shape), np.float32)
        for first in range(0, count, ahead):
            last = min(first + ahead, count)
            for k in range(first, last):
                noise[k - first] = fresh_noise(seed, k, x.shape)
            span = {"first": np.int32(first), "last": np.int32(last)}
            x, before = walk.predict_on_batch({"x": x, "told": told, "before": before, "noise": noise, **span})
        return x

    return sample


def fresh_noise(seed, step, shape):
    """Return the noise of a step, which depends on nothing else: not on the backend, nor on the steps before.

    Parameters
    ----------
    seed, step : int
    shape : tuple of int

    Returns
    -------
    ndarray of float32
    """
    # A key of its own, because the start is drawn from the seed alone.
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(step,))).standard_normal(shape, np.float32)


class _Walk(keras.Model):
    """Some steps of a sampler: a model, because what Keras compiles on every backend is a model's prediction."""

    def __init__(self, denoise, steps, prediction, network):
        super().__init__(name="walk", dtype="float32")
        self.denoise, self.prediction, self.network = denoise, prediction, network
        columns = (steps.signal_rates, steps.noise_rates, steps.keep, steps.clean, steps.previous, steps.fresh)
        self.table, self.times = np.stack(columns, axis=1).astype(np.float32), steps.times.astype(np.int32)
        self.noisy = bool(steps.fresh.any())
        self.built = True
        if keras.backend.backend() == "tensorflow":
            # Its own graph is as fast as the network allows; XLA would first compile it, on GPUs by default, for every shape.
            self.jit_compile = False

    def call(self, given):
        """Walk from step `first` up to `last`, by default all the way: the sample, and the clean one that the last step saw in it."""
        start, told, noise = given["x"], given["told"], given.get("noise")
        before = given.get("before", ops.zeros_like(start))
        first, last = given.get("first", 0), given.get("last", len(self.times))

        def step(k, x, before):
            signal_rate, noise_rate, keep, now, back, fresh = ops.unstack(ops.take(self.table, k, axis=0), num=6)
            time = ops.broadcast_to(ops.take(self.times, k, axis=0), ops.shape(x)[:1])
            clean, _ = clean_and_noise(self.prediction, self.denoise(x, time, told), x, signal_rate, noise_rate)
            after = keep * x + now * clean + back * before
            if noise is not None:
                after = after + fresh * ops.take(noise, k - first, axis=0)
            return k + 1, after, clean

        loop = (ops.cast(first, "int32"), start, before)
        return ops.while_loop(lambda k, x, before: k < last, step, loop)[1:]


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
        both = {name: ops.concatenate([nothing[name], wanted[name]], axis=0) for name in wanted}
        doubled = (ops.concatenate([part, part], axis=0) for part in (x, time))
        without, with_condition = ops.split(denoise(*doubled, both), 2)
        return without + guidance * (with_condition - without)

    return exaggerated
