"""Files of every format that was ever written load, and predict as on the day they were written."""

import dataclasses
import json

import h5py
import keras
import numpy as np
import pytest

from keras_mri.saving import checkpoints, file_facts
from keras_mri.systems.network_files import load_network
from tests.formats import cases

FILES = sorted(cases.FOLDER.glob("*.h5.gz"))


def test_there_is_a_file_of_every_format_and_system():
    assert {path.name for path in FILES} >= {f"1_{name}.h5.gz" for name in cases.TRAININGS}


@pytest.mark.regression
@pytest.mark.parametrize("packed", FILES, ids=lambda path: path.name)
def test_an_old_file_loads_here_and_in_bare_keras_and_predicts_as_it_did(packed, tmp_path):
    path = cases.unpacked(packed, tmp_path)
    ours, bare = load_network(path).network, keras.models.load_model(path, compile=False)
    for found, wanted in zip(ours.get_weights(), bare.get_weights(), strict=True):
        np.testing.assert_array_equal(found, wanted)
    # Our own numbers, of the day on which the file was written. Intensities are of the order of 1000.
    wanted = np.load(packed.with_name(packed.name.replace(".h5.gz", ".npy")))
    np.testing.assert_allclose(cases.predicted(path), wanted, rtol=1e-4, atol=0.05)


@pytest.mark.parametrize("packed", FILES, ids=lambda path: path.name)
def test_settings_of_the_training_that_this_version_does_not_know_do_not_matter(packed, tmp_path):
    path = cases.unpacked(packed, tmp_path)
    wanted = cases.predicted(path)
    # Of format 1, a name that prediction never read.
    with h5py.File(path, "r+") as file:
        facts = json.loads(file.attrs["keras_mri"])
        facts["config"]["rate_of_learning"] = facts["config"].pop("learning_rate")
        file.attrs["keras_mri"] = json.dumps(facts)
    np.testing.assert_allclose(cases.predicted(path), wanted, rtol=1e-5, atol=1e-3)
    # Of the newest format, all of them.
    checkpoint = dataclasses.replace(load_network(path), config={"rate_of_learning": 0.1})
    checkpoints.save(checkpoint, tmp_path / "renamed.keras")
    assert checkpoints.inspect(tmp_path / "renamed.keras")["format"] == file_facts.FORMAT
    np.testing.assert_allclose(cases.predicted(tmp_path / "renamed.keras"), wanted, rtol=1e-5, atol=1e-3)
