import dataclasses

import numpy as np
import pytest

from keras_mri.errors import CheckpointError
from keras_mri.io.volumes import Volume
from keras_mri.saving.checkpoints import Checkpoint
from keras_mri.systems import SYSTEMS, get_settings, that_generate, that_restore
from keras_mri.systems.records import Settings, stored_inference, visible_factor, with_inference


@pytest.mark.parametrize("name", SYSTEMS)
def test_what_prediction_needs_is_the_same_from_options_and_from_a_file_of_format_1(name):
    settings = get_settings(name)
    training = {"zooms": [[2.0, 2.0, 2.0]], "grid": {"shape": [4, 4, 4]}, "labels": ["rest"], "scaling": [0.0, 1.0]}
    config = settings.Config(**({"filters": 2, "noise_scale": 0.1} if name == "n2a" else {}))
    found = settings.inference(config, training)
    # What networks can learn since then, no file of format 1 has learnt: these names are left out, and nothing else.
    since = {"ldm": {"any_grid": False, "generates": True, "one_step": True}}.get(name, {})
    assert {key: found.pop(key) for key in since} == since
    assert found == settings.inference_of_format_1(config.to_json(), training)


def test_stored_values_are_taken_as_they_are_and_settings_are_not_looked_at():
    assert stored_inference({"inference": {"scaling": "minmax"}, "config": {}, "training": {}}, get_settings("wgan")) == {
        "scaling": "minmax"
    }


@pytest.mark.parametrize("config", [{}, {"scaling": "percentile"}])
def test_a_file_of_format_1_whose_settings_are_damaged_is_refused(config):
    checkpoint = Checkpoint(None, "cnn", config, {}, None)
    with pytest.raises(CheckpointError, match="its settings lack 'axis'"):
        with_inference(checkpoint, get_settings("cnn"))


def test_an_option_that_is_renamed_later_breaks_no_file():
    settings = get_settings("wgan")

    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Later:
        intensity: str = "minmax"

    later = dataclasses.replace(settings, Config=Later, inference=lambda config, training: {"scaling": config.intensity})
    old = Checkpoint(None, "wgan", {"scaling": "percentile", "an_option_of_today": 3}, {}, None)
    assert with_inference(old, later).inference == {"scaling": "percentile"}
    assert later.inference(Later(), {}) == {"scaling": "minmax"}


def test_systems_that_restore_come_with_those_of_one_scan_first():
    assert set(that_restore()) == {"wgan", "sr", "cnn", "n2a"} and that_restore()[-1] == "n2a"
    assert that_generate() == ("ldm",)


def test_by_default_facts_are_the_voxel_sides_and_images_are_opened(affine, rng):
    settings = Settings(Config=None, PredictConfig=None)
    volume = Volume.from_array(rng.random((5, 4, 3)), affine)
    assert settings.open_inputs([volume], None) == [volume]
    assert settings.facts([volume], None) == {"zooms": [list(volume.zooms)], "sigma": []}


@pytest.mark.parametrize(
    ("removed", "times"), [(0.0, 5), (0.5, 500), (1.0, 500), (1.01, 200), (3.0, 100), (50.0, 10), (60.0, 5), (1000.0, 5)]
)
def test_what_was_removed_is_shown_half_as_bright_as_the_scan(removed, times):
    """500, 200, 100, 50, 20, 10: the largest that leaves it at most half as bright as 1000."""
    assert visible_factor(np.full(99, removed), np.full((9, 11), 1000.0)) == times
