import json

import h5py
import numpy as np
import pytest

from keras_mri.errors import CheckpointError
from keras_mri.saving import h5_guard


@pytest.fixture
def path(tmp_path):
    with h5py.File(tmp_path / "file.h5", "w") as file:
        file["layer/kernel"], file["layer/bias"] = np.zeros((3, 4)), np.zeros(5)
    return tmp_path / "file.h5"


def test_an_attribute_is_added_and_read_as_text(path):
    h5_guard.write_attribute(path, "facts", "né")
    with h5_guard.opened(path) as file:
        assert h5_guard.text(file.attrs["facts"]) == "né"
    assert h5_guard.text(b"old") == "old"


def test_numbers_are_counted_below_a_group(path):
    with h5_guard.opened(path) as file:
        assert h5_guard.count_numbers(file, "layer") == 3 * 4 + 5
        assert h5_guard.count_numbers(file, "nothing") == h5_guard.count_numbers(file, "layer/bias") == 0


def test_what_cannot_be_opened_is_named_with_what_was_expected(path, tmp_path):
    with pytest.raises(CheckpointError, match="nothing.h5 is not a file. Expected a pizza"):
        with h5_guard.opened(tmp_path / "nothing.h5", "a pizza"):
            pass
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(CheckpointError, match="file.h5 is not an HDF5 file, or is truncated"):
        with h5_guard.opened(path):
            pass


@pytest.mark.parametrize("layer", ["Conv3D", "GroupNormalization", "Embedding"])
def test_a_network_of_our_layers_is_parsed(layer):
    config = {"class_name": "Functional", "config": {"layers": [{"class_name": layer, "module": "keras.layers"}]}}
    assert h5_guard.checked_config(json.dumps(config), "a.h5") == config


@pytest.mark.parametrize(
    "layer",
    [{"class_name": "Lambda"}, {"class_name": "Conv3D", "module": "elsewhere.layers"}, {"class_name": ["Conv3D"]}, {"class_name": None}],
)
def test_any_other_class_is_refused_however_deep_it_lies(layer):
    config = {"class_name": "Functional", "config": {"layers": [{"class_name": "Dense", "config": {"inner": [layer]}}]}}
    with pytest.raises(CheckpointError, match="a.h5 is refused"):
        h5_guard.checked_config(json.dumps(config), "a.h5")


@pytest.mark.parametrize("written", ["{", "", None])
def test_what_is_no_json_is_said(written):
    with pytest.raises(CheckpointError, match="a.h5 is damaged"):
        h5_guard.parsed(written, "a.h5")
