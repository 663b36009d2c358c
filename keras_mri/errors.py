"""What a user may be told: errors, and remarks on what is doubtful; anything else that escapes is a defect of ours."""

import contextlib
import errno
import logging
import pathlib

# All remarks of the package go through this one logger.
_REMARKS = logging.getLogger("keras_mri.remarks")
# What to do about an error of the operating system, by its number.
_REMEDIES = {
    errno.EMFILE: "this process may open more with ulimit -n",
    errno.ENFILE: "close other programs",
    errno.ENOSPC: "free some space or choose another folder",
    errno.EDQUOT: "free some of your quota",
    errno.EFBIG: "larger files need ulimit -f, or another file system",
    errno.EROFS: "choose another folder",
    errno.EACCES: "check its permissions",
    errno.EIO: "the disk or the network failed",
}


class InputError(ValueError):
    """The data or the options are wrong, and the message says what was expected, what came and what to do."""


class GridMismatchError(InputError):
    """Two images that must share a voxel grid do not."""


class CheckpointError(InputError):
    """A `.h5` file cannot be used as the network that was asked for."""


class ForeignNetworkError(CheckpointError):
    """An HDF5 file with a network or weights that keras_mri did not write."""


def first_line(error):
    """Return what an exception of another library says first, without a full stop, or its kind if it says nothing: str."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def refused_by_system(error):
    """Say why the operating system refused to open, read or write a file.

    Parameters
    ----------
    error : Exception

    Returns
    -------
    str or None
        Without a full stop at its end; None if the error is about the content of a file.
    """
    if not isinstance(error, OSError) or error.errno is None:
        return None
    remedy = remedy_of(error)
    return f"{error.strerror}; {remedy}" if remedy else error.strerror


def remedy_of(error):
    """Return what to do where the machine or its settings keep a file from being opened, read or written: str or None."""
    return _REMEDIES.get(error.errno) if isinstance(error, OSError) else None


def remark(name, sentence):
    """Say, as one line of the log, what is doubtful about a file while the work goes on.

    Parameters
    ----------
    name : str or path-like
        Of the file or image; its folder is left out.
    sentence : str
        Without a full stop at its end.
    """
    text = " ".join(f"{pathlib.PurePath(name).name}: {sentence}".splitlines())
    _REMARKS.warning("warning: %s", text)


@contextlib.contextmanager
def remarks_kept():
    """Keep the remarks that are made within the block.

    Yields
    ------
    list of str
        "FILE: sentence", each once; it grows.
    """
    kept = []

    class Keeper(logging.Handler):
        def emit(self, record):
            text = record.getMessage().removeprefix("warning: ")
            if text not in kept:
                kept.append(text)

    keeper = Keeper()
    _REMARKS.addHandler(keeper)
    try:
        yield kept
    finally:
        _REMARKS.removeHandler(keeper)
