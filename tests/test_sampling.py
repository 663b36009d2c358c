import numpy as np
import pytest
import tensorflow as tf

from keras_mri.samplers import sampler
from keras_mri.sampling import compiled, guided
from keras_mri.schedules import schedule, target

PLAN = schedule("cosine", 200)
SIGNAL, NOISE = (tf.constant(rates, tf.float32) for rates in (PLAN.signal_rates, PLAN.noise_rates))


def says(prediction, mean, deviation):
    """The best denoiser of N(mean, deviation²), as a network that says `prediction`."""

    def denoise(x, time, told):
        signal, noise = tf.gather(SIGNAL, time)[:, None], tf.gather(NOISE, time)[:, None]
        clean = mean + (x - signal * mean) * signal * deviation**2 / (signal**2 * deviation**2 + noise**2)
        return target(prediction, clean, (x - signal * clean) / noise, signal, noise)

    return denoise


@pytest.mark.parametrize("prediction", ["noise", "velocity"])
@pytest.mark.parametrize(("name", "count"), [("ddpm", 200), ("ddim", 60), ("dpm-solver", 20)])
def test_the_compiled_loop_recovers_a_gaussian(name, count, prediction, rng):
    start = rng.normal(size=(20000, 1)).astype(np.float32)
    samples = compiled(says(prediction, 2.0, 0.5), sampler(name, PLAN, count), prediction)(start, seed=1)
    assert samples.shape == start.shape
    np.testing.assert_allclose([samples.mean(), samples.std()], [2.0, 0.5], atol=0.03)


def test_the_denoiser_is_traced_once_whatever_the_number_of_steps_and_of_samples(rng):
    calls = []

    def denoise(x, time, told):
        calls.append(1)
        return says("noise", 0.0, 1.0)(x, time, told) + 0 * told["shift"]

    sample = compiled(denoise, sampler("ddim", PLAN, 50), "noise")
    for shift in range(3):
        sample(rng.normal(size=(3, 1)), {"shift": np.full((3, 1), shift, np.float32)}, seed=shift)
    assert len(calls) <= 2


def test_one_seed_one_sample_two_seeds_two(rng):
    start = rng.normal(size=(5, 1))
    sample = compiled(says("noise", 0.0, 1.0), sampler("ddpm", PLAN, 20), "noise")
    first, again, other = (sample(start, seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).min() > 1e-4


def conditional(x, time, told):
    return x * told["gain"]


def test_guidance_one_is_the_conditional_network_zero_the_unconditional(rng):
    x, time = tf.constant(rng.normal(size=(4, 2)), tf.float32), tf.zeros(4, tf.int32)
    wanted, nothing = ({"gain": np.full((4, 1), gain, np.float32)} for gain in (3.0, 1.0))
    for guidance, gain in ((1, 3), (1.0, 3), (0.0, 1), (2.0, 5), (1.000001, 3)):
        said = guided(conditional, guidance)(x, time, (wanted, nothing))
        np.testing.assert_allclose(said, gain * x, rtol=1e-4)
