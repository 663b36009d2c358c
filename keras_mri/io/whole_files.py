"""Atomic writing: files appear when they are complete, or not at all, and take the place of none that came meanwhile."""

import contextlib
import os
import pathlib
import shutil
import tempfile

from keras_mri.errors import InputError, remedy_of

# Absolute paths at which `check_output` found nothing and may replace nothing: whatever is there later is another process's.
_NEW = set()


def check_output(path, suffixes, overwrite=False, option="output"):
    """Raise unless a file can be written at `path`; called before any work is done.

    Without `overwrite`, `replacing` will not replace a file that appears there meanwhile.

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
    if os.path.lexists(path) and not overwrite:
        exists = "exists" if path.exists() else "is a link to a file that is not there"
        raise InputError(f"{path} {exists}. Name another file with `{option}`, or replace it with `overwrite`.")
    (_NEW.discard if overwrite else _NEW.add)(os.path.abspath(path))
    return path


def check_temporary_folder():
    """Raise unless there is a folder for temporary files, which TensorFlow and long runs need; called before any work is done.

    Raises
    ------
    InputError
        If none can be written, as in a container whose file system is read-only.
    """
    try:
        tempfile.gettempdir()
    except FileNotFoundError as error:
        raise InputError(
            "no folder for temporary files can be written: neither TMPDIR nor /tmp nor the working folder. "
            "Name one by TMPDIR; in a container, add --tmpfs /tmp."
        ) from error


@contextlib.contextmanager
def replacing(path):
    """Yield a temporary path beside `path`, renamed to it at the end of the block, or removed if the block fails.

    A file that is there is replaced, unless `check_output` had found none and was not to replace one.

    Parameters
    ----------
    path : pathlib.Path

    Yields
    ------
    pathlib.Path

    Raises
    ------
    InputError
        If the disk is full, writing fails otherwise, or another process has written the file meanwhile.
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
            _move(temporary, path, os.path.abspath(path) in _NEW)
            # Written once, it is this process's own.
            _NEW.discard(os.path.abspath(path))
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def filling(folder, overwrite=False):
    """Yield a temporary folder, whose files are moved into `folder` at the end of the block, or removed if the block fails.

    Parameters
    ----------
    folder : pathlib.Path
        Made if it is not there.
    overwrite : bool
        Replace files of the same names.

    Yields
    ------
    pathlib.Path

    Raises
    ------
    InputError
        If the disk is full, writing fails otherwise, or another process has written such a file meanwhile.
    """
    with explained(folder):
        # Inside a folder that is there: it may be a file system of its own.
        temporary = pathlib.Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder if folder.is_dir() else folder.parent))
    moved = []
    try:
        yield temporary
        with explained(folder):
            folder.mkdir(exist_ok=True)
            for path in sorted(temporary.iterdir()):
                _move(path, folder / path.name, new=not overwrite)
                moved.append(folder / path.name)
    except BaseException:
        for path in [] if overwrite else moved:
            path.unlink(missing_ok=True)
        raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextlib.contextmanager
def explained(path):
    """Turn an OSError of the block (disk full, folder gone) into an InputError that names `path`."""
    try:
        yield
    except OSError as error:
        remedy = remedy_of(error) or "free some space or choose another folder"
        raise InputError(f"{path} could not be written: {error.strerror or error}. Nothing was left behind; {remedy}.") from error


def _move(temporary, path, new):
    """Give a file its name; of a new one, only if no other process has taken the name."""
    if not new:
        temporary.replace(path)
        return
    try:
        try:
            os.link(temporary, path)
        except FileExistsError:
            # A network's file system may do what is asked, and then be asked again.
            if not os.path.samefile(temporary, path):
                raise
        except OSError:  # file systems of memory sticks know no second name for a file
            os.close(os.open(path, os.O_CREAT | os.O_EXCL))
            temporary.replace(path)
    except FileExistsError as error:
        raise InputError(
            f"{path} has been written by another process meanwhile, and stays as it is. Name another file, or replace it with `overwrite`."
        ) from error


def _umask():
    # mkstemp makes files that only their owner can read; the final file gets the permissions of an ordinary new file.
    umask = os.umask(0)
    os.umask(umask)
    return umask
