"""The options of Noise2Average: what is refused, and that each preset is a valid set of them."""

import dataclasses
import json

import pytest

from keras_mri.errors import InputError
from keras_mri.systems.n2a import settings as n2a


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (dict(iterations=0), "`iterations` must be at least 1. Received: 0."),
        (dict(repetitions="runs"), "`repetitions` must be one of images, volumes. Received: 'runs'."),
        (dict(target="clean"), "`target` must be one of others, average. Received: 'clean'."),
        (dict(align_above=-1.0), "`align_above` must be at least 0.0. Received: -1.0."),
        (dict(network="unet"), "`network` must be one of munet, munet_diffusion. Received: 'unet'."),
        (dict(network="munet_diffusion"), "there is no pre-trained munet_diffusion. Use `initial` none, or name a file."),
    ],
)
def test_options_that_do_not_fit_are_refused_by_their_name(values, message):
    with pytest.raises(InputError, match=f"^{message}$"):
        n2a.Config(**values)


@pytest.mark.parametrize("name", n2a.PRESETS)
def test_each_preset_is_valid_and_survives_json(name):
    config = n2a.Config(**n2a.PRESETS[name])
    assert {key: getattr(config, key) for key in n2a.PRESETS[name]} == n2a.PRESETS[name]
    assert n2a.Config.from_json(json.loads(json.dumps(config.to_json()))) == config


def test_the_published_preset_is_that_of_the_original():
    # SYSTEMS.md §2: 80³ blocks of z-scores, batch 1, Adam 5e-5, 20 epochs of each of 2 iterations, weights start anew.
    config = n2a.Config(**n2a.PRESETS["published"])
    assert (config.patch_shape, config.scaling, config.batch_size) == ((80, 80, 80), "zscore-each", 1)
    assert (config.learning_rate, config.epochs, config.iterations, config.restart) == (5e-5, 20, 2, True)
    assert (config.target, config.restore, config.filters, config.noise_scale) == ("average", "each", 64, None)


def test_every_option_explains_itself():
    silent = [f.name for c in (n2a.Config, n2a.PredictConfig) for f in dataclasses.fields(c) if len(f.metadata["help"].split()) < 2]
    assert not silent
