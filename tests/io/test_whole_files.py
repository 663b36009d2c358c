"""Files appear whole or not at all, and what is wrong with the place is said before any work."""

import contextlib
import errno
import os
import stat
import tempfile

import pytest

from keras_mri.errors import InputError
from keras_mri.io.whole_files import check_output, check_temporary_folder, explained, filling, replacing

_ENDINGS = (".nii.gz", ".nii")


@pytest.fixture
def umask():
    """Set the umask within a test."""
    before = os.umask(0)
    yield os.umask
    os.umask(before)


@pytest.mark.parametrize("name", ["out.nii", "out.nii.gz", "sub-01.run-2.nii.gz"])
def test_a_free_place_is_returned_as_a_path(tmp_path, name):
    assert check_output(str(tmp_path / name), _ENDINGS) == tmp_path / name


@pytest.mark.parametrize("name", ["out.h5", "out", "out.nii.bz2"])
def test_another_ending_is_refused(tmp_path, name):
    with pytest.raises(InputError, match=rf"`output` must end in .nii.gz or .nii. Received: .*{name}\.$"):
        check_output(tmp_path / name, _ENDINGS)


def test_the_option_that_names_the_file_is_named(tmp_path):
    with pytest.raises(InputError, match="`report` must end in .html. Received"):
        check_output(tmp_path / "out.pdf", (".html",), option="report")
    with pytest.raises(InputError, match="Create it, or choose another with `report`."):
        check_output(tmp_path / "nowhere" / "out.html", (".html",), option="report")


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(InputError, match="the output folder .*/nowhere does not exist. Create it, or choose another with `output`."):
        check_output(tmp_path / "nowhere" / "out.nii", _ENDINGS)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_is_not_writable_is_named(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="the output folder .* is not writable. Choose another with `output`."):
        check_output(tmp_path / "out.nii", _ENDINGS)


def test_a_file_that_exists_is_replaced_only_on_request(tmp_path):
    path = tmp_path / "out.nii"
    path.write_text("precious")
    with pytest.raises(InputError, match="out.nii exists. Name another file with `output`, or replace it with `overwrite`."):
        check_output(path, _ENDINGS)
    assert check_output(path, _ENDINGS, overwrite=True) == path
    assert path.read_text() == "precious"


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_is_never_replaced(tmp_path, overwrite):
    (tmp_path / "out.nii").mkdir()
    with pytest.raises(InputError, match="out.nii is a folder. Name a file with `output`."):
        check_output(tmp_path / "out.nii", _ENDINGS, overwrite)


@pytest.mark.parametrize(("name", "ending"), [("out.nii.gz", ".nii.gz"), ("out.nii", ".nii"), ("model.h5", ".h5")])
def test_a_file_appears_under_its_name_only_when_it_is_complete(tmp_path, name, ending):
    with replacing(tmp_path / name) as temporary:
        temporary.write_text("whole")
        assert not (tmp_path / name).exists()
        assert temporary.parent == tmp_path
        assert temporary.name.endswith(ending)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "whole"


@pytest.mark.parametrize("before", [None, "precious"])
@pytest.mark.parametrize("error", [RuntimeError("a defect"), KeyboardInterrupt("Ctrl-C"), InputError("the data")])
def test_an_exception_inside_passes_and_leaves_what_was_there(tmp_path, before, error):
    path = tmp_path / "out.nii"
    if before:
        path.write_text(before)
    with pytest.raises(type(error), match=str(error)), replacing(path) as temporary:
        temporary.write_text("half")
        raise error
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == ([("out.nii", before)] if before else [])


def test_a_full_disk_is_explained_and_leaves_no_partial_file(tmp_path):
    with pytest.raises(InputError, match="out.nii could not be written: No space left on device. .*free some space") as caught:
        with replacing(tmp_path / "out.nii") as temporary:
            temporary.write_text("half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert isinstance(caught.value.__cause__, OSError)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_filled_as_a_whole_or_not_at_all(tmp_path):
    folder = tmp_path / "samples"
    with pytest.raises(InputError, match="samples could not be written: No space left on device"):
        with filling(folder) as temporary, explained(folder):
            (temporary / "first").write_text("whole")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert list(tmp_path.iterdir()) == []
    for name in ("first", "second"):
        with filling(folder) as temporary:
            (temporary / name).write_text(name)
    assert [path.name for path in tmp_path.iterdir()] == ["samples"]
    assert sorted(path.read_text() for path in folder.iterdir()) == ["first", "second"]
    with pytest.raises(InputError, match="samples could not be written: No such file or directory"):
        with filling(tmp_path / "gone" / "samples"):
            pytest.fail("there is nowhere to write")


def test_a_folder_that_has_gone_is_explained(tmp_path):
    with pytest.raises(InputError, match="out.nii could not be written: No such file or directory"):
        with replacing(tmp_path / "gone" / "out.nii"):
            pytest.fail("there is nowhere to write")


def test_an_os_error_without_a_number_is_explained_by_its_text(tmp_path):
    with pytest.raises(InputError, match="out.h5 could not be written: the library failed. Nothing was left behind"):
        with explained(tmp_path / "out.h5"):
            raise OSError("the library failed")


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_the_permission_bits_follow_the_umask(tmp_path, umask, mask, mode):
    umask(mask)
    with replacing(tmp_path / "out.nii") as temporary:
        temporary.write_text("whole")
    assert stat.S_IMODE((tmp_path / "out.nii").stat().st_mode) == mode
    assert umask(mask) == mask


def test_a_file_that_came_meanwhile_is_not_replaced_without_being_asked_for(tmp_path):
    path = check_output(tmp_path / "out.nii", (".nii",))
    with (
        pytest.raises(InputError, match="out.nii has been written by another process meanwhile, and stays as it is"),
        replacing(path) as ours,
    ):
        ours.write_text("ours")
        path.write_text("theirs")
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("out.nii", "theirs")]
    # Asked for, it is.
    with replacing(check_output(path, (".nii",), overwrite=True)) as ours:
        ours.write_text("ours")
    assert path.read_text() == "ours"


def test_a_file_written_by_this_process_is_its_own(tmp_path):
    """As the history of a training, which is written anew after each epoch."""
    path = check_output(tmp_path / "net.csv", (".csv",))
    for text in ("first", "second"):
        with replacing(path) as temporary:
            temporary.write_text(text)
    assert path.read_text() == "second"


@pytest.mark.parametrize("theirs", [None, "theirs"])
def test_file_systems_without_second_names_keep_the_promise(tmp_path, monkeypatch, theirs):
    def refuse(*_):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    path = check_output(tmp_path / "out.nii", (".nii",))
    with contextlib.nullcontext() if theirs is None else pytest.raises(InputError, match="written by another process"):
        with replacing(path) as temporary:
            temporary.write_text("ours")
            if theirs:
                path.write_text(theirs)
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("out.nii", theirs or "ours")]


def test_a_link_that_leads_nowhere_is_a_file_that_is_there(tmp_path):
    (tmp_path / "out.nii").symlink_to(tmp_path / "annexed")
    with pytest.raises(InputError, match="out.nii is a link to a file that is not there. Name another file"):
        check_output(tmp_path / "out.nii", (".nii",))


def test_a_folder_in_which_such_files_came_meanwhile_is_left_as_it_is(tmp_path):
    folder = tmp_path / "samples"
    with pytest.raises(InputError, match="b.nii has been written by another process meanwhile"), filling(folder) as temporary:
        for name in "abc":
            (temporary / f"{name}.nii").write_text("ours")
        folder.mkdir()
        (folder / "b.nii").write_text("theirs")
    assert [(path.name, path.read_text()) for path in folder.iterdir()] == [("b.nii", "theirs")]
    with filling(folder, overwrite=True) as temporary:
        (temporary / "b.nii").write_text("ours")
    assert (folder / "b.nii").read_text() == "ours" and [path.name for path in tmp_path.iterdir()] == ["samples"]


def test_a_folder_that_is_there_is_filled_from_within(tmp_path):
    """It may be a disk of its own, to which nothing from beside it can be renamed."""
    folder = tmp_path / "disk"
    folder.mkdir()
    with filling(folder) as temporary:
        assert temporary.parent == folder


def test_a_machine_without_a_folder_for_temporary_files_is_told_what_to_do(monkeypatch):
    check_temporary_folder()
    # As in a container whose whole file system is read-only.
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: ["/nowhere", "/neither"])
    with pytest.raises(InputError, match=r"no folder for temporary files can be written.*Name one by TMPDIR; .* add --tmpfs /tmp\."):
        check_temporary_folder()
