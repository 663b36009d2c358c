"""Several machines that train together: each runs the same command, and the variable TF_CONFIG tells it who they all are."""

import contextlib
import json
import os
import tempfile
import typing

from keras_mri.errors import InputError

_EXAMPLE = '{"cluster": {"worker": ["first:12345", "second:12345"]}, "task": {"type": "worker", "index": 0}}'


class Workers(typing.NamedTuple):
    """The machines of a training.

    Parameters
    ----------
    addresses : tuple of str
        Host and port of each.
    index : int
        Of this one; the first writes what all have made.
    """

    addresses: tuple
    index: int


def workers_here():
    """Read TF_CONFIG, as TensorFlow will.

    Returns
    -------
    Workers

    Raises
    ------
    InputError
        If it is missing, or does not name workers of which this is one.
    """
    text = os.environ.get("TF_CONFIG")
    if not text:
        raise InputError(f"`workers` needs the environment variable TF_CONFIG, such as {_EXAMPLE}; index is another one on each machine.")
    try:
        told = json.loads(text)
        addresses, task = told["cluster"]["worker"], told["task"]
        index = task["index"]
        fits = task["type"] == "worker" and type(index) is int and set(told["cluster"]) == {"worker"}
        fits = fits and isinstance(addresses, list) and 0 <= index < len(addresses) == len(set(addresses))
        fits = fits and all(isinstance(address, str) and ":" in address for address in addresses)
    except (ValueError, LookupError, TypeError) as error:
        raise InputError(f"TF_CONFIG must look like {_EXAMPLE}. Received: {text}") from error
    if not fits:
        raise InputError(f"TF_CONFIG must name workers alone, as HOST:PORT, and this one by its index: {_EXAMPLE}. Received: {text}")
    return Workers(tuple(addresses), index)


@contextlib.contextmanager
def discarded_folder(workers):
    """Give every machine but the first a folder for what it writes, which goes away: all do the same work, one result is enough.

    Parameters
    ----------
    workers : Workers or None

    Yields
    ------
    str or None
        None for the first machine, or the only one.
    """
    if workers is None or workers.index == 0:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="keras_mri_") as folder:
        yield folder
