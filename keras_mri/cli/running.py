"""What every command does around its work: arguments parsed, errors as one message, log lines without prefixes."""

import argparse
import contextlib
import contextvars
import difflib
import logging
import os
import re
import sys
import time
import traceback

import keras_mri
from keras_mri.cli import signals, streams
from keras_mri.errors import InputError, refused_by_system, remedy_of

# How the command that is running calls the arguments of library functions: "noise_range" → "--noise-range".
_SPELLINGS = contextvars.ContextVar("spellings")
# When the running command began, on the clock of `time.monotonic`.
_BEGUN = contextvars.ContextVar("begun", default=None)


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose errors are InputErrors, with the nearest option named."""

    def __init__(self, *positional, **options):

        def formatter(prog):
            return argparse.HelpFormatter(prog, max_help_position=32, width=110)

        super().__init__(*positional, allow_abbrev=False, formatter_class=formatter, **options)

    def error(self, message):
        """Raise instead of exiting."""
        raise InputError(f"{message}. See {self.prog} --help.")

    def parse_all(self, arguments):
        """Parse arguments; an option nobody knows is an InputError that names the nearest one.

        From here on, `run` and the log spell arguments as options of this parser.
        """
        _SPELLINGS.get({}).update({action.dest: _spelling(action) for action in self._actions})
        parsed, unknown = self.parse_known_intermixed_args(arguments)
        if unknown:
            if not unknown[0].startswith("-"):
                raise InputError(f"unexpected argument {unknown[0]!r}. See {self.prog} --help.")
            known = [text for action in self._actions for text in action.option_strings]
            nearest = difflib.get_close_matches(unknown[0].split("=")[0], known, n=1)
            hint = f" Did you mean {nearest[0]}?" if nearest else ""
            raise InputError(f"unknown option {unknown[0]}.{hint} See {self.prog} --help.")
        return parsed


def _spelling(action):
    """Return how the user names an argument: its flag, with the short one before it, or its place."""
    if not action.option_strings:
        return action.metavar or action.dest
    if isinstance(action, argparse.BooleanOptionalAction):
        return action.option_strings[0]
    return "/".join(action.option_strings)


def in_flags(message):
    """Spell the arguments that a message of the library names as the running command's options.

    Parameters
    ----------
    message : str
        Names arguments in backticks, for example "`noise_range` must be at least 0.0".

    Returns
    -------
    str
        "--noise-range must be at least 0.0", if the command has that option; other names stay as they are.
    """
    spellings = _SPELLINGS.get({})
    return re.sub(r"`(\w+)`", lambda match: spellings.get(match[1], match[0]), message)


class _FlagsFormatter(logging.Formatter):
    """Log lines whose arguments are spelt as options."""

    def format(self, record):
        return in_flags(super().format(record))


@contextlib.contextmanager
def process_is_command():
    """Let the command of the block be what this process was started for: for its user it began with the process."""
    token = _BEGUN.set(keras_mri.IMPORTED)
    try:
        yield
    finally:
        _BEGUN.reset(token)


def command_begun():
    """Return when the running command began for its user, on the clock of `time.monotonic`: the moment of Enter, but for 0.1 s.

    Returns
    -------
    float
        Seconds; now, where no command is running.
    """
    return time.monotonic() if _BEGUN.get() is None else _BEGUN.get()


def run(command, arguments=None):
    """Run a command and turn what the user must know into one message.

    Parameters
    ----------
    command : callable
        Takes a list of str.
    arguments : list of str, optional
        `sys.argv` without the program's name by default.

    Returns
    -------
    int
        Exit status: the command's own, 0 or 1; 2 after an InputError, or where the machine has no room; 70 after a defect of ours,
        with its traceback; 130 after Ctrl-C, 141 if the reader of the output has gone, 128 + its number after another signal.
    """
    # Start-up remarks of TensorFlow; whoever set a level keeps theirs.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    token = _SPELLINGS.set({})
    begun = _BEGUN.set(keras_mri.IMPORTED if arguments is None else command_begun())
    with streams.every_character(), signals.raised(), _log_on_screen():
        try:
            status = _status(command, sys.argv[1:] if arguments is None else arguments)
        finally:
            _SPELLINGS.reset(token)
            _BEGUN.reset(begun)
            # In any case: --help leaves by an exception.
            flushed = streams.emptied()
        return max(status, flushed)


def _status(command, arguments):
    """Run a command and return its exit status, whatever ends it."""
    try:
        return command(arguments) or 0
    except InputError as error:
        streams.say(f"keras_mri: error: {in_flags(str(error))}")
        return 2
    except KeyboardInterrupt:
        streams.say("keras_mri: interrupted.")
        return 130
    except signals.EndedBySignal as ended:
        streams.say(str(ended))
        return ended.status
    except BrokenPipeError:
        return 141
    except Exception as error:
        if remedy_of(error):
            streams.say(f"keras_mri: error: {error.filename or 'a file'} could not be opened or written: {refused_by_system(error)}.")
            return 2
        with contextlib.suppress(OSError):
            traceback.print_exc()
        streams.say("keras_mri: this is a defect of keras_mri, not of your data. Please report it with the lines above.")
        return 70


@contextlib.contextmanager
def _log_on_screen():
    """Show what keras_mri logs, and only that, within the block; afterwards all loggers are as they were."""
    ours, tensorflow = logging.getLogger("keras_mri"), logging.getLogger("tensorflow")
    before = ours.level, ours.propagate, tensorflow.level
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_FlagsFormatter())
    ours.addHandler(handler)
    ours.setLevel(logging.INFO)
    # Keras gives the root logger a handler of its own once it has something to say: every line would come twice.
    ours.propagate = False
    # TensorFlow counts the graphs of scans of several shapes and warns, which tells the user nothing.
    tensorflow.setLevel(logging.ERROR)
    try:
        yield
    finally:
        ours.removeHandler(handler)
        level, ours.propagate, tensorflow_level = before
        ours.setLevel(level)
        tensorflow.setLevel(tensorflow_level)


@contextlib.contextmanager
def kept_messages():
    """Keep, besides showing it, what is logged within the block.

    Yields
    ------
    list of (int, str)
        Level and text of each message; it grows.
    """
    messages = []
    handler = logging.Handler()
    handler.emit = lambda record: messages.append((record.levelno, in_flags(record.getMessage())))
    logger = logging.getLogger("keras_mri")
    logger.addHandler(handler)
    try:
        yield messages
    finally:
        logger.removeHandler(handler)


@contextlib.contextmanager
def native_messages_held_back():
    """Keep off the screen what TensorFlow's C++ part says when it is imported, which no logger can hold back.

    Python's own errors are raised as ever.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
