import json

import pytest

from keras_mri.errors import InputError
from keras_mri.systems.ldm.settings import PRESETS, Config, GenerateConfig, PredictConfig


def test_options_survive_json_without_folders():
    config = Config(events=("/secret/place/events.tsv",), labels=None, filters=(8, 16), min_snr=None)
    written = json.dumps(config.to_json())
    assert "secret" not in written
    again = Config.from_json(json.loads(written))
    assert again.events == ("events.tsv",) and again.filters == (8, 16) and again.min_snr is None


def test_the_published_preset_is_valid():
    config = Config(**PRESETS["published"])
    assert (config.latent_channels, config.codes, config.filters) == (8, 512, (32, 64, 128, 256))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(stage="diffusion"), "`stage` diffusion needs `initial`, a network"),
        (dict(initial="a.h5"), "no other stage takes one. Received: `stage` both, `initial` a.h5"),
        (dict(events=("a.tsv",), labels=("b.tsv",)), "`events` and `labels` both"),
        (dict(patch_shape=(16, 15, 16)), r"divisible by 4: .* halves it 2 times. Received: \(16, 15, 16\). Nearest valid: \(16, 16, 16\)"),
        (dict(filters=(8, 15)), "`filters` must be even"),
        (dict(unet_filters=(9,)), "`unet_filters` must be even"),
        (dict(schedule="sine"), "`schedule` must be one of cosine, linear, scaled-linear"),
        (dict(latent="ae"), "`latent` must be one of kl, vq"),
    ],
)
def test_options_that_do_not_go_together(options, message):
    with pytest.raises(InputError, match=message):
        Config(**options)


@pytest.mark.parametrize("options", [dict(task="imputation"), dict(missing="m.nii"), dict(task="super-resolution", missing="m.nii")])
def test_missing_and_imputation_go_together(options):
    with pytest.raises(InputError, match="`missing` marks the voxels that `task` imputation fills; they go together"):
        PredictConfig(**options)


def test_other_tasks_need_no_mask():
    assert PredictConfig(task="super-resolution").samples == 4
    assert GenerateConfig(label="lh", guidance=3.0).steps == 50
