"""The options of the U-WGAN: what is refused, and that each preset is a valid set of them."""

import dataclasses
import json

import pytest

from keras_mri.errors import InputError
from keras_mri.systems.shared_settings import PredictConfig as SharedPredictConfig
from keras_mri.systems.wgan import settings as wgan


@pytest.mark.parametrize("frames", [None, 1, 3, 5])
def test_the_network_sees_an_odd_number_of_frames(frames):
    assert wgan.Config(frames=frames).frames == frames


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (dict(frames=2), "`frames` must be 1, 3 or 5. Received: 2."),
        (dict(frames=4), "`frames` must be 1, 3 or 5. Received: 4."),
        (dict(frames=7), "`frames` must be at most 5. Received: 7."),
        (dict(noise_range=(0.2, 0.1)), r"`noise_range` names the lower SD first. Received: \(0.2, 0.1\)."),
        (dict(noise_range=(-0.1, 0.1)), r"`noise_range` must be at least 0.0. Received: \(-0.1, 0.1\)."),
        (dict(filters=(8, 16, 32), depths=(1, 2)), r"`filters` and `depths` name the same levels. Received: \(8, 16, 32\) and \(1, 2\)."),
        (dict(filters=(8, 16, 32)), r"`filters` and `depths` name the same levels. Received: \(8, 16, 32\) and two depths."),
        (dict(filters=(8, 0)), r"`filters` must be at least 1. Received: \(8, 0\)."),
        (dict(patch_shape=(32, 0, 8)), r"`patch_shape` must be at least 1. Received: \(32, 0, 8\)."),
        (dict(scaling="zscore"), "`scaling` must be one of percentile, minmax. Received: 'zscore'."),
        (dict(noise="poisson"), "`noise` must be one of gaussian, rician. Received: 'poisson'."),
        (dict(target="clean"), "`target` must be one of frame, neighbour. Received: 'clean'."),
        (dict(critic_steps=0), "`critic_steps` must be at least 1. Received: 0."),
        (dict(warm_up=1.5), "`warm_up` must be at most 1.0. Received: 1.5."),
        (dict(keep=0.0), "`keep` must be at least 0.01. Received: 0.0."),
        (dict(keep=1.5), "`keep` must be at most 1.0. Received: 1.5."),
        (dict(keep=float("nan")), "`keep` must be .*"),
        (dict(response_weight=-0.1), "`response_weight` must be at least 0.0. Received: -0.1."),
        (dict(gradient_penalty=-1.0), "`gradient_penalty` must be at least 0.0. Received: -1.0."),
    ],
)
def test_options_that_do_not_fit_are_refused_by_their_name(values, message):
    with pytest.raises(InputError, match=f"^{message}$"):
        wgan.Config(**values)


def test_a_network_of_runs_says_what_it_was_trained_to_keep_and_others_do_not():
    config = wgan.Config(keep=0.8)
    assert wgan.inference(config, {"input": "maps"}) == {"scaling": "percentile", "input": "maps", "keep": 0.8}
    assert wgan.inference(config, {}) == {"scaling": "percentile"}


def test_one_noise_level_is_a_range_of_equal_ends():
    assert wgan.Config(noise_range=(0.15, 0.15)).noise_range == (0.15, 0.15)


@pytest.mark.parametrize("name", wgan.PRESETS)
def test_each_preset_is_valid_and_survives_json(name):
    config = wgan.Config(**wgan.PRESETS[name])
    assert {key: getattr(config, key) for key in wgan.PRESETS[name]} == wgan.PRESETS[name]
    assert wgan.Config.from_json(json.loads(json.dumps(config.to_json()))) == config


def test_the_published_preset_is_a_wasserstein_gan_with_gradient_penalty():
    # Gulrajani et al. 2017, Algorithm 1: five critic steps, penalty 10, Adam(1e-4, 0, 0.9).
    config = wgan.Config(**wgan.PRESETS["published"])
    assert (config.critic_steps, config.gradient_penalty, config.beta_1, config.beta_2) == (5, 10.0, 0.0, 0.9)
    assert (config.learning_rate, config.critic_learning_rate, config.anneal) == (1e-4, 1e-4, False)


def test_prediction_adds_a_mask_a_repetition_time_and_the_bias_to_what_all_systems_share():
    own = {field.name for field in dataclasses.fields(wgan.PredictConfig)}
    assert own - {field.name for field in dataclasses.fields(SharedPredictConfig)} == {"mask", "tr", "keep_bias"}
    assert wgan.PredictConfig().mask is None and wgan.PredictConfig().tr is None


def test_every_option_explains_itself():
    silent = [f.name for c in (wgan.Config, wgan.PredictConfig) for f in dataclasses.fields(c) if len(f.metadata["help"].split()) < 2]
    assert not silent


@pytest.mark.parametrize("settings", [{"frames": 3}, {"target": "neighbour"}])
def test_the_lattice_takes_single_frames(settings):
    with pytest.raises(InputError, match="`sampling` lattice takes single frames.*Use `sampling` random"):
        wgan.Config(sampling="lattice", **settings)
