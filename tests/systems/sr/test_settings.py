"""The options of super-resolution: what is refused, and that each preset is a valid set of them."""

import dataclasses
import json

import pytest

from keras_mri.errors import InputError
from keras_mri.systems.sr import settings as sr


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (dict(simulate=(1.0, 1.0, 1.0)), "`simulate` needs a factor above 1"),
        (dict(simulate=(2.0, 0.5, 1.0)), "`simulate` must be at least 1.0"),
        (dict(simulate=(2.0, 2.0, 1.0), pairs="pairs.tsv"), "choose one way to name the scans"),
        (dict(pairs="pairs.tsv", source_session="1", target_session="2"), "`pairs` names the scans"),
        (dict(source_session="1"), "go together"),
        (dict(source_session="1", target_session="1"), "must differ. Received: '1' twice"),
        (dict(thick_slices=(6.0, 2.0)), r"`thick_slices` names the lower distance first. Received: \(6.0, 2.0\)"),
        (dict(thick_slices=(0.5, 2.0)), "`thick_slices` must be at least 1.0"),
        (dict(thick_slices=(2.0, 6.0), simulate=(2.0, 2.0, 1.0)), "`thick_slices` makes the sources, and `simulate` would do nothing"),
        (dict(thick_slices=(2.0, 6.0), pairs="pairs.tsv", gain=0.1), "and `pairs`, `gain` would do nothing. Leave one of them out"),
        (dict(thick_slices=(2.0, 6.0), generator="unet3d", filters=(16, 64, 96)), "and `generator` would do nothing"),
        (dict(initial="none"), "`initial` needs `thick_slices`"),
        (dict(adversarial_loss="wgan"), "`adversarial_loss` must be one of lsgan, bce, hinge. Received: 'wgan'"),
        (dict(normalization="batch"), "`normalization` must be one of none, instance"),
        (dict(levels=0), "`levels` must be at least 1. Received: 0"),
        (dict(affine=1.5), "`affine` must be at most 1.0"),
        (dict(filters=(8, 16)), r"`filters` and `depths` name the same levels. Received: \(8, 16\) and \(1, 3, 1\)"),
        (dict(base_filters=32, levels=4), r"`base_filters`, `levels` belong\(s\) to `generator` unet3d"),
        (dict(generator="unet3d", depths=(1, 2, 2)), r"`depths` belong\(s\) to `generator` residual_unet"),
    ],
)
def test_options_that_do_not_fit_are_refused_by_their_name(values, message):
    with pytest.raises(InputError, match=message):
        sr.Config(**values)


@pytest.mark.parametrize("name", sr.PRESETS)
def test_each_preset_is_valid_and_survives_json(name):
    config = sr.Config(**sr.PRESETS[name])
    assert {key: getattr(config, key) for key in sr.PRESETS[name]} == sr.PRESETS[name]
    assert sr.Config.from_json(json.loads(json.dumps(config.to_json()))) == config


def test_the_published_preset_is_that_of_the_original():
    # SYSTEMS.md §3
    config = sr.Config(**sr.PRESETS["published"])
    assert (config.epochs, config.batch_size, config.patch_shape, config.patches_per_volume) == (100, 2, (64, 64, 64), 10)
    assert (config.learning_rate, config.discriminator_learning_rate, config.beta_1, config.beta_2) == (2e-4, 2e-4, 0.5, 0.999)
    assert config.discriminator_beta_1 == 0.5
    assert (config.l1_weight, config.adversarial_weight, config.clip_norm, config.seed) == (100.0, 1.0, 1.0, 42)
    assert config.generator == "unet3d"
    assert (config.base_filters, config.levels, config.normalization, config.residual) == (32, 4, "instance", False)
    assert (config.discriminator_filters, config.discriminator_layers, config.conditional) == (64, 3, False)
    assert (config.warm_up, config.anneal, config.adversarial_loss, config.steps_per_epoch) == (0.0, False, "lsgan", None)
    assert (config.affine, config.jitter, config.noise, config.turns) == (0.5, 0.1, 0.01, True)
    assert (config.gain, config.coarser) == (0.0, (1.0,))


def test_no_path_gets_into_the_network_file():
    assert sr.Config(pairs="/home/me/study/pairs.tsv").to_json()["pairs"] == "pairs.tsv"


def test_every_option_explains_itself():
    silent = [f.name for c in (sr.Config, sr.PredictConfig) for f in dataclasses.fields(c) if len(f.metadata["help"].split()) < 2]
    assert not silent


@pytest.mark.parametrize(("values", "weight"), [({}, 1.0), (dict(thick_slices=(2.0, 6.0)), 0.0), (dict(adversarial_weight=0.5), 0.5)])
def test_thick_slices_are_trained_without_an_adversary_unless_it_is_asked_for(values, weight):
    from keras_mri.systems.sr.system import settle

    assert settle(sr.Config(**values)).adversarial_weight == weight


def test_the_file_of_thick_slices_says_what_it_was_trained_on():
    config, pairs = sr.Config(thick_slices=(2.0, 6.0)), sr.Config()
    assert sr.inference(config, {"zooms": [[1.0, 0.8, 0.9], [1.0, 1.0, 3.0]]}) == {
        "scaling": "percentile",
        "simulate": None,
        "tile": None,
        "slices": {"voxel": [0.8, 1.0], "spacing": [2.0, 6.0]},
    }
    assert sr.inference(config, {})["slices"]["voxel"] == [1.0, 1.0] and sr.inference(pairs, {})["slices"] is None
