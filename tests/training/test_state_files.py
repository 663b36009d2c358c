import math

import numpy as np
import pytest

from keras_mri.errors import InputError
from keras_mri.training.state_files import load_state, previous_of, remove_state, save_state


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.state"


STATE = {
    "weights": [np.arange(6, dtype=np.float32).reshape(2, 3), np.array(7, np.int64), np.zeros((0, 2), np.uint32)],
    "callbacks": [{"best": math.inf, "weights": None, "array": 3, "rows": [{"epoch": 1, "l1": 0.1}]}, {}],
    "number": np.float32(0.5),
    "name": "größer",
}


def test_a_state_comes_back_as_it_was(path):
    save_state(path, STATE)
    state, remark = load_state(path)
    assert remark is None and state.keys() == STATE.keys()
    for before, after in zip(STATE["weights"], state["weights"], strict=True):
        np.testing.assert_array_equal(after, before)
        assert after.dtype == before.dtype
    assert state["callbacks"] == STATE["callbacks"] and state["name"] == "größer" and state["number"] == 0.5


def test_without_a_file_there_is_no_state(path):
    assert load_state(path) == (None, None)


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "other"])
def test_a_damaged_state_is_told_and_the_one_before_it_used(path, damage):
    save_state(path, {"step": 1})
    save_state(path, {"step": 2})
    content = bytearray(path.read_bytes())
    content[-40] ^= 1
    path.write_bytes({"cut": content[:-1], "flip": content, "empty": b"", "other": b"PK" + bytes(900)}[damage])
    state, remark = load_state(path)
    assert state == {"step": 1}
    assert remark == f"{path} is damaged, so training goes on from the state before it, {previous_of(path)}"


def test_a_file_lost_while_it_was_replaced_leaves_the_one_before_it(path):
    save_state(path, {"step": 1})
    path.rename(previous_of(path))
    assert load_state(path) == ({"step": 1}, None)


def test_where_all_are_damaged_the_user_is_told_to_start_anew(path):
    path.write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"model\.state: the state of the training is damaged\. Delete it, and train from the start"):
        load_state(path)


def test_what_cannot_be_written_leaves_the_last_state(path, monkeypatch):
    save_state(path, {"step": 1})

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(InputError, match=r"model\.state could not be written: No space left on device"):
        save_state(path, {"step": 2})
    assert load_state(path) == ({"step": 1}, None)
    assert sorted(file.name for file in path.parent.iterdir()) == ["model.state"]


def test_both_files_are_removed(path):
    save_state(path, {})
    save_state(path, {})
    remove_state(path)
    assert list(path.parent.iterdir()) == []
    remove_state(path)
