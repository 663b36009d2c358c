import keras
import pytest

from keras_mri.errors import CheckpointError, ForeignNetworkError
from keras_mri.networks.munet import munet
from keras_mri.networks.residual_unet import residual_unet
from keras_mri.saving import checkpoints
from keras_mri.saving.checkpoints import Checkpoint
from keras_mri.systems.n2a import published_munet
from keras_mri.systems.network_files import load_network, system_of


def test_a_file_of_ours_says_its_system(tmp_path):
    path = tmp_path / "cnn.h5"
    checkpoints.save(Checkpoint(residual_unet((None, None, None, 1), (2, 2), (1, 1)), "cnn", {}, {}), path)
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
