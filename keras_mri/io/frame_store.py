"""Frames of a run in a temporary file: written once, then read frame by frame or slab by slab with little memory."""

import os
import tempfile

import numpy as np

from keras_mri.errors import InputError


class FrameStore:
    """A temporary file of frames. It has no name: it goes with the process, however that ends.

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
        self._file = tempfile.TemporaryFile()

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
        at = (t * self.shape[2] + first) * self._slice_bytes
        try:
            while data:
                written = os.pwrite(self._file.fileno(), data, at)
                data, at = data[written:], at + written
        except OSError as error:
            gigabytes = self.n_frames * self.shape[2] * self._slice_bytes / 1e9
            raise InputError(
                f"a temporary file of {gigabytes:.2g} GB does not fit into {tempfile.gettempdir()}: {error.strerror}. "
                "Name another folder by the variable TMPDIR."
            ) from error

    def _read(self, t, first, last):
        shape = (*self.shape[:2], last - first)
        data = np.empty(shape, self.dtype, order="F")
        view, at = memoryview(data.reshape(-1, order="F")).cast("B"), (t * self.shape[2] + first) * self._slice_bytes
        while view:
            read = os.preadv(self._file.fileno(), [view], at)
            if not read:
                break
            view, at = view[read:], at + read
        return data
