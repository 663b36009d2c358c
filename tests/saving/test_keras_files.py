import json
import zipfile

import keras
import numpy as np
import pytest

from keras_mri.errors import CheckpointError, ForeignNetworkError
from keras_mri.saving import keras_files


@pytest.fixture
def network():
    inputs = keras.Input((4, 4, 4, 1), name="image")
    layers = [keras.layers.Conv3D(2, 1), keras.layers.Dropout(0.5, seed=1), keras.layers.Conv3D(1, 1)]
    outputs = inputs
    for layer in layers:
        outputs = layer(outputs)
    return keras.Model(inputs, outputs, name="small")


@pytest.fixture
def path(network, tmp_path):
    path = tmp_path / "network.keras"
    keras_files.write(network, path, '{"facts": 1}')
    return path


def test_what_was_written_is_read(network, path):
    stored = keras_files.read(path)
    # Without the state of the dropout's random numbers, which is no weight.
    assert stored.numbers == network.count_params() == 2 + 2 + 2 + 1
    assert stored.facts == '{"facts": 1}' and stored.description["config"]["name"] == "small"


def test_the_members_are_those_of_keras_and_one_more_and_bare_keras_loads_them(network, path):
    with zipfile.ZipFile(path) as archive:
        assert sorted(archive.namelist()) == ["config.json", "keras_mri.json", "metadata.json", "model.weights.h5"]
        assert json.loads(archive.read("keras_mri.json")) == {"facts": 1}
    again = keras.models.load_model(path, compile=False)
    for found, wanted in zip(again.get_weights(), network.get_weights(), strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_a_compiled_network_is_written_without_its_optimizer_and_stays_compiled(network, path):
    plain = keras_files.read(path)
    network.compile("adam", loss="mse")
    keras_files.write(network, path, '{"facts": 1}')
    assert network.compiled and not keras.models.load_model(path).compiled
    assert keras_files.read(path).numbers == plain.numbers


def test_a_network_of_keras_alone_is_foreign(network, tmp_path):
    network.save(tmp_path / "plain.keras")
    with pytest.raises(ForeignNetworkError, match="was not written by keras_mri: it has no `keras_mri.json`.*keras.models.load_model"):
        keras_files.read(tmp_path / "plain.keras")


def test_a_missing_file(tmp_path):
    with pytest.raises(CheckpointError, match=r"none.keras is not a file. Expected a network trained by keras_mri \(.keras\); check the"):
        keras_files.read(tmp_path / "none.keras")
