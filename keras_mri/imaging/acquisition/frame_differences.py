"""Real noise: what successive frames of a run differ by is noise of its scanner, with its true colour and strength."""

import numpy as np

from keras_mri.errors import InputError


def frame_differences(run):
    """Return noise of single frames, from differences of successive ones, in which anatomy cancels.

    Parameters
    ----------
    run : ndarray of float32, shape (x, y, z, t)
        At least two frames; the head still.

    Returns
    -------
    ndarray of float32, shape (x, y, z, t - 1)
        Same SD and the same correlation between voxels as the noise of one frame: the difference over the root of 2.

    Raises
    ------
    InputError
        If there are fewer than two frames.
    """
    if run.ndim != 4 or run.shape[3] < 2:
        raise InputError(f"`run` needs two frames or more: shape (x, y, z, t). Received: {run.shape}.")
    return np.diff(run, axis=3).astype(np.float32) / np.float32(np.sqrt(2))
