"""A claim holds against other processes, ends with its own, and is refused where a folder cannot hold locks."""

import contextlib
import errno
import os
import subprocess
import sys

import pytest

from keras_mri.errors import InputError
from keras_mri.io.locks import claimed

_CLAIM = "import os, sys, pathlib; from keras_mri.io.locks import claimed\nwith claimed(pathlib.Path(sys.argv[1])) as ours: "


@pytest.fixture
def start(tmp_path, in_this_checkout):
    """Return a function that starts another process, which claims a file and then runs a statement."""
    started = []

    def start(path, statement):
        pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        process = subprocess.Popen([sys.executable, "-c", _CLAIM + statement, path], env=in_this_checkout, **pipes)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_of_two_processes_one_claims_a_file_until_it_is_done(tmp_path, start):
    path = tmp_path / "sub-01" / "func" / "x.nii.gz"
    first = start(path, "print(ours, flush=True); input()")
    assert first.stdout.readline() == "True\n"
    second = start(path, "print(ours)")
    assert second.communicate()[0] == "False\n"
    with claimed(path) as ours, claimed(path.with_name("y.nii.gz")) as other:
        assert not ours and other
    first.communicate("done\n")
    with claimed(path) as ours:
        assert ours
        assert start(path, "print(ours)").communicate()[0] == "False\n"


def test_a_claim_ends_with_the_process_that_was_killed(tmp_path, start):
    path = tmp_path / "x.nii.gz"
    killed = start(path, "print(ours, flush=True); os.kill(os.getpid(), 9)")
    assert killed.communicate()[0] == "True\n" and killed.returncode == -9
    with claimed(path) as ours:
        assert ours


def test_a_claim_ends_with_a_block_that_fails_and_leaves_nothing_behind(tmp_path):
    path = tmp_path / "x.nii.gz"
    with pytest.raises(ZeroDivisionError), claimed(path):
        raise ZeroDivisionError
    with claimed(path) as ours, claimed(path) as twice:
        assert ours and not twice
    with claimed(path) as ours:
        assert ours
    assert not list(tmp_path.iterdir())


def test_a_lock_that_a_killed_process_left_is_taken_over_and_removed(tmp_path):
    (tmp_path / ".x.nii.gz.lock").touch()
    with claimed(tmp_path / "x.nii.gz") as ours:
        assert ours
    assert not list(tmp_path.iterdir())


def test_a_lock_removed_as_another_process_opens_it_is_not_held_twice(tmp_path, monkeypatch):
    """Its holder removes the file between the other's opening and locking of it; a third has claimed the name by then."""
    fcntl, path, flock = pytest.importorskip("fcntl"), tmp_path / "x.nii.gz", None
    with contextlib.ExitStack() as third:

        def late(file, flags):
            monkeypatch.setattr(fcntl, "flock", flock)
            (tmp_path / ".x.nii.gz.lock").unlink()
            assert third.enter_context(claimed(path))
            flock(file, flags)

        flock = fcntl.flock
        monkeypatch.setattr(fcntl, "flock", late)
        with claimed(path) as ours:
            assert not ours
    assert not list(tmp_path.iterdir())


def test_where_locks_are_not_needed_a_file_system_without_them_is_as_good(tmp_path, monkeypatch):
    fcntl = pytest.importorskip("fcntl")

    def refuse(file, flags):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with claimed(tmp_path / "x.h5", needs_locks=False) as ours:
        assert ours
    assert not list(tmp_path.iterdir())


def test_a_file_system_without_locks_is_named(tmp_path, monkeypatch):
    fcntl = pytest.importorskip("fcntl")

    def refuse(file, flags):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    message = r".x.nii.gz.lock could not be locked \(No locks available\).*Write to a folder on another file system"
    with pytest.raises(InputError, match=message), claimed(tmp_path / "x.nii.gz"):
        pytest.fail("nothing was claimed")


def test_a_folder_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="x.nii.gz could not be written: "), claimed(tmp_path / "file" / "x.nii.gz"):
        pytest.fail("nothing was claimed")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_lock_that_may_not_be_written_is_named(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match=".x.nii.gz.lock could not be written: Permission denied"), claimed(tmp_path / "x.nii.gz"):
        pytest.fail("nothing was claimed")
