import keras
import numpy as np
import pytest

from keras_mri.networks.latent_diffusion import parts
from keras_mri.networks.latent_unet import latent_unet
from keras_mri.networks.volume_autoencoder import volume_decoder, volume_encoder
from keras_mri.systems.ldm.models import LatentDenoising, LossWeights, VolumeAutoencoder, kl_divergence


def fitted(codes, image, steps=20):
    keras.utils.set_random_seed(0)
    # Without a shortcut, which would know the image at once: its blocks have one value each.
    encoder, decoder = volume_encoder((4, 8), 1, 3, codes is None, shortcut=False), volume_decoder((4, 8), 1, 3, shortcut=False)
    model = VolumeAutoencoder(encoder, decoder, LossWeights(1.0, 1.0, 1e-4 if codes is None else 1.0), codes)
    model.compile(keras.optimizers.Adam(1e-2), jit_compile=False)
    images = image.repeat(steps, axis=0)
    history = model.fit(images, images, batch_size=2, epochs=3, verbose=0, validation_data=(image, image))
    return model, history.history


@pytest.fixture
def image(rng):
    coarse = rng.random((2, 4, 4, 2, 1), dtype=np.float32)
    return coarse.repeat(2, 1).repeat(2, 2).repeat(2, 3)


@pytest.mark.parametrize("codes", [None, (2, 16)])
def test_it_learns_to_give_back_what_it_sees(codes, image):
    model, history = fitted(codes, image)
    assert history["val_error"][-1] < 0.5 * history["val_error"][0]
    names = {"loss", "error", "latent_loss", "val_loss", "val_error", "val_latent_loss"}
    assert names <= set(history)
    assert ("usage" in history) == ("perplexity" in history) == (codes is not None)
    if codes:
        assert 1 <= history["perplexity"][-1] <= codes[1] and 0 < history["usage"][-1] <= 1
    found = parts(model.network)
    assert (found.codebooks is None) == (codes is None) and len(found.encoder.outputs) == 1


def test_kl_divergence_by_hand():
    mean, log_variance = np.array([[1.0, 0.0]], np.float32), np.array([[0.0, np.log(2)]], np.float32)
    # ½ (1 + 1 - 1 - 0) and ½ (0 + 2 - 1 - ln 2), averaged
    assert float(kl_divergence(mean, log_variance)) == pytest.approx((0.5 + 0.5 * (1 - np.log(2))) / 2)


def test_the_saved_encoder_says_the_mean(eagerly, image):
    model, _ = fitted(None, image, steps=1)
    mean, _ = model.encoder.predict_on_batch(image)
    np.testing.assert_allclose(parts(model.network).encoder.predict_on_batch(image), mean, atol=1e-6)


def test_inputs_are_found_by_name_and_the_whole_pair_is_what_is_saved(rng):
    denoiser = latent_unet(2, labels=1, steps=5, filters=(4, 4), condition_channels=4)
    denoiser.get_layer("said").set_weights([rng.normal(0, 0.1, weight.shape) for weight in denoiser.get_layer("said").get_weights()])
    told = {
        "time": np.array([1, 3]), "label": np.array([0, 1]), "condition": rng.random((2, 4, 4, 2, 4), dtype=np.float32),
        "noisy": rng.random((2, 4, 4, 2, 2), dtype=np.float32),
    }  # fmt: skip
    model = LatentDenoising(denoiser, lambda trained: ("pair", trained))
    expected = denoiser.predict_on_batch([told[name] for name in ("noisy", "time", "label", "condition")])
    np.testing.assert_allclose(model(told), expected, atol=1e-5)
    assert model.network == ("pair", denoiser)
    assert len(model.trainable_weights) == len(denoiser.trainable_weights)
