"""Signals end a command as exceptions do, so that it tidies up; what was to be ignored stays ignored."""

import os
import signal
import subprocess
import sys
import tempfile

import pytest

from keras_mri.cli import running, signals
from keras_mri.io.whole_files import replacing


@pytest.fixture(autouse=True)
def handlers():
    """As a shell starts a process, and as it was afterwards."""
    numbers = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL, signal.SIGHUP: signal.SIG_DFL}
    before = {number: signal.signal(number, handler) for number, handler in numbers.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def sending(number):
    """Return a command that gets a signal."""

    def command(arguments):
        os.kill(os.getpid(), number)
        for _ in range(1000):
            pass
        return 0

    return command


@pytest.mark.parametrize(("name", "status"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_a_signal_ends_a_command_with_the_shell_s_status(capsys, name, status):
    assert running.run(sending(signal.Signals[name]), []) == status
    assert capsys.readouterr().err == ("keras_mri: interrupted.\n" if name == "SIGINT" else f"keras_mri: ended by {name}.\n")


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_leaves_no_temporary_file(tmp_path, name):
    def command(arguments):
        with replacing(tmp_path / "out.nii") as temporary:
            temporary.write_bytes(b"half of it")
            sending(signal.Signals[name])([])

    running.run(command, [])
    assert not list(tmp_path.iterdir())


def test_ordinary_errors_handlers_do_not_stop_it():
    with pytest.raises(signals.EndedBySignal), signals.raised():
        try:
            sending(signal.SIGTERM)([])
        except Exception:  # as around each scan of a study
            raise AssertionError from None


@pytest.mark.parametrize("name", ["SIGINT", "SIGHUP", "SIGTERM"])
def test_what_nohup_and_background_jobs_ignore_stays_ignored(name):
    number = signal.Signals[name]
    signal.signal(number, signal.SIG_IGN)
    assert running.run(sending(number), []) == 0
    assert signal.getsignal(number) == signal.SIG_IGN


def test_afterwards_the_caller_s_handlers_are_back():
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    running.run(lambda arguments: 0, [])
    with signals.leaving_at_once():
        assert signal.getsignal(signal.SIGINT) != before[0]
    assert [signal.getsignal(number) for number in numbers] == before


@pytest.mark.parametrize("front", ["keras_mri.predict", "keras_mri"])
def test_ctrl_c_while_modules_are_imported_is_one_line_and_130(tmp_path, front):
    """A module that every command needs interrupts its own import."""
    interrupting = "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nraise ImportError('what imports make of it')\n"
    (tmp_path / "nibabel.py").write_text(interrupting)
    arguments = ["predict", "--help"] if front == "keras_mri" else ["--help"]
    here = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), os.getcwd()])}
    ended = subprocess.run([sys.executable, "-m", front, *arguments], capture_output=True, text=True, env=here, cwd=tempfile.gettempdir())
    assert (ended.returncode, ended.stderr) == (130, "keras_mri: interrupted.\n")
