import pytest

from keras_mri import pretrained
from keras_mri.errors import InputError


def test_a_network_is_found_in_the_first_folder_that_has_it(tmp_path, monkeypatch):
    folders = [tmp_path / "one", tmp_path / "two"]
    monkeypatch.setattr(pretrained, "_FOLDERS", folders)
    for folder in folders:
        folder.mkdir()
    (folders[1] / "n2a_t1w.h5").touch()
    assert pretrained.path_of("n2a_t1w.h5") == folders[1] / "n2a_t1w.h5"
    (folders[0] / "n2a_t1w.h5").touch()
    assert pretrained.path_of("n2a_t1w.h5") == folders[0] / "n2a_t1w.h5"


def test_a_network_that_is_nowhere_is_an_error_that_names_the_folders(tmp_path, monkeypatch):
    monkeypatch.setattr(pretrained, "_FOLDERS", [tmp_path / "one", tmp_path / "two"])
    with pytest.raises(InputError, match="n2a_t1w.h5 was not found in .*one or .*two. Copy it there, or train without it"):
        pretrained.path_of("n2a_t1w.h5")


def test_the_start_of_noise2average_is_in_this_checkout():
    assert pretrained.path_of("n2a_t1w.h5").stat().st_size <= 5_000_000
