"""What every command shares: flags from dataclasses, errors as one message, log lines without prefixes."""

import argparse
import contextlib
import dataclasses
import difflib
import logging
import os
import sys
import types
import typing

from keras_mri.config import shown
from keras_mri.errors import InputError


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
        """Parse arguments; an option nobody knows is an InputError that names the nearest one."""
        parsed, unknown = self.parse_known_args(arguments)
        if unknown:
            if not unknown[0].startswith("-"):
                raise InputError(
                    f"unexpected argument {unknown[0]!r}: name all images together, before the options. See {self.prog} --help."
                )
            known = [text for action in self._actions for text in action.option_strings]
            nearest = difflib.get_close_matches(unknown[0].split("=")[0], known, n=1)
            hint = f" Did you mean {nearest[0]}?" if nearest else ""
            raise InputError(f"unknown option {unknown[0]}.{hint} See {self.prog} --help.")
        return parsed


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
        Exit status: 0; 2 after an InputError; 130 after Ctrl-C.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    # Start-up remarks of TensorFlow; whoever set a level keeps theirs.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logger = logging.getLogger("keras_mri")
    logger.handlers = [logging.StreamHandler(sys.stderr)]
    logger.setLevel(logging.INFO)
    # Keras gives the root logger a handler of its own once it has something to say: every line would come twice.
    propagated, logger.propagate = logger.propagate, False
    # TensorFlow counts the graphs of scans of several shapes and warns, which tells the user nothing.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    try:
        return command(arguments) or 0
    except InputError as error:
        print(f"keras_mri: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("keras_mri: interrupted.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 0
    finally:
        logger.propagate = propagated


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
    handler.emit = lambda record: messages.append((record.levelno, record.getMessage()))
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


def add_options(parser, options):
    """Add one flag for each field of a dataclass of options.

    Parameters
    ----------
    parser : argparse.ArgumentParser
    options : type
        Subclass of `keras_mri.config.Options`.
    """
    hints = typing.get_type_hints(options)
    for field in dataclasses.fields(options):
        parser.add_argument(
            "--" + field.name.replace("_", "-"), dest=field.name, default=argparse.SUPPRESS, **_flag(field, hints[field.name])
        )


def chosen_options(options, parsed, preset=None):
    """Build the options from what the user said, over a preset, over the defaults.

    Parameters
    ----------
    options : type
        Subclass of `keras_mri.config.Options`.
    parsed : argparse.Namespace
    preset : dict, optional

    Returns
    -------
    Options
    """
    names = {field.name for field in dataclasses.fields(options)}
    said = {name: tuple(value) if isinstance(value, list) else value for name, value in vars(parsed).items() if name in names}
    return options(**{**(preset or {}), **said})


def _flag(field, hint):
    """Return the arguments of `add_argument` for one field."""
    metadata = field.metadata
    text = f"{metadata['help']} (default: {shown(field.default)})".replace("%", "%%")
    if hint is bool:
        return dict(action=argparse.BooleanOptionalAction, help=text)
    optional = type(None) in typing.get_args(hint)
    if optional and isinstance(hint, types.UnionType):
        hint = next(part for part in typing.get_args(hint) if part is not type(None))
    flag = dict(help=text, choices=metadata["choices"], metavar=None if metadata["choices"] else metadata["unit"])
    entry = hint
    if typing.get_origin(hint) is tuple:
        entries = typing.get_args(hint)
        entry = entries[0]
        flag["nargs"] = "+" if entries[-1] is Ellipsis else len(entries)
    convert = explained(metadata["parse"]) if metadata["parse"] else entry
    flag["type"] = or_none(convert) if optional and "nargs" not in flag else convert
    if flag["metavar"] is None and not flag["choices"]:
        flag["metavar"] = entry.__name__.upper()
    return flag


def explained(convert):
    """Let argparse show the message of an InputError, which it would replace as it does any ValueError's."""

    def parse(text):
        try:
            return convert(text)
        except InputError as error:
            raise argparse.ArgumentTypeError(str(error).rstrip(".")) from error

    return parse


def or_none(convert):
    """Make a converter of an option's text that also takes "none", for None."""

    def parse(text):
        return None if text == "none" else convert(text)

    parse.__name__ = getattr(convert, "__name__", "value")
    return parse
