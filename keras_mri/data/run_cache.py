"""Runs that train: in memory as long as there is room, else in a temporary file that is mapped into it."""

import tempfile

import numpy as np

from keras_mri.errors import InputError


class RunCache:
    """Keeps runs in memory up to a limit, and the others on disk.

    A run on disk is a `numpy.memmap` that is read where patches are cut. Its file has no name: it goes with the process, however that
    ends.

    Parameters
    ----------
    gigabytes : float
        Most that is kept in memory.
    """

    def __init__(self, gigabytes):
        self.left = gigabytes * 1e9
        # The last file, its bytes mapped into memory, those of them that are in use, and the bytes of all files.
        self._file, self._mapped, self._used, self._size = None, np.empty(0, np.uint8), 0, 0

    def keep(self, run):
        """Return a run, in memory if there is room.

        Parameters
        ----------
        run : ndarray of float32, shape (x, y, z, t)

        Returns
        -------
        ndarray of float32, same shape and values

        Raises
        ------
        InputError
            If the temporary folder has no room.
        """
        if run.nbytes <= self.left:
            self.left -= run.nbytes
            return run
        try:
            begin = self._room(run.nbytes)
            self._file.seek(begin)
            # Frame by frame: a patch is then read from a few places.
            for frame in np.moveaxis(run, 3, 0):
                self._file.write(np.ascontiguousarray(frame).data)
            self._file.flush()
        except OSError as error:
            raise InputError(
                f"a run of {run.nbytes / 1e9:.2g} GB is more than `cache` leaves, and {tempfile.gettempdir()} cannot take it: "
                f"{error.strerror}. Name another folder by the variable TMPDIR, or allow more `cache`."
            ) from error
        kept = self._mapped[begin : begin + run.nbytes].view(run.dtype)
        return np.moveaxis(kept.reshape(run.shape[3], *run.shape[:3]), 0, 3)

    def _room(self, size):
        """Return where in the last file there is room, which may be a new one."""
        if self._used + size > len(self._mapped):
            # Each file is as long as all before it: many runs need few, and a process may hold few open. What is not written takes no room.
            length = max(size, self._size)
            self._file = tempfile.TemporaryFile()
            self._file.truncate(length)
            self._mapped, self._used, self._size = np.memmap(self._file, np.uint8, "r", shape=(length,)), 0, self._size + length
        begin, self._used = self._used, self._used + size
        return begin
