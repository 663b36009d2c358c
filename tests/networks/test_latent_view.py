import keras
import numpy as np
import pytest

from keras_mri.networks.latent_unet import latent_unet
from keras_mri.networks.latent_view import view_rates
from keras_mri.systems.ldm.diffusion.schedules import PREDICTIONS, clean_and_noise, schedule

SHAPE, CHANNELS = (4, 4, 2), 2


@pytest.fixture
def volumes(rng):
    """Coarse views stray by 0.5 and 0.2 from their latents, damaged ones by 0.02 where they are known."""
    clean = rng.standard_normal((300, *SHAPE, CHANNELS)).astype(np.float32)
    coarse = clean + rng.standard_normal(clean.shape) * [0.5, 0.2]
    damaged = clean + rng.standard_normal(clean.shape) * 0.02
    known = np.ones((300, *SHAPE, 1))
    known[:, 0] = 0
    damaged[:, 0] = 0
    views = [np.concatenate([coarse, np.ones_like(known), np.ones_like(known)], axis=-1)]
    views.append(np.concatenate([damaged, known, np.zeros_like(known)], axis=-1))
    return clean, np.stack(views, axis=1).astype(np.float32)


def said(network, step, noisy, condition):
    told = [noisy, np.full(len(noisy), step), np.zeros(len(noisy)), condition]
    return network.predict_on_batch([np.asarray(value, np.float32 if k in (0, 3) else np.int32) for k, value in enumerate(told)])


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_before_training_it_says_what_a_gaussian_with_the_views_mean_and_error_has(volumes, prediction, rng, eagerly):
    clean, views = volumes
    plan = schedule("cosine", 20)
    network = latent_unet(CHANNELS, 1, 20, (4, 4), 1, CHANNELS + 2, view_rates(clean, views, prediction, plan))
    for step in (3, 10, 16):
        signal, noise = plan.signal_rates[step], plan.noise_rates[step]
        noisy = signal * clean + noise * rng.standard_normal(clean.shape)
        for view, deviations in ((views[:, 0], np.array([0.5, 0.2])), (np.zeros_like(views[:, 0]), np.ones(2))):
            x0, _ = clean_and_noise(prediction, said(network, step, noisy, view).astype(float), noisy, signal, noise)
            mean, variance = view[..., :CHANNELS], deviations**2
            expected = mean + signal * variance / (signal**2 * variance + noise**2) * (noisy - signal * mean)
            np.testing.assert_allclose(x0, expected, atol=0.05)


def test_from_noise_alone_it_says_the_view(volumes, rng, eagerly):
    clean, views = volumes
    plan = schedule("cosine", 1000)
    network = latent_unet(CHANNELS, 1, 1000, (4, 4), 1, CHANNELS + 2, view_rates(clean, views, "velocity", plan))
    noisy = rng.standard_normal(clean.shape)
    rates = plan.signal_rates[-1], plan.noise_rates[-1]
    for view in (views[:, 0], views[:, 1]):
        x0, _ = clean_and_noise("velocity", said(network, 999, noisy, view), noisy, *rates)
        np.testing.assert_allclose(x0, view[..., :CHANNELS], atol=0.01)


def test_any_grid_and_bare_keras(volumes, tmp_path, rng):
    clean, views = volumes
    network = latent_unet(CHANNELS, 1, 20, (4, 4), 1, CHANNELS + 5, view_rates(clean, views, "velocity", schedule("cosine", 20)))
    assert network.input_shape[0] == (None, None, None, None, CHANNELS)
    network.save(tmp_path / "denoiser.h5")
    again = keras.models.load_model(tmp_path / "denoiser.h5", compile=False)
    noisy, view = rng.standard_normal((1, 2, 6, 4, CHANNELS)), rng.standard_normal((1, 2, 6, 4, CHANNELS + 5))
    np.testing.assert_array_equal(said(network, 7, noisy, view), said(again, 7, noisy, view))
