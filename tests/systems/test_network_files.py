import keras
import pytest

from keras_mri.errors import CheckpointError, ForeignNetworkError
from keras_mri.inference.training_range import modalities_in
from keras_mri.networks.munet import munet
from keras_mri.networks.residual_unet import residual_unet
from keras_mri.saving import checkpoints
from keras_mri.saving.checkpoints import Checkpoint
from keras_mri.systems.n2a import published_munet
from keras_mri.systems.network_files import load_network, path_of_network, pretrained_networks, system_of, trained_modalities


def test_a_file_of_ours_says_its_system(tmp_path):
    path = tmp_path / "cnn.h5"
    checkpoints.save(
        Checkpoint(residual_unet((None, None, None, 1), (2, 2), (1, 1)), "cnn", {}, {}, {"axis": 2, "percentiles": None, "clip": False}),
        path,
    )
    assert system_of(path) == load_network(path).system == "cnn"


def test_a_network_of_the_original_belongs_to_noise2average(tmp_path):
    path = tmp_path / "original.h5"
    network = munet(1, 2)
    # The original returns the residual, not the restored image.
    keras.Model(network.input, network.get_layer("residual").output).save(path)
    assert published_munet.is_published_munet(path)
    assert system_of(path) == load_network(path).system == "n2a"


def test_any_other_network_is_refused_with_its_reason(tmp_path):
    path = tmp_path / "other.h5"
    inputs = keras.Input((4,))
    keras.Model(inputs, keras.layers.Dense(1)(inputs)).save(path)
    for verb in (system_of, load_network):
        with pytest.raises(ForeignNetworkError, match="was not written by keras_mri"):
            verb(path)
    with pytest.raises(CheckpointError, match="is not a file"):
        system_of(tmp_path / "none.h5")


def test_what_a_network_was_trained_on_is_recorded_or_known_by_its_name(tmp_path):
    network = residual_unet((None, None, None, 1), (2, 2), (1, 1))
    kinds = {
        "mine.h5": ({"modalities": ["T2w", "T1w"]}, ["T2w", "T1w"]),
        "old.h5": ({}, []),
        "wgan_t1w.h5": ({}, ["T1w"]),
        "wgan_run.h5": ({"modalities": ["asl"]}, ["asl"]),
        "odd.h5": ({"modalities": "T1w"}, []),
    }
    for name, (training, expected) in kinds.items():
        checkpoints.save(Checkpoint(network, "wgan", {}, training, {"scaling": "percentile"}), tmp_path / name)
        assert trained_modalities(tmp_path / name) == modalities_in(load_network(tmp_path / name).training) == expected


def test_every_pretrained_network_knows_what_it_was_trained_on():
    expected = {"epi": "bold", "run": "bold", "t1w": "T1w", "n2a_t1w": "T1w", "ldm_epi": "bold"}
    assert {name: trained_modalities(path_of_network(name))[0] for name in expected} == expected
    assert all(trained_modalities(path) for path in pretrained_networks().values())
