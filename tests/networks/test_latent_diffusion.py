import keras
import numpy as np
import pytest

from keras_mri.networks.latent_diffusion import assembled, latent_only, parts, snapped
from keras_mri.networks.latent_unet import latent_unet
from keras_mri.networks.precision import in_float32
from keras_mri.networks.volume_autoencoder import set_latent_scale, volume_decoder, volume_encoder
from keras_mri.saving import checkpoints
from keras_mri.saving.checkpoints import Checkpoint


@pytest.fixture
def pair(rng):
    encoder, decoder = volume_encoder((4, 6), 1, 3), volume_decoder((4, 6), 1, 3)
    set_latent_scale(encoder, decoder, [0.1, 0.2, 0.3], [2.0, 0.5, 1.0])
    denoiser = latent_unet(3, labels=2, steps=20, filters=(4, 6), condition_channels=5)
    rng = np.random.default_rng(3)
    denoiser.get_layer("said").set_weights([rng.normal(0, 0.1, weight.shape) for weight in denoiser.get_layer("said").get_weights()])
    return latent_only(encoder), decoder, rng.standard_normal((2, 7, 3)).astype(np.float32), denoiser


def said(denoiser, rng):
    told = [rng.random((2, 4, 4, 2, 3)), np.array([0, 19]), np.array([0, 2]), rng.random((2, 4, 4, 2, 5))]
    return denoiser.predict_on_batch([np.asarray(value, np.float32 if value.ndim > 1 else np.int32) for value in told])


def test_one_file_that_bare_keras_opens_holds_all_parts_by_name(pair, tmp_path):
    path = tmp_path / "pair.h5"
    checkpoints.save(Checkpoint(assembled(*pair), "ldm", {}, {}), path)
    bare = keras.models.load_model(path, compile=False)
    image = np.random.default_rng(0).random((1, 8, 6, 4, 1), dtype=np.float32)
    latent = bare.get_layer("encoder").predict_on_batch(image)
    np.testing.assert_allclose(latent, pair[0].predict_on_batch(image), atol=1e-5)
    np.testing.assert_allclose(bare.get_layer("decoder").predict_on_batch(latent), pair[1].predict_on_batch(latent), atol=1e-5)
    for name, table in zip(("codebook", "codebook_2"), pair[2]):
        np.testing.assert_array_equal(bare.get_layer(name).get_weights()[0], table)
    outputs = [said(denoiser, np.random.default_rng(0)) for denoiser in (bare.get_layer("denoiser"), pair[3])]
    assert np.abs(outputs[0]).max() > 0.01
    np.testing.assert_allclose(*outputs, atol=1e-5)


def test_the_parts_come_back_from_the_loader_and_in_float32(pair, tmp_path):
    path = tmp_path / "pair.h5"
    checkpoints.save(Checkpoint(in_float32(assembled(*pair)), "ldm", {}, {}), path)
    found = parts(checkpoints.load(path, "ldm").network)
    outputs = [said(denoiser, np.random.default_rng(0)) for denoiser in (found.denoiser, pair[3])]
    np.testing.assert_allclose(*outputs, atol=1e-5)
    np.testing.assert_array_equal(found.codebooks, pair[2])


def test_layers_of_nested_networks_become_float32():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        network = assembled(volume_encoder((4, 4), 1, 3, variational=False), volume_decoder((4, 4), 1, 3))
    finally:
        keras.config.set_dtype_policy("float32")
    copy = in_float32(network)
    for part in ("encoder", "decoder"):
        assert {layer.compute_dtype for layer in copy.get_layer(part).layers} == {"float32"}
        assert "bfloat16" in {layer.compute_dtype for layer in network.get_layer(part).layers}
    for before, after in zip(network.get_weights(), copy.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


def test_an_autoencoder_alone_has_neither_codebook_nor_denoiser(pair):
    found = parts(assembled(*pair[:2]))
    assert found.codebooks is None and found.denoiser is None


def test_snapping_takes_the_codes_that_are_nearest_in_raw_latents_one_after_the_other(pair, rng):
    encoder, _, codebooks, _ = pair
    latent = rng.standard_normal((4, 3, 2, 3)).astype(np.float32)
    deviation = np.array([2.0, 0.5, 1.0])
    total = np.zeros_like(latent)
    for table in codebooks:
        distances = np.linalg.norm(((latent - total)[..., None, :] - table) * deviation, axis=-1)
        total += table[distances.argmin(axis=-1)]
    np.testing.assert_allclose(snapped(latent, encoder, codebooks), total, atol=1e-6)
    assert snapped(latent, encoder, None) is latent
