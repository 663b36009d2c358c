"""Options: one frozen dataclass field is the name, type, default, range and help of one command-line flag."""

import dataclasses
import difflib
import numbers
import os
import re
import types
import typing

from keras_mri.errors import InputError

# What Python may give for an entry of an option, by its type, and what that is called.
_KINDS = {
    bool: (bool, "True or False"),
    int: (numbers.Integral, "a whole number"),
    float: (numbers.Real, "a number"),
    str: (str, "text"),
}

_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s?)?")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Declaration:
    """What is declared of an option besides its name, type and default.

    Parameters
    ----------
    help : str
        What `--help` says of the option, without its default.
    auto : str, optional
        What a default of None stands for, where it depends on the data or on other options.
    basic : bool
        Whether `--help` lists the option first, before the research options.
    low, high : float, optional
        Inclusive bounds; for a tuple, of each of its entries.
    choices : sequence of str or int, optional
        The values allowed.
    parse : callable, optional
        Turns the text of the command line into the value.
    unit : str, optional
        Shown as the value's placeholder in `--help`.
    path : bool
        Whether the value names a file of the user's, whose folder is written to no file.
    """

    help: str
    auto: str | None = None
    basic: bool = False
    low: float | None = None
    high: float | None = None
    choices: typing.Sequence | None = None
    parse: typing.Callable | None = None
    unit: str | None = None
    path: bool = False


def option(default, help, **declared):
    """Declare one option of a Config.

    Parameters
    ----------
    default : any
        Value when the user gives none.
    help : str
        What `--help` says of the option, without its default.
    **declared
        Further fields of the Declaration.

    Returns
    -------
    dataclasses.Field
        Its metadata are the fields of the Declaration.
    """
    return dataclasses.field(default=default, metadata=vars(Declaration(help=help, **declared)))


def parse_duration(text):
    """Read a time such as `90s`, `5m` or `1h30m`.

    Parameters
    ----------
    text : str

    Returns
    -------
    float
        Seconds.

    Raises
    ------
    InputError
        If `text` is no duration, or is zero.
    """
    match = _DURATION.fullmatch(text.strip())
    hours, minutes, seconds = (float(part or 0) for part in match.groups()) if match else (0, 0, 0)
    duration = 3600 * hours + 60 * minutes + seconds
    if duration <= 0:
        raise InputError(f"a duration looks like 90s, 5m or 1h30m. Received: {text!r}.")
    return duration


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """Base of every set of options: validated once, here, then trusted."""

    def __post_init__(self):
        hints = typing.get_type_hints(type(self))
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            _check(field, hints[field.name], value)

    def to_json(self):
        """Return the options as a dict that `json.dumps` accepts and `from_json` restores; of the user's files only the names."""
        paths = {field.name for field in dataclasses.fields(self) if field.metadata["path"]}
        return {name: _without_folders(value) if name in paths else value for name, value in vars(self).items()}

    @classmethod
    def from_json(cls, values):
        """Build the options from what `to_json` gave, after a trip through a JSON text.

        Parameters
        ----------
        values : dict
            Names that this version does not know are refused.

        Returns
        -------
        Options

        Raises
        ------
        InputError
            If a name is unknown or a value is out of range.
        """
        known = {field.name for field in dataclasses.fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise InputError(f"unknown settings {unknown}: they come from another version. Known: {sorted(known)}.")
        return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})

    @classmethod
    def from_names(cls, owner="", /, **values):
        """Build the options from what a caller in Python names.

        Parameters
        ----------
        owner : str, positional only
            What the options belong to, for the message about an unknown one, e.g. "wgan".
        **values
            Options by name. Lists become tuples, paths and durations such as "5m" what the options hold.

        Returns
        -------
        Options

        Raises
        ------
        InputError
            If an option is unknown, or its value has the wrong type or is out of range.
        """
        hints, fields = typing.get_type_hints(cls), {field.name: field for field in dataclasses.fields(cls)}
        for name in values:
            if name not in fields:
                nearest = difflib.get_close_matches(name, fields, n=1)
                hint = f" Did you mean `{nearest[0]}`?" if nearest else ""
                raise InputError(f"unknown option `{name}`{f' of {owner}' if owner else ''}.{hint}")
        return cls(**{name: _converted(fields[name], hints[name], value) for name, value in values.items()})


def _check(field, hint, value):
    """Raise InputError unless `value` fits what `field` declares."""
    name, limits = f"`{field.name}`", field.metadata
    if value is None:
        if type(None) not in typing.get_args(hint):
            raise InputError(f"{name} needs a value. Received: None.")
        return
    if limits["choices"] and value not in limits["choices"]:
        raise InputError(f"{name} must be one of {', '.join(map(str, limits['choices']))}. Received: {value!r}.")
    length = _tuple_length(hint)
    if length and not (isinstance(value, tuple) and len(value) == length):
        raise InputError(f"{name} needs {length} values. Received: {value}.")
    for entry in value if isinstance(value, tuple) else (value,):
        if limits["low"] is None and limits["high"] is None:
            continue
        if not isinstance(entry, numbers.Real):
            raise InputError(f"{name} must be a number. Received: {value!r}.")
        if limits["low"] is not None and not entry >= limits["low"]:
            raise InputError(f"{name} must be at least {limits['low']}. Received: {value}.")
        if limits["high"] is not None and not entry <= limits["high"]:
            raise InputError(f"{name} must be at most {limits['high']}. Received: {value}.")


def _converted(field, hint, value):
    """Return a value that Python gave for a field as the field's type; raise InputError if it has another."""
    if value is None:
        return None
    if field.metadata["unit"] == "NIFTI" and not isinstance(value, (str, os.PathLike)):
        return _image(field, value)
    if field.metadata["parse"] and isinstance(value, str):
        try:
            return field.metadata["parse"](value)
        except InputError as error:
            raise InputError(f"`{field.name}`: {error}") from error
    if isinstance(hint, types.UnionType):
        hint = next(part for part in typing.get_args(hint) if part is not types.NoneType)
    if typing.get_origin(hint) is not tuple:
        return _entry(field, hint, value, value)
    if not isinstance(value, (tuple, list)):
        raise InputError(f"`{field.name}` must be a tuple or a list. Received: {value!r}.")
    return tuple(_entry(field, typing.get_args(hint)[0], entry, value) for entry in value)


def _image(field, value):
    """Return an image in memory that stands for a file; raise InputError if it is none."""
    if not {"affine", "shape"} <= set(dir(value)):
        raise InputError(f"`{field.name}` must be a path, a nibabel image or a Volume. Received: {type(value).__name__}.")
    return value


def _entry(field, kind, entry, value):
    """Return one entry of `value` as a number, a bool or text."""
    if kind is str and isinstance(entry, os.PathLike):
        return os.fspath(entry)
    expected, words = _KINDS[kind]
    # To Python, True is a number.
    if not isinstance(entry, expected) or (isinstance(entry, bool) and kind is not bool):
        plural = "" if entry is value else "a tuple, each entry "
        raise InputError(f"`{field.name}` must be {plural}{words}. Received: {value!r}.")
    return kind(entry)


def _without_folders(value):
    """Return the file's name of a path, of each of several, or None."""
    if isinstance(value, (tuple, list)):
        return tuple(map(_without_folders, value))
    if value is not None and not isinstance(value, str):
        return "image in memory"
    # A path of either system, on either system.
    return value and re.split(r"[\\/]", value.rstrip("\\/"))[-1]


def _tuple_length(hint):
    """Return how many entries a tuple of a fixed length has; None for any other type."""
    for part in (hint, *typing.get_args(hint)):
        if typing.get_origin(part) is tuple and typing.get_args(part)[-1] is not Ellipsis:
            return len(typing.get_args(part))
    return None


def shown(value):
    """Write the value of an option as the user would."""
    if value is None:
        return "none"
    return " ".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)
