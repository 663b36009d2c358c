import dataclasses

import numpy as np
import pytest

from keras_mri.networks.latent_diffusion import Parts
from keras_mri.networks.latent_unet import latent_unet
from keras_mri.networks.volume_autoencoder import volume_decoder, volume_encoder
from keras_mri.systems.ldm.conditions import condition
from keras_mri.systems.ldm.latent_space import LatentSpace
from keras_mri.systems.ldm.settings import Config, SamplingOptions

CONFIG = Config(filters=(2, 4, 4), unet_filters=(4, 4), latent_channels=3, diffusion_steps=20)
LABELS = 2


def space(codebook=None, **options):
    config = dataclasses.replace(CONFIG, **options)
    denoiser = latent_unet(3, LABELS, 20, config.unet_filters, 1, 5 if config.condition else 0)
    rng = np.random.default_rng(0)
    denoiser.get_layer("said").set_weights([rng.normal(0, 0.3, weight.shape) for weight in denoiser.get_layer("said").get_weights()])
    encoder, decoder = volume_encoder(config.filters, 1, 3), volume_decoder(config.filters, 1, 3)
    return LatentSpace(Parts(encoder, decoder, codebook, denoiser), config, LABELS)


@pytest.fixture(scope="module")
def pair():
    return space()


@pytest.mark.parametrize("shape", [(9, 8, 7), (16, 16, 8), (1, 2, 3), (91, 109, 91)])
def test_there_and_back_keeps_any_shape(pair, shape, rng):
    volume = rng.random(shape, dtype=np.float32)
    latent = pair.encode(volume)
    assert latent.shape == pair.latent_shape(shape) and all(side % 2 == 0 for side in latent.shape[:3])
    assert pair.decode(latent, shape).shape == shape


def test_padding_repeats_the_outermost_voxels(pair, rng):
    volume = rng.random((9, 8, 7), dtype=np.float32)
    whole = pair.padded(volume)
    assert whole.shape == (16, 8, 8)
    np.testing.assert_array_equal(whole[:9, :, :7], volume)
    np.testing.assert_array_equal(whole[9:, :, 7], np.broadcast_to(volume[8, :, 6], (7, 8)))


@pytest.mark.parametrize("name", ["ddpm", "ddim", "dpm-solver"])
def test_one_seed_one_sample_two_seeds_two(pair, name):
    options = SamplingOptions(steps=4, sampler=name)
    first, again, other = (pair.sample((9, 8, 7), 2, dataclasses.replace(options, seed=seed), 0) for seed in (0, 0, 1))
    assert first.shape == (2, *pair.latent_shape((9, 8, 7))) and np.isfinite(first).all()
    np.testing.assert_array_equal(first, again)
    assert np.abs(other - first).max() > 1e-2 and np.abs(first[0] - first[1]).max() > 1e-2


def test_everything_it_is_told_changes_a_sample(eagerly, pair, rng):
    shape, options = (9, 8, 7), SamplingOptions(steps=4)
    told = condition(pair.encode(rng.random(shape, dtype=np.float32)), pair.padded(np.ones(shape, bool)), coarse=True)
    first = pair.sample(shape, 2, options, 0)
    others = [
        pair.sample(shape, 2, options, 1),
        pair.sample(shape, 2, options, 0, told),
        pair.sample(shape, 2, dataclasses.replace(options, guidance=3.0), 0),
        pair.sample(shape, 2, dataclasses.replace(options, steps=5), 0),
    ]
    for other in others:
        assert np.abs(other - first).max() > 1e-4


def test_without_label_and_condition_guidance_changes_nothing(eagerly, pair):
    first, second = (pair.sample((8, 8, 8), 1, SamplingOptions(steps=3, guidance=g), LABELS) for g in (1.0, 5.0))
    np.testing.assert_array_equal(first, second)


def test_samples_of_a_codebook_are_codes(eagerly, rng):
    codebook = rng.standard_normal((1, 5, 3)).astype(np.float32)
    latents = space(codebook, condition=False).sample((8, 8, 8), 1, SamplingOptions(steps=3), 1)
    assert {tuple(vector) for vector in latents.reshape(-1, 3)} <= {tuple(code) for code in codebook[0]}
