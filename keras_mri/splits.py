"""Which part of the data trains and which validates: other frames, other files or other slices, never the same patches."""

import numpy as np

from keras_mri.errors import InputError
from keras_mri.patches import foreground

_VALIDATION_SHARE = 0.2


def hold_out(runs, window=1):
    """Divide scans into training and validation data that share no voxel of a frame.

    Runs of at least `2 * window` frames give their last fifth in time (at least one window). Otherwise the last fifth
    of the files validates; a single volume gives the slices that hold the last fifth of its tissue.

    Parameters
    ----------
    runs : sequence of ndarray of float32, shape (x, y, z, t)
    window : int
        Frames that one training example spans.

    Returns
    -------
    training, validation : list of ndarray of float32, shape (x, y, z, t)

    Raises
    ------
    InputError
        If a run is shorter than `window`.
    """
    for run in runs:
        if run.shape[3] < window:
            raise InputError(
                f"a training example spans {window} frames. Received: a run of {run.shape[3]}. Use --frames 1 and --target frame."
            )
    if any(run.shape[3] >= 2 * window for run in runs):
        return _by_time(runs, window)
    if len(runs) > 1:
        count = max(1, round(_VALIDATION_SHARE * len(runs)))
        return list(runs[:-count]), list(runs[-count:])
    return _by_slices(runs[0])


def _by_time(runs, window):
    training, validation = [], []
    for run in runs:
        frames = run.shape[3]
        if frames < 2 * window:
            training.append(run)
            continue
        count = max(window, round(_VALIDATION_SHARE * frames))
        training.append(run[..., : frames - count])
        validation.append(run[..., frames - count :])
    return training, validation


def _by_slices(run):
    axis = int(np.argmax(run.shape[:3]))
    # By tissue, not by field of view: the last slices of a head scan are often air.
    profile = foreground(run.mean(axis=3)).sum(axis=tuple(a for a in range(3) if a != axis)).astype(float) + 1e-6
    shares = np.cumsum(profile)[:-1] / profile.sum()
    cut = int(np.argmin(np.abs(shares - (1 - _VALIDATION_SHARE)))) + 1
    first, last = (tuple(part if a == axis else slice(None) for a in range(4)) for part in (slice(0, cut), slice(cut, None)))
    return [run[first]], [run[last]]
