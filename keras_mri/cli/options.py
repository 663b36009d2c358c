"""Command-line flags: one for each field of a dataclass of options, and those that several commands share."""

import argparse
import dataclasses
import types
import typing

from keras_mri.config import shown
from keras_mri.errors import InputError
from keras_mri.systems.network_files import pretrained_networks

# For the help of `predict`.
FURTHER_OPTIONS = "Further options depend on MODEL: python -m keras_mri.predict MODEL --help"


def add_options(parser, options):
    """Add one flag for each field of a dataclass of options: the basic ones to the parser, the others to a group behind them.

    Parameters
    ----------
    parser : argparse.ArgumentParser
    options : type
        Subclass of `keras_mri.config.Options`.
    """
    hints = typing.get_type_hints(options)
    research = parser.add_argument_group("research options")
    for field in dataclasses.fields(options):
        group = parser if field.metadata["basic"] else research
        group.add_argument(
            "--" + field.name.replace("_", "-"), dest=field.name, default=argparse.SUPPRESS, **_flag(field, hints[field.name])
        )


def add_any_options(parser, systems):
    """Add the flags of several sets of options at once, each to take any value: for a parser that only tells words from values.

    Parameters
    ----------
    parser : argparse.ArgumentParser
    systems : iterable of type
        Subclasses of `keras_mri.config.Options`.
    """
    pairs = [(field, typing.get_type_hints(options)[field.name]) for options in systems for field in dataclasses.fields(options)]
    fields = {field.name: (field, hint) for field, hint in pairs}
    for name, (field, hint) in fields.items():
        flag = {key: value for key, value in _flag(field, hint).items() if key in ("action", "nargs")}
        parser.add_argument("--" + name.replace("_", "-"), dest=name, default=argparse.SUPPRESS, **flag)


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


def add_output_flags(parser, replaced="replace existing files", dtypes=()):
    """Add the flags shared by the commands that read scans and write files: `--overwrite --replace-nonfinite [--dtype]`.

    Parameters
    ----------
    parser : argparse.ArgumentParser
    replaced : str
        Help text of `--overwrite`.
    dtypes : sequence of str
        Data types of the output, float32 among them; empty for no `--dtype`.
    """
    parser.add_argument("--overwrite", action="store_true", help=replaced)
    parser.add_argument("--replace-nonfinite", action="store_true", help="read NaN and infinity as 0")
    if dtypes:
        parser.add_argument("--dtype", choices=dtypes, default="float32", help="data type of the output (default: float32)")


def add_checksum(parser):
    """Add the flag `--sha256`, for the network's file."""
    parser.add_argument("--sha256", metavar="HEX", help="refuse the network's file unless it has this SHA-256 (info prints it)")


def network_help(prefix=""):
    """Return the help text of an argument that names a network, with the pre-trained networks at hand.

    Parameters
    ----------
    prefix : str or tuple of str
        List only the pre-trained networks whose name begins so, for example "ldm_".

    Returns
    -------
    str
    """
    names = ", ".join(name for name in sorted(pretrained_networks()) if name.startswith(prefix))
    named = f"; or the name of a pre-trained network: {names}" if names else ""
    return f"a network file written by keras_mri.train (.h5), or one on the Hugging Face hub (hf://owner/name){named}"


def _flag(field, hint):
    """Return the arguments of `add_argument` for one field."""
    metadata = field.metadata
    text = f"{metadata['help']} (default: {metadata['auto'] or shown(field.default)})".replace("%", "%%")
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
    # Where "none" is a choice, it is a value of its own.
    takes_none = optional and "nargs" not in flag and "none" not in (flag["choices"] or ())
    flag["type"] = or_none(convert) if takes_none else convert
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
