"""Against a Gaussian, whose best denoiser is known in closed form: no network, no chance of one."""

import numpy as np
import pytest

from keras_mri.errors import InputError
from keras_mri.systems.ldm.diffusion.samplers import SAMPLERS, sampler
from keras_mri.systems.ldm.diffusion.schedules import schedule

MEAN = np.array([0.5, -1.0])
COVARIANCE = np.array([[1.5, 0.6], [0.6, 0.5]])


def expected_clean(x, signal, noise):
    """E[x₀ | x] for x₀ ~ N(MEAN, COVARIANCE) and x = signal · x₀ + noise · ε."""
    gain = signal * COVARIANCE @ np.linalg.inv(signal**2 * COVARIANCE + noise**2 * np.eye(2))
    return MEAN + (x - signal * MEAN) @ gain.T


def walked(steps, x, rng):
    before = np.zeros_like(x)
    for k in range(len(steps.times)):
        clean = expected_clean(x, steps.signal_rates[k], steps.noise_rates[k])
        x = steps.keep[k] * x + steps.clean[k] * clean + steps.previous[k] * before + steps.fresh[k] * rng.normal(size=x.shape)
        before = clean
    return x


@pytest.mark.parametrize(("name", "count"), [("ddpm", 400), ("ddim", 100), ("dpm-solver", 25)])
@pytest.mark.parametrize("plan", ["cosine", "linear"])
def test_mean_and_covariance_of_a_gaussian_are_recovered(name, count, plan, rng):
    samples = walked(sampler(name, schedule(plan), count), rng.normal(size=(20000, 2)), rng)
    np.testing.assert_allclose(samples.mean(axis=0), MEAN, atol=0.03)
    np.testing.assert_allclose(np.cov(samples.T), COVARIANCE, atol=0.05)


@pytest.mark.parametrize("plan", ["cosine", "linear", "scaled-linear"])
def test_the_second_order_is_nearer_to_the_exact_flow_than_the_first(plan):
    """Without fresh noise each noise vector has one exact sample, that of very many steps."""
    plan, x = schedule(plan), np.array([[1.0, -0.7]])
    fine = walked(sampler("ddim", plan, 1000), x, np.random.default_rng(0))
    errors = {name: np.abs(walked(sampler(name, plan, 20), x, np.random.default_rng(0)) - fine).max() for name in ("ddim", "dpm-solver")}
    assert errors["dpm-solver"] < errors["ddim"] / 3


def test_all_steps_of_ddpm_are_the_ancestral_ones():
    """Ho 2020, eq. 7: mean and variance of q(x_{t-1} | x_t, x₀)."""
    plan = schedule("linear")
    steps = sampler("ddpm", plan, plan.steps)
    kept = plan.signal_rates**2
    t, k = 600, plan.steps - 1 - 600
    beta = 1 - kept[t] / kept[t - 1]
    assert steps.times[k] == t
    np.testing.assert_allclose(steps.clean[k], np.sqrt(kept[t - 1]) * beta / (1 - kept[t]), rtol=1e-9)
    np.testing.assert_allclose(steps.keep[k], np.sqrt(1 - beta) * (1 - kept[t - 1]) / (1 - kept[t]), rtol=1e-9)
    np.testing.assert_allclose(steps.fresh[k] ** 2, (1 - kept[t - 1]) / (1 - kept[t]) * beta, rtol=1e-9)


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("count", [1, 2, 3, 50])
def test_a_network_that_knows_the_sample_leads_to_it(name, count):
    """x̂₀ = x₀ at every step: the numbers of the last step must add up to x₀ alone."""
    steps = sampler(name, schedule("cosine"), count)
    x, before = np.float64(0.3), 0.0
    for k in range(count):
        x = steps.keep[k] * x + (steps.clean[k] + steps.previous[k]) * 2.5
        before = 2.5
    assert before == 2.5
    np.testing.assert_allclose(x, 2.5)
    assert steps.times[0] == 999 and (count == 1 or steps.times[-1] == 0)


@pytest.mark.parametrize("steps", [0, 51])
def test_more_steps_than_the_schedule_has_are_refused(steps):
    with pytest.raises(InputError, match=f"`steps` must lie between 1 and 50, the steps of the network's schedule. Received: {steps}"):
        sampler("ddim", schedule("cosine", 50), steps)


def test_an_unknown_sampler_names_those_that_exist():
    with pytest.raises(InputError, match="unknown sampler 'euler'. Expected one of: ddpm, ddim, dpm-solver"):
        sampler("euler", schedule("cosine"), 10)
