"""Atomic writing: files appear when they are complete, or not at all."""

import contextlib
import os
import pathlib
import shutil
import tempfile

from keras_mri.errors import InputError


def check_output(path, suffixes, overwrite=False, option="output"):
    """Raise unless a file can be written at `path`; called before any work is done.

    Parameters
    ----------
    path : str or path-like
    suffixes : sequence of str
        The endings allowed.
    overwrite : bool
        Accept a file that exists.
    option : str
        The argument or option that names the file, for the messages.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    InputError
        If the ending is another, the folder is missing or not writable, or the file exists.
    """
    path = pathlib.Path(path)
    if not path.name.endswith(tuple(suffixes)) or path.name in suffixes:
        raise InputError(f"`{option}` must end in {' or '.join(suffixes)}. Received: {path}.")
    if not path.parent.is_dir():
        raise InputError(f"the output folder {path.parent} does not exist. Create it, or choose another with `{option}`.")
    if not os.access(path.parent, os.W_OK):
        raise InputError(f"the output folder {path.parent} is not writable. Choose another with `{option}`.")
    if path.is_dir():
        raise InputError(f"{path} is a folder. Name a file with `{option}`.")
    if path.exists() and not overwrite:
        raise InputError(f"{path} exists. Name another file with `{option}`, or replace it with `overwrite`.")
    return path


@contextlib.contextmanager
def replacing(path):
    """Yield a temporary path beside `path`, renamed to it at the end of the block, or removed if the block fails.

    Parameters
    ----------
    path : pathlib.Path

    Yields
    ------
    pathlib.Path

    Raises
    ------
    InputError
        If the disk is full or writing fails otherwise.
    """
    # The libraries that write choose the format by the ending, so the temporary name keeps it.
    ending = ".nii.gz" if path.name.endswith(".nii.gz") else path.suffix
    with explained(path):
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=ending, dir=path.parent)
    temporary = pathlib.Path(name)
    try:
        with explained(path):
            os.close(descriptor)
            yield temporary
            temporary.chmod(0o666 & ~_umask())
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def filling(folder):
    """Yield a temporary folder, whose files are moved into `folder` at the end of the block, or removed if the block fails.

    Parameters
    ----------
    folder : pathlib.Path
        Made if it is not there.

    Yields
    ------
    pathlib.Path

    Raises
    ------
    InputError
        If the disk is full or writing fails otherwise.
    """
    with explained(folder):
        temporary = pathlib.Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        yield temporary
        with explained(folder):
            folder.mkdir(exist_ok=True)
            for path in sorted(temporary.iterdir()):
                path.replace(folder / path.name)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextlib.contextmanager
def explained(path):
    """Turn an OSError of the block (disk full, folder gone) into an InputError that names `path`."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise InputError(
            f"{path} could not be written: {reason}. Nothing was left behind; free some space or choose another folder."
        ) from error


def _umask():
    # mkstemp makes files that only their owner can read; the final file gets the permissions of an ordinary new file.
    umask = os.umask(0)
    os.umask(umask)
    return umask
