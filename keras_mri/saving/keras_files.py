"""Keras' own files, `.keras`: their one door, and its guard.

Such a file is a zip of a description (JSON), weights (HDF5) and metadata (JSON, not read), none of them compressed. Ours has one member
more, with the facts. A zip can claim any size, name any path and hold any number of members, so exactly these are accepted.
"""

import contextlib
import os
import zipfile

from keras_mri.errors import CheckpointError, ForeignNetworkError, InputError
from keras_mri.saving import h5_guard

FACTS = "keras_mri.json"
_DESCRIPTION, _WEIGHTS, _METADATA = "config.json", "model.weights.h5", "metadata.json"
_MEMBERS = (_DESCRIPTION, _WEIGHTS, _METADATA, FACTS)
# Bytes of the record that ends a zip, of the one that zip64 puts before it, and at most of the directory: ours has 250.
_END, _ZIP64, _DIRECTORY = 22, 20, 1000


def write(network, path, facts):
    """Write a network in Keras' own format, and the facts beside it.

    Parameters
    ----------
    network : keras.Model
    path : pathlib.Path
        Ends in `.keras`; what is there is replaced.
    facts : str
        JSON.
    """
    _uncompiled(network).save(path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(FACTS, facts)


def read(path):
    """Read a `.keras` file's description and facts, and check its arrays; nothing is built.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    keras_mri.saving.h5_guard.Stored

    Raises
    ------
    CheckpointError
        If the file is missing, truncated, no zip, or holds other or larger members than Keras writes.
    ForeignNetworkError
        If it holds no network, or one that keras_mri did not write.
    """
    with _opened(path) as archive:
        names = _checked_members(archive.infolist(), path)
        description = archive.read(_DESCRIPTION).decode("utf-8")
        facts = archive.read(FACTS).decode("utf-8") if FACTS in names else None
        weights = archive.read(_WEIGHTS)
    with h5_guard.opened(path, content=weights) as file:
        h5_guard.check_contents(file, path)
        numbers = h5_guard.count_numbers(file, "/")
    description = h5_guard.checked_config(description, path)
    if facts is None:
        raise ForeignNetworkError(
            f"{path} was not written by keras_mri: it has no `{FACTS}` beside its network. Load it with keras.models.load_model."
        )
    return h5_guard.Stored(description, facts, numbers)


@contextlib.contextmanager
def _opened(path):
    """Open a zip to look into it; whatever is wrong with it is a CheckpointError."""
    expected = "Expected a network trained by keras_mri (.keras)"
    if not os.path.isfile(path):
        raise CheckpointError(f"{path} is not a file. {expected}; check the path.")
    try:
        _check_directory(path)
        with zipfile.ZipFile(path) as archive:
            yield archive
    except InputError:
        raise
    # What zipfile and zlib raise for archives that are damaged, encrypted or of a kind that they do not know.
    except (zipfile.BadZipFile, OSError, EOFError, RuntimeError, ValueError, KeyError, OverflowError) as error:
        raise CheckpointError(f"{path} is not a zip archive, or is truncated. {expected}.") from error


def _check_directory(path):
    """Raise if the list of members is longer than ours can be: zipfile reads all of it before the members can be counted."""
    with open(path, "rb") as file:
        file.seek(max(0, os.path.getsize(path) - _END - _ZIP64))
        tail = file.read()
    end = tail[-_END:]
    if len(end) < _END or not end.startswith(b"PK\5\6"):
        raise zipfile.BadZipFile("no end record where a zip without a comment has it")
    size = int.from_bytes(end[12:16], "little")
    if size > _DIRECTORY or tail.startswith(b"PK\6\7"):
        raise CheckpointError(f"{path} is refused: its list of members has {size:,} bytes or more. Expected at most {_DIRECTORY:,}.")


def _checked_members(members, path):
    """Return the names of members, which are those of a network and stored as they are, or raise CheckpointError."""
    names = [member.filename for member in members]
    for name in names:
        if name not in _MEMBERS or names.count(name) > 1:
            raise CheckpointError(
                f"{path} is refused: it holds {name!r}, {names.count(name)} time(s). Expected {', '.join(_MEMBERS)}, each once. "
                "Use only files whose origin you know."
            )
    for name in _MEMBERS[:2]:
        if name not in names:
            raise ForeignNetworkError(f"{path} holds no network (no `{name}`). Expected a file from keras_mri.train.")
    total, size = 0, os.path.getsize(path)
    for member in members:
        total += member.file_size
        if member.compress_type != zipfile.ZIP_STORED or member.file_size != member.compress_size or total > size:
            raise CheckpointError(
                f"{path} is refused: its {member.filename!r} claims {member.file_size:,} bytes and takes {member.compress_size:,} of "
                f"{size:,}. Expected members that are not compressed, as Keras writes them. Use only files whose origin you know."
            )
    return names


def _uncompiled(network):
    """Return a network without optimizer and losses, which Keras' own format would store and our guard refuse."""
    if not network.compiled:
        return network
    import keras

    # The same layers; a clone would be compiled again.
    return keras.Model(network.input, network.output, name=network.name)
