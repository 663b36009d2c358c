"""Claims on files that are to be made, so that several jobs can share a folder without doing the same work twice."""

import contextlib

import filelock

from keras_mri.errors import InputError
from keras_mri.io.whole_files import explained


@contextlib.contextmanager
def claimed(path):
    """Claim a file that is to be made; the claim ends with the block, or with the process.

    Parameters
    ----------
    path : pathlib.Path
        Its folder is made if it is not there.

    Yields
    ------
    bool
        True if this job is to make the file; False if another process, or an outer block of this one, has claimed it.

    Raises
    ------
    InputError
        If the folder cannot be written, or its file system has no locks.

    Notes
    -----
    The lock is a hidden, empty file `.NAME.lock` beside `path`. It stays: a process that had opened it just before it was removed
    would hold a lock that no other process sees. Validators of BIDS leave out files whose name begins with a dot.
    """
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(path.with_name(f".{path.name}.lock"))
    held = _acquired(lock)
    try:
        yield held
    finally:
        if held:
            lock.release()


def _acquired(lock):
    """Return whether this process now holds a lock, without waiting for it."""
    try:
        lock.acquire(blocking=False)
    except filelock.Timeout:
        return False
    except PermissionError as error:
        raise InputError(f"{lock.lock_file} could not be written: {error.strerror}. Choose another folder.") from error
    except (OSError, NotImplementedError) as error:
        raise InputError(
            f"{lock.lock_file} could not be locked ({getattr(error, 'strerror', None) or error}), so jobs cannot tell who does what. "
            "Write to a folder on another file system, and copy afterwards."
        ) from error
    return True
