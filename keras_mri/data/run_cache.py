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
            with tempfile.TemporaryFile() as file:
                # Frame by frame: a patch is then read from a few places.
                for frame in np.moveaxis(run, 3, 0):
                    file.write(np.ascontiguousarray(frame).data)
                file.flush()
                mapped = np.memmap(file, run.dtype, "r", shape=(run.shape[3], *run.shape[:3]))
        except OSError as error:
            raise InputError(
                f"a run of {run.nbytes / 1e9:.2g} GB is more than `cache` leaves, and {tempfile.gettempdir()} cannot take it: "
                f"{error.strerror}. Name another folder by the variable TMPDIR, or allow more `cache`."
            ) from error
        return np.moveaxis(mapped, 0, 3)
