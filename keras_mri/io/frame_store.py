"""Frames of a run in a temporary file: written once, then read frame by frame or slab by slab with little memory."""

import os
import tempfile
import weakref

import numpy as np

from keras_mri.errors import InputError

# Stores have a file each up to this many; more share these, because a process may hold few files open (256 on a Mac).
_MOST_FILES = 16
_FILES = weakref.WeakSet()


class FrameStore:
    """Frames in a temporary file. It has no name: it goes with the process, however that ends.

    Parameters
    ----------
    shape : tuple of int
        Of a frame: (x, y, z).
    n_frames : int
    dtype : {numpy.float32, numpy.float64}
    """

    def __init__(self, shape, n_frames, dtype=np.float32):
        self.shape, self.n_frames, self.dtype = tuple(shape), n_frames, np.dtype(dtype)
        self._slice_bytes = self.dtype.itemsize * shape[0] * shape[1]
        size = n_frames * shape[2] * self._slice_bytes
        try:
            self._file, self._begin = _room(size)
        except OSError as error:
            raise _no_room(size, error) from error

    def write(self, t, frame):
        """Store frame `t`.

        Parameters
        ----------
        t : int
        frame : ndarray, shape (x, y, z)

        Raises
        ------
        InputError
            If the temporary folder has no room.
        """
        self._write(t, 0, frame)

    def frame(self, t):
        """Return frame `t`: ndarray of `dtype`, shape (x, y, z)."""
        return self._read(t, 0, self.shape[2])

    def slab(self, first, last):
        """Return slices `first` to `last` - 1 of all frames: ndarray of `dtype`, shape (x, y, last - first, frames)."""
        return np.stack([self._read(t, first, last) for t in range(self.n_frames)], axis=-1)

    def write_slab(self, first, slab):
        """Store slices from `first` on of all frames.

        Parameters
        ----------
        first : int
        slab : ndarray, shape (x, y, slices, frames)

        Raises
        ------
        InputError
            If the temporary folder has no room.
        """
        for t in range(self.n_frames):
            self._write(t, first, slab[..., t])

    def _write(self, t, first, block):
        # With z outermost, slices that follow one another lie together.
        data = memoryview(np.asarray(block, self.dtype).tobytes(order="F"))
        at = self._begin + (t * self.shape[2] + first) * self._slice_bytes
        try:
            while data:
                written = os.pwrite(self._file.fileno(), data, at)
                data, at = data[written:], at + written
        except OSError as error:
            raise _no_room(self.n_frames * self.shape[2] * self._slice_bytes, error) from error

    def _read(self, t, first, last):
        shape = (*self.shape[:2], last - first)
        data = np.empty(shape, self.dtype, order="F")
        view, at = memoryview(data.reshape(-1, order="F")).cast("B"), self._begin + (t * self.shape[2] + first) * self._slice_bytes
        while view:
            read = os.preadv(self._file.fileno(), [view], at)
            if not read:
                break
            view, at = view[read:], at + read
        return data


class _SharedFile:
    """A temporary file, open as long as a store uses it."""

    def __init__(self):
        self._file, self.end = tempfile.TemporaryFile(), 0

    def fileno(self):
        """Return the number of the open file."""
        return self._file.fileno()

    def taken(self, size):
        """Return where the bytes of the next store begin."""
        begin, self.end = self.end, self.end + size
        return begin


def _room(size):
    """Return a file for so many bytes more, and where in it they begin."""
    if len(_FILES) < _MOST_FILES:
        file = _SharedFile()
        _FILES.add(file)
    else:
        # The space of a store is free again when all those of its file are gone.
        file = min(_FILES, key=lambda one: one.end)
    return file, file.taken(size)


def _no_room(size, error):
    reason = f"a temporary file of {size / 1e9:.2g} GB does not fit into {_folder()}: {error.strerror}"
    return InputError(f"{reason}. Name another folder by the variable TMPDIR.")


def _folder():
    try:
        return tempfile.gettempdir()
    except OSError:
        return "any temporary folder"
