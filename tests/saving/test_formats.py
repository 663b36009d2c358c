"""Files of every format that was ever written load, and predict as on the day they were written."""

import json

import h5py
import keras
import numpy as np
import pytest

from keras_mri.systems.network_files import load_network
from tests.formats import cases

FILES = sorted(cases.FOLDER.glob("*.h5.gz"))


def test_there_is_a_file_of_every_format_and_system():
    assert {path.name for path in FILES} >= {f"1_{name}.h5.gz" for name in cases.TRAININGS}


@pytest.mark.parametrize("packed", FILES, ids=lambda path: path.name)
def test_an_old_file_loads_here_and_in_bare_keras_and_predicts_as_it_did(packed, tmp_path):
    path = cases.unpacked(packed, tmp_path)
    ours, bare = load_network(path).network, keras.models.load_model(path, compile=False)
    for found, wanted in zip(ours.get_weights(), bare.get_weights(), strict=True):
        np.testing.assert_array_equal(found, wanted)
    # A regression test: the numbers are ours, of the day on which the file was written. Intensities are of the order of 1000.
    wanted = np.load(packed.with_name(packed.name.replace(".h5.gz", ".npy")))
    np.testing.assert_allclose(cases.predicted(path), wanted, rtol=1e-4, atol=0.05)


@pytest.mark.parametrize("packed", FILES, ids=lambda path: path.name)
@pytest.mark.xfail(strict=False, reason="systems still parse the settings of the training in order to predict")
def test_renaming_an_option_of_the_training_does_not_break_an_old_file(packed, tmp_path):
    path = cases.unpacked(packed, tmp_path)
    wanted = cases.predicted(path)
    with h5py.File(path, "r+") as file:
        facts = json.loads(file.attrs["keras_mri"])
        # As if that option had had another name in the version that wrote the file.
        facts["config"]["rate_of_learning"] = facts["config"].pop("learning_rate")
        file.attrs["keras_mri"] = json.dumps(facts)
    np.testing.assert_allclose(cases.predicted(path), wanted, rtol=1e-5, atol=1e-3)
