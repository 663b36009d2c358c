"""The state of an unfinished training, in a folder that git ignores: written whole, checked when read, the one before kept."""

import contextlib
import hashlib
import io
import json
import os

import numpy as np

from keras_mri.errors import InputError
from keras_mri.io.whole_files import explained, replacing

# What a file begins with; after it, the SHA-256 of all that follows.
_MAGIC = b"keras_mri state 1\n"
_DIGEST_BYTES = 32


def last_of(path):
    """Return the file of the last state in its folder: pathlib.Path."""
    return path / "last"


def previous_of(path):
    """Return the file of the state before the last one: pathlib.Path."""
    return path / "previous"


def states_in(path):
    """Return the files of states that are there, the newest first.

    Parameters
    ----------
    path : pathlib.Path
        The folder NAME.state; or of an earlier release, the file of this name, with NAME.state.previous beside it.

    Returns
    -------
    list of pathlib.Path
    """
    files = (last_of(path), previous_of(path), path, path.with_name(path.name + ".previous"))
    return [file for file in files if file.is_file()]


def save_state(path, state):
    """Write a state; the one that is there stays as `previous_of(path)`.

    Parameters
    ----------
    path : pathlib.Path
        The folder, which is made if it is not there.
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
    with _folder(path), replacing(last_of(path)) as temporary:
        with open(temporary, "wb") as file:
            file.write(_MAGIC + hashlib.sha256(content.getbuffer()).digest())
            file.write(content.getbuffer())
            # On the disk before it takes the name, or a power cut could leave a name without content.
            file.flush()
            os.fsync(file.fileno())
        if last_of(path).exists():
            last_of(path).replace(previous_of(path))


@contextlib.contextmanager
def _folder(path):
    """Make the folder of states for the block; it is not left empty. Whoever keeps networks under git must not find it listed."""
    with explained(path):
        if path.is_file():
            # Of an earlier release; it stays the state to go on from until the new one is written.
            path.replace(path.with_name(f".{path.name}"))
        path.mkdir(exist_ok=True)
        if path.with_name(f".{path.name}").is_file():
            path.with_name(f".{path.name}").replace(last_of(path))
        _ignoring(path).write_text("*\n", encoding="utf-8")
    try:
        yield
    finally:
        if not states_in(path):
            remove_state(path)


def load_state(path):
    """Read a state, or the one before it where the last one is damaged.

    Parameters
    ----------
    path : pathlib.Path
        The folder.

    Returns
    -------
    state : dict or None
        None if there is no state.
    remark : str or None
        What to tell the user: that the last one was damaged.

    Raises
    ------
    InputError
        If there are files, and all are damaged.
    """
    found = states_in(path)
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
    """Remove the states that are there, and their folder with what a killed process left in it; other files of the user's stay."""
    for file in states_in(path):
        file.unlink(missing_ok=True)
    if path.is_dir():
        for file in (_ignoring(path), *path.glob(f".{last_of(path).name}.*")):
            file.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            path.rmdir()


def _ignoring(path):
    """Return the file by which git ignores all of a folder, itself included."""
    return path / ".gitignore"


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
