"""The loop of a sampler, compiled as one graph on any backend of Keras, and classifier-free guidance."""

import keras
import numpy as np
from keras import ops

from keras_mri.systems.ldm.diffusion.schedules import clean_and_noise

# Fresh noise that is drawn ahead; at least one step's.
_MOST_NOISE_BYTES = 32e6


def compiled(denoise, steps, prediction, network=None):
    """Compile a sampler's loop around a denoiser, once for all that has the same shapes.

    Parameters
    ----------
    denoise : callable
        `denoise(x, time, inputs)` returns the network's prediction for x, a tensor of float32, shape (batch, …), at the times, a tensor
        of int32, shape (batch,), given its further inputs.
    steps : keras_mri.systems.ldm.diffusion.samplers.Steps
    prediction : {"noise", "velocity"}
        The network's prediction target.
    network : keras.Model, optional
        The network whose weights `denoise` uses. Without it JAX treats them as constants of the graph.

    Returns
    -------
    callable
        `sample(start, inputs=(), seed=0)` returns samples, an ndarray like `start`: noise of unit variance, float32, shape (batch, …).
        `inputs` is a nest of arrays, `seed` that of the fresh noise (DDIM and DPM-Solver draw none).
    """
    loop = SamplerLoop(denoise, steps, prediction, network)

    def sample(start, inputs=(), seed=0):
        x = np.asarray(start, np.float32)
        if not loop.noisy:
            return loop.predict_on_batch({"x": x, "inputs": inputs})[0]
        count, x0_before = len(steps.times), np.zeros_like(x)
        ahead = min(count, max(1, int(_MOST_NOISE_BYTES // x.nbytes)))
        noise = np.zeros((ahead, *x.shape), np.float32)
        for first in range(0, count, ahead):
            last = min(first + ahead, count)
            for k in range(first, last):
                noise[k - first] = fresh_noise(seed, k, x.shape)
            span = {"first": np.int32(first), "last": np.int32(last)}
            x, x0_before = loop.predict_on_batch({"x": x, "inputs": inputs, "x0_before": x0_before, "noise": noise, **span})
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


class SamplerLoop(keras.Model):
    """Some steps of a sampler, by the equation of `keras_mri.systems.ldm.diffusion.samplers`.

    It is a model, because a model's prediction is what Keras compiles on every backend.

    Parameters
    ----------
    denoise, steps, prediction, network : as for `compiled`
    """

    def __init__(self, denoise, steps, prediction, network):
        super().__init__(name="sampler_loop", dtype="float32")
        self.denoise, self.prediction, self.network = denoise, prediction, network
        columns = (steps.signal_rates, steps.noise_rates, steps.keep, steps.clean, steps.previous, steps.fresh)
        self.table, self.times = np.stack(columns, axis=1).astype(np.float32), steps.times.astype(np.int32)
        self.noisy = bool(steps.fresh.any())
        self.built = True
        if keras.backend.backend() == "tensorflow":
            # Its own graph is as fast as the network allows; XLA would first compile it, on GPUs by default, for every shape.
            self.jit_compile = False

    def call(self, given):
        """Take the steps from `first` up to `last`, by default all; return x and x̂₀ of the last step.

        Parameters
        ----------
        given : dict
            x and inputs as for `compiled`; optionally x0_before (x̂₀ of the step before), noise (one entry for each step), first, last.
        """
        start, inputs, noise = given["x"], given["inputs"], given.get("noise")
        x0_before = given.get("x0_before", ops.zeros_like(start))
        first, last = given.get("first", 0), given.get("last", len(self.times))

        def step(k, x, x0_before):
            signal_rate, noise_rate, keep, clean, previous, fresh = ops.unstack(ops.take(self.table, k, axis=0), num=6)
            time = ops.broadcast_to(ops.take(self.times, k, axis=0), ops.shape(x)[:1])
            x0, _ = clean_and_noise(self.prediction, self.denoise(x, time, inputs), x, signal_rate, noise_rate)
            x_next = keep * x + clean * x0 + previous * x0_before
            if noise is not None:
                x_next = x_next + fresh * ops.take(noise, k - first, axis=0)
            return k + 1, x_next, x0

        state = (ops.cast(first, "int32"), start, x0_before)
        return ops.while_loop(lambda k, x, x0_before: k < last, step, state)[1:]


def guided(denoise, guidance):
    """Apply classifier-free guidance to a denoiser: amplify the difference that a condition makes.

    Parameters
    ----------
    denoise : callable
        `denoise(x, time, inputs)`, the latter a dict of tensors with one entry for each member of the batch.
    guidance : float
        1 is the conditional network itself, 0 the unconditional one.

    Returns
    -------
    callable
        `denoise(x, time, (wanted, nothing))`, for `compiled`: the inputs with and without the condition, as such dicts. With guidance 1
        the network runs on the first alone, otherwise on both in one batch.

    References
    ----------
    Ho & Salimans, 2022. arXiv:2207.12598
    """
    if guidance == 1:
        return lambda x, time, inputs: denoise(x, time, inputs[0])

    def amplified(x, time, inputs):
        wanted, nothing = inputs
        both = {name: ops.concatenate([nothing[name], wanted[name]], axis=0) for name in wanted}
        doubled = (ops.concatenate([part, part], axis=0) for part in (x, time))
        without, with_condition = ops.split(denoise(*doubled, both), 2)
        return without + guidance * (with_condition - without)

    return amplified
