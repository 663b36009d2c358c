import numpy as np
import pytest

from keras_mri.errors import InputError
from keras_mri.systems.ldm.diffusion.schedules import PREDICTIONS, SCHEDULES, Schedule, clean_and_noise, loss_weights, schedule, target


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("steps", [1000, 200])
def test_signal_gives_way_to_noise(name, steps):
    plan = schedule(name, steps)
    assert plan.steps == steps
    np.testing.assert_allclose(plan.signal_rates**2 + plan.noise_rates**2, 1)
    assert (np.diff(plan.signal_rates) < 0).all()
    assert plan.signal_rates[0] > 0.99 and plan.signal_rates[-1] < 0.1


def test_the_linear_schedule_is_that_of_the_paper():
    # Products of 1 - β taken by hand: β₀ = 1e-4, β₁ = 1e-4 + 0.0199 / 999.
    plan = schedule("linear")
    np.testing.assert_allclose(plan.signal_rates[:2] ** 2, [0.9999, 0.9999 * (1 - 1e-4 - 0.0199 / 999)], rtol=1e-12)


def test_the_scaled_linear_schedule_is_linear_in_the_root():
    kept = schedule("scaled-linear").signal_rates ** 2
    betas = 1 - kept[1:] / kept[:-1]
    np.testing.assert_allclose(np.diff(np.sqrt(betas)), (0.012**0.5 - 0.00085**0.5) / 999, rtol=1e-6)
    np.testing.assert_allclose(betas[-1], 0.012, rtol=1e-6)


def test_the_cosine_schedule_follows_the_squared_cosine():
    kept = schedule("cosine").signal_rates ** 2
    f = np.cos((np.arange(1, 1001) / 1000 + 0.008) / 1.008 * np.pi / 2) ** 2
    np.testing.assert_allclose(kept[:990], f[:990] / np.cos(0.008 / 1.008 * np.pi / 2) ** 2, rtol=1e-9)
    # β is held at 0.999, so that a little signal stays.
    assert kept[-1] > 0


def test_an_unknown_schedule_names_those_that_exist():
    with pytest.raises(InputError, match="unknown schedule 'sine'. Expected one of: cosine, linear, scaled-linear"):
        schedule("sine")


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_what_a_perfect_network_says_gives_back_sample_and_noise(prediction, rng):
    clean, noise = rng.normal(size=(2, 4, 3))
    for signal in (0.999, 0.6, 0.05):
        rates = signal, np.sqrt(1 - signal**2)
        noisy = rates[0] * clean + rates[1] * noise
        found = clean_and_noise(prediction, target(prediction, clean, noise, *rates), noisy, *rates)
        np.testing.assert_allclose(found[0], clean, atol=1e-9)
        np.testing.assert_allclose(found[1], noise, atol=1e-9)


def test_min_snr_weights_by_hand():
    plan = Schedule(np.sqrt([0.9, 0.5]), np.sqrt([0.1, 0.5]))  # SNR 9 and 1
    np.testing.assert_allclose(loss_weights(plan, "noise", 5), [5 / 9, 1])
    np.testing.assert_allclose(loss_weights(plan, "velocity", 5), [0.5, 0.5])
    np.testing.assert_allclose(loss_weights(plan, "velocity"), [1, 1])


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_the_weight_is_that_of_the_clean_sample_s_error(prediction, rng):
    """An error of what is said, weighted, is the error of x₀ weighted by min(SNR, γ)."""
    plan = schedule("cosine", 50)
    noisy, said, error = rng.normal(size=(3, 7))
    for t in (5, 25, 45):
        rates = plan.signal_rates[t], plan.noise_rates[t]
        wrong, right = (clean_and_noise(prediction, value, noisy, *rates)[0] for value in (said + error, said))
        of_clean = min(plan.snr[t], 5) * ((wrong - right) ** 2).sum()
        np.testing.assert_allclose(loss_weights(plan, prediction, 5)[t] * (error**2).sum(), of_clean, rtol=1e-9)
