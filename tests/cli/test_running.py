"""What happens around a command: its arguments, its errors, its log lines."""

import argparse
import errno
import logging
import os

import pytest

from keras_mri.cli import running
from keras_mri.errors import GridMismatchError, InputError


@pytest.mark.parametrize(("result", "status"), [(None, 0), (0, 0), (3, 3)])
def test_run_returns_the_status_of_the_command(result, status):
    assert running.run(lambda arguments: result, []) == status


def test_run_hands_over_the_arguments_or_those_of_the_process(monkeypatch):
    given = []
    monkeypatch.setattr("sys.argv", ["program", "--flag"])
    running.run(given.append, ["a", "b"])
    running.run(given.append)
    assert given == [["a", "b"], ["--flag"]]


@pytest.mark.parametrize("kind", [InputError, GridMismatchError])
def test_an_input_error_is_its_message_on_stderr_exit_2_and_no_traceback(capsys, kind):
    def command(arguments):
        raise kind("the images differ.\n  one\n  two")

    assert running.run(command, []) == 2
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "keras_mri: error: the images differ.\n  one\n  two\n")


def test_ctrl_c_is_one_line_and_exit_130(capsys):
    def command(arguments):
        raise KeyboardInterrupt

    assert running.run(command, []) == 130
    assert capsys.readouterr().err == "keras_mri: interrupted.\n"


def test_a_reader_that_closes_the_pipe_too_early_ends_the_command_in_silence_and_without_success(capsys):
    def command(arguments):
        raise BrokenPipeError

    # As the shell counts SIGPIPE; 0 would say of two headers that they are equal.
    assert running.run(command, []) == 141
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("kind", [ValueError, RuntimeError, OSError, MemoryError, AssertionError])
def test_a_defect_of_ours_keeps_its_traceback_and_has_a_status_of_its_own(capsys, kind):
    def command(arguments):
        raise kind("a defect")

    # 1 is an answer: headers differ, anatomy was removed.
    assert running.run(command, []) == 70
    said = capsys.readouterr().err
    assert said.startswith("Traceback") and f"{kind.__name__}: a defect\n" in said
    assert said.endswith("this is a defect of keras_mri, not of your data. Please report it with the lines above.\n")


def test_a_machine_without_room_is_no_defect(capsys):
    def command(arguments):
        raise OSError(errno.EMFILE, "Too many open files", "scan.nii")

    assert running.run(command, []) == 2
    said = capsys.readouterr().err
    assert said == (
        "keras_mri: error: scan.nii could not be opened or written: Too many open files; this process may open more with ulimit -n.\n"
    )


def test_run_silences_start_up_remarks_unless_a_level_was_set(monkeypatch):
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)
    assert running.run(lambda arguments: int(os.environ["TF_CPP_MIN_LOG_LEVEL"]), []) == 3
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "1")
    assert running.run(lambda arguments: int(os.environ["TF_CPP_MIN_LOG_LEVEL"]), []) == 1


def test_a_remark_comes_once_though_another_library_logs_to_the_screen_as_well(capsys, caplog):
    def command(arguments):
        logging.getLogger("keras_mri.some_module").info("said once")

    running.run(command, [])
    assert capsys.readouterr().err == "said once\n"
    assert not caplog.records
    logging.getLogger("keras_mri.some_module").warning("as before")
    assert caplog.messages == ["as before"]


def test_native_messages_are_held_back_and_python_s_errors_are_not(capfd):
    with pytest.raises(KeyError), running.native_messages_held_back():
        os.write(2, b"start-up remark")
        raise KeyError
    os.write(2, b"after")
    assert capfd.readouterr().err == "after"


def test_messages_are_kept_while_the_block_lasts():
    logger = logging.getLogger("keras_mri.somewhere")
    with running.kept_messages() as messages:
        logger.warning("warning: %d", 3)
    logger.warning("later")
    assert messages == [(logging.WARNING, "warning: 3")]


@pytest.mark.parametrize("failure", [None, InputError("no scan"), ZeroDivisionError()])
def test_run_leaves_the_caller_s_loggers_as_they_were(failure):
    ours, tensorflow = logging.getLogger("keras_mri"), logging.getLogger("tensorflow")
    records, theirs = [], logging.Handler()
    theirs.emit = records.append

    def command(arguments):
        assert (ours.level, tensorflow.level) == (logging.INFO, logging.ERROR)
        ours.info("reaches both")
        if failure:
            raise failure

    before = ours.level, ours.propagate, list(ours.handlers), tensorflow.level
    try:
        ours.addHandler(theirs)
        ours.setLevel(logging.WARNING)
        tensorflow.setLevel(logging.DEBUG)
        running.run(command, [])
        assert [record.getMessage() for record in records] == ["reaches both"]
        assert (ours.level, ours.propagate, tensorflow.level) == (logging.WARNING, before[1], logging.DEBUG)
        assert ours.handlers == [*before[2], theirs]
    finally:
        ours.removeHandler(theirs)
        ours.setLevel(before[0])
        tensorflow.setLevel(before[3])


@pytest.fixture
def parser():
    parser = running.Parser(prog="example")
    parser.add_argument("images", nargs="*", metavar="IMAGE")
    parser.add_argument("first")
    parser.add_argument("-o", "--output")
    parser.add_argument("--noise-range", dest="noise_range")
    parser.add_argument("--align", action=argparse.BooleanOptionalAction)
    return parser


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("`noise_range` must be at least 0.0. Received: -1.0.", "--noise-range must be at least 0.0. Received: -1.0."),
        ("Use a smaller `noise_range`, or leave `align` out.", "Use a smaller --noise-range, or leave --align out."),
        ("`images` hold no scan; `first` is none.", "IMAGE hold no scan; first is none."),
        ("`output` exists.", "-o/--output exists."),
        # Neither an argument of this command, nor a name alone.
        ("`sigma` cannot be negative.", "`sigma` cannot be negative."),
        ("`noise_range=(0, 1)` and noise_range stay", "`noise_range=(0, 1)` and noise_range stay"),
    ],
)
def test_errors_and_remarks_of_the_library_are_spelt_as_options_of_the_command(parser, capsys, message, shown):
    def command(arguments):
        parser.parse_all(arguments)
        with running.kept_messages() as messages:
            logging.getLogger("keras_mri.somewhere").warning(message)
        assert messages == [(logging.WARNING, shown)]
        raise InputError(message)

    assert running.run(command, ["x"]) == 2
    assert capsys.readouterr().err == f"{shown}\nkeras_mri: error: {shown}\n"


def test_one_command_s_options_are_unknown_to_the_next(parser, capsys):
    def fail(arguments):
        raise InputError("`noise_range` is wrong")

    running.run(lambda arguments: parser.parse_all(arguments) and 0, ["x"])
    running.run(fail, [])
    assert running.in_flags("`noise_range`") == "`noise_range`"
    assert capsys.readouterr().err == "keras_mri: error: `noise_range` is wrong\n"
