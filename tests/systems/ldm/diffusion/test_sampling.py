import numpy as np
import pytest
from keras import ops

from keras_mri.systems.ldm.diffusion import sampling
from keras_mri.systems.ldm.diffusion.samplers import sampler
from keras_mri.systems.ldm.diffusion.sampling import compiled, fresh_noise, guided
from keras_mri.systems.ldm.diffusion.schedules import schedule, target

PLAN = schedule("cosine", 200)
SIGNAL, NOISE = (rates.astype(np.float32) for rates in (PLAN.signal_rates, PLAN.noise_rates))


def says(prediction, mean, deviation):
    """The best denoiser of N(mean, deviation²), as a network that says `prediction`."""

    def denoise(x, time, inputs):
        signal, noise = ops.take(SIGNAL, time)[:, None], ops.take(NOISE, time)[:, None]
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

    def denoise(x, time, inputs):
        calls.append(1)
        return says("noise", 0.0, 1.0)(x, time, inputs) + 0 * inputs["shift"]

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


def test_noise_is_drawn_in_parts_that_do_not_show(rng, monkeypatch):
    start, steps = rng.normal(size=(6, 2)).astype(np.float32), sampler("ddpm", PLAN, 20)
    whole = compiled(says("velocity", 1.0, 0.7), steps, "velocity")(start, seed=5)
    # Seven steps at a time, so that the last part is not full; then one.
    for most in (7 * start.nbytes, 1):
        monkeypatch.setattr(sampling, "_MOST_NOISE_BYTES", most)
        np.testing.assert_allclose(compiled(says("velocity", 1.0, 0.7), steps, "velocity")(start, seed=5), whole, rtol=1e-6, atol=1e-6)


def test_the_loop_takes_the_steps_of_the_table_with_the_noise_of_each(rng):
    """Against the module's equation, step by step in NumPy, in double precision."""
    steps = sampler("ddpm", PLAN, 20)
    x = start = rng.normal(size=(6, 2)).astype(np.float32)
    for k in range(20):
        signal, noise = steps.signal_rates[k], steps.noise_rates[k]
        clean = 1 + (x - signal) * signal * 0.49 / (signal**2 * 0.49 + noise**2)
        x = steps.keep[k] * x + steps.clean[k] * clean + steps.fresh[k] * fresh_noise(5, k, start.shape)
    np.testing.assert_allclose(compiled(says("noise", 1.0, 0.7), steps, "noise")(start, seed=5), x, atol=1e-4)


def test_fresh_noise_is_that_of_its_seed_and_step_and_not_the_start(rng):
    noises = [fresh_noise(seed, step, (50, 40)) for seed in (0, 1) for step in (0, 1)]
    noises.append(np.random.default_rng(0).standard_normal((50, 40), np.float32))
    # 2000 numbers: independent ones correlate by 0.02.
    np.testing.assert_allclose(np.corrcoef([noise.ravel() for noise in noises]), np.eye(5), atol=0.1)
    np.testing.assert_array_equal(noises[0], fresh_noise(0, 0, (50, 40)))
    np.testing.assert_array_equal(noises[0][:20], fresh_noise(0, 0, (20, 40)))


def conditional(x, time, inputs):
    return x * inputs["gain"]


def test_guidance_one_is_the_conditional_network_zero_the_unconditional(rng):
    x, time = rng.normal(size=(4, 2)).astype(np.float32), np.zeros(4, np.int32)
    wanted, nothing = ({"gain": np.full((4, 1), gain, np.float32)} for gain in (3.0, 1.0))
    for guidance, gain in ((1, 3), (1.0, 3), (0.0, 1), (2.0, 5), (1.000001, 3)):
        said = guided(conditional, guidance)(x, time, (wanted, nothing))
        np.testing.assert_allclose(said, gain * x, rtol=1e-4)
