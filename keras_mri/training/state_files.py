"""Files that hold the state of an unfinished training: written whole, checked when read, the one before kept."""

import hashlib
import io
import json
import os
import pathlib

import numpy as np

from keras_mri.errors import InputError
from keras_mri.io.whole_files import replacing

# What a file begins with; after it, the SHA-256 of all that follows.
_MAGIC = b"keras_mri state 1\n"
_DIGEST_BYTES = 32


def previous_of(path):
    """Return where the state before the last one lies: pathlib.Path."""
    return path.with_name(path.name + ".previous")


def save_state(path, state):
    """Write a state; the one that is there stays beside it as `previous_of(path)`.

    Parameters
    ----------
    path : pathlib.Path
    state : dict
        Of str to numbers, str, None, ndarrays, and lists and dicts of these.

    Raises
    ------
    InputError
        If the disk is full or writing fails otherwise; what was there stays.
    """
    arrays = []
    text = json.dumps(_without_arrays(state, arrays))
    content = io.BytesIO()
    np.savez(content, text=np.frombuffer(text.encode(), np.uint8), **{str(k): array for k, array in enumerate(arrays)})
    with replacing(path) as temporary:
        with open(temporary, "wb") as file:
            file.write(_MAGIC + hashlib.sha256(content.getbuffer()).digest())
            file.write(content.getbuffer())
            # On the disk before it takes the name, or a power cut could leave a name without content.
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            path.replace(previous_of(path))


def load_state(path):
    """Read a state, or the one before it where the last one is damaged.

    Parameters
    ----------
    path : pathlib.Path

    Returns
    -------
    state : dict or None
        None if there is no file of either name.
    remark : str or None
        What to tell the user: that the last one was damaged.

    Raises
    ------
    InputError
        If there are files, and all are damaged.
    """
    found = [file for file in (path, previous_of(path)) if file.exists()]
    for number, file in enumerate(found):
        state = _read(file)
        if state is not None:
            damaged = f"{found[0]} is damaged, so training goes on from the state before it, {file}"
            return state, damaged if number else None
    if found:
        names = " and ".join(map(str, found))
        raise InputError(f"{names}: the state of the training is damaged. Delete it, and train from the start.")
    return None, None


def remove_state(path):
    """Remove a state and the one before it, if they are there."""
    for file in (path, previous_of(path)):
        pathlib.Path(file).unlink(missing_ok=True)


def _read(path):
    """Return the state in a file, None if it is damaged."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    start = len(_MAGIC) + _DIGEST_BYTES
    # The sum is of the file's own making: what passes it is as it was written, so nothing below can fail.
    if content[: len(_MAGIC)] != _MAGIC or hashlib.sha256(content[start:]).digest() != content[len(_MAGIC) : start]:
        return None
    with np.load(io.BytesIO(content[start:]), allow_pickle=False) as stored:
        return _with_arrays(json.loads(stored["text"].tobytes().decode()), stored)


def _without_arrays(part, arrays):
    """Return a part of a state as JSON can hold it, with arrays put aside."""
    if isinstance(part, np.ndarray):
        arrays.append(part)
        return {"array": len(arrays) - 1}
    if isinstance(part, dict):
        # Wrapped, so that no dict is taken for an array.
        return {"dict": {name: _without_arrays(value, arrays) for name, value in part.items()}}
    if isinstance(part, (list, tuple)):
        return [_without_arrays(value, arrays) for value in part]
    return part.item() if isinstance(part, np.generic) else part


def _with_arrays(part, stored):
    if isinstance(part, dict):
        if "array" in part:
            return stored[str(part["array"])]
        return {name: _with_arrays(value, stored) for name, value in part["dict"].items()}
    if isinstance(part, list):
        return [_with_arrays(value, stored) for value in part]
    return part
