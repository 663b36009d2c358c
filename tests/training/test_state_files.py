import math
import shutil
import subprocess

import numpy as np
import pytest

from keras_mri.errors import InputError
from keras_mri.training.state_files import last_of, load_state, previous_of, remove_state, save_state, states_in


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
    content = bytearray(last_of(path).read_bytes())
    content[-40] ^= 1
    last_of(path).write_bytes({"cut": content[:-1], "flip": content, "empty": b"", "other": b"PK" + bytes(900)}[damage])
    state, remark = load_state(path)
    assert state == {"step": 1}
    assert remark == f"{last_of(path)} is damaged, so training goes on from the state before it, {previous_of(path)}"


def test_a_file_lost_while_it_was_replaced_leaves_the_one_before_it(path):
    save_state(path, {"step": 1})
    last_of(path).rename(previous_of(path))
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
    with pytest.raises(InputError, match=r"last could not be written: No space left on device"):
        save_state(path, {"step": 2})
    assert load_state(path) == ({"step": 1}, None)
    assert sorted(file.name for file in path.iterdir()) == [".gitignore", "last"]


def test_both_files_are_removed(path):
    save_state(path, {})
    save_state(path, {})
    remove_state(path)
    assert list(path.parent.iterdir()) == []
    remove_state(path)


def test_a_first_state_that_cannot_be_written_leaves_nothing(path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(InputError, match="No space left on device"):
        save_state(path, {"step": 1})
    assert not path.exists() and not states_in(path)


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_git_does_not_list_a_state(path):
    """A user's repository, whose own list of files to ignore is the user's."""

    def git(*arguments):
        return subprocess.run(["git", "-C", path.parent, *arguments], capture_output=True, text=True, check=True).stdout

    git("init", "-q")
    save_state(path, {"step": 1})
    save_state(path, {"step": 2})
    path.with_suffix(".h5").touch()
    assert git("status", "--porcelain", "--untracked-files=all") == "?? model.h5\n"


def test_a_state_of_an_earlier_release_is_gone_on_from(path, tmp_path):
    """It was a file, with the one before it beside it."""
    save_state(tmp_path / "new", {"step": 1})
    save_state(tmp_path / "new", {"step": 2})
    shutil.copy(last_of(tmp_path / "new"), path)
    shutil.copy(previous_of(tmp_path / "new"), path.with_name("model.state.previous"))
    remove_state(tmp_path / "new")
    assert load_state(path) == ({"step": 2}, None)
    save_state(path, {"step": 3})
    assert [load_state(path)[0], states_in(path)[1]] == [{"step": 3}, previous_of(path)]
    remove_state(path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_the_user_s_among_states_is_kept(path):
    save_state(path, {})
    (path / "notes.txt").touch()
    (path / ".last.killed").touch()
    remove_state(path)
    assert [file.name for file in path.iterdir()] == ["notes.txt"]
