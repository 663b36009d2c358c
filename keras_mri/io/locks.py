"""Claims on files that are to be made, so that several jobs can share a folder without doing the same work twice."""

import contextlib
import os

import filelock

from keras_mri.errors import InputError
from keras_mri.io.whole_files import explained

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None


@contextlib.contextmanager
def claimed(path, needs_locks=True):
    """Claim a file that is to be made; the claim ends with the block, or with the process.

    Parameters
    ----------
    path : pathlib.Path
        Its folder is made if it is not there.
    needs_locks : bool
        Refuse a file system that has no locks; otherwise every job gets its claim there.

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
    The lock is a hidden, empty file `.NAME.lock` beside `path`, which is removed with the claim. Only a process that is killed leaves
    it, and the next claim takes it over. Validators of BIDS leave out files whose name begins with a dot.
    """
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    try:
        release = _acquired(path.with_name(f".{path.name}.lock"))
    except _NoLocksError as error:
        if needs_locks:
            raise InputError(str(error)) from error
        release = _nothing
    try:
        yield release is not None
    finally:
        if release:
            release()


class _NoLocksError(Exception):
    """A file system has no locks."""


def _nothing():
    """Release what could not be locked."""


def _acquired(lock):
    """Return a function that releases a lock, which this process now holds, or None if another holds it; without waiting."""
    try:
        return _acquired_by_flock(lock) if fcntl else _acquired_by_filelock(lock)
    except PermissionError as error:
        raise InputError(f"{lock} could not be written: {error.strerror}. Choose another folder.") from error
    except (OSError, NotImplementedError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise _NoLocksError(
            f"{lock} could not be locked ({reason}), so jobs cannot tell who does what. "
            "Write to a folder on another file system, and copy afterwards."
        ) from error


def _acquired_by_flock(lock):
    while True:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            ours = _is(descriptor, lock)
        except BlockingIOError:
            os.close(descriptor)
            return None
        except OSError:  # no locks here, so no other job has one
            _released(descriptor, lock)
            raise
        if ours:
            return lambda: _released(descriptor, lock)
        # Its holder had removed it after it was opened here: what is locked is no one's, and the next is opened.
        os.close(descriptor)


def _is(descriptor, lock):
    """Return whether an open file is still the one that has the lock's name."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(lock))
    except FileNotFoundError:
        return False


def _released(descriptor, lock):
    # Removed while it is held: whoever opens the name later makes a new file.
    with contextlib.suppress(OSError):
        os.unlink(lock)
    os.close(descriptor)


def _acquired_by_filelock(lock):
    held = filelock.FileLock(lock)
    try:
        held.acquire(blocking=False)
    except filelock.Timeout:
        return None
    return held.release
