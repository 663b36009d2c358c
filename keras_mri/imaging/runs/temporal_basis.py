"""An orthonormal basis of the time courses of a run: what many voxels share comes first, what is fast and unshared comes last.

In this basis a run is a set of maps. Each holds white noise of the same SD as the frames did, while an activation, which is spread over
all frames, is gathered in a few maps: there it stands far higher above the noise.
"""

import math

import numpy as np
from scipy import ndimage

from keras_mri.errors import InputError

# SD of the smoothing before time courses are compared, voxels: activations are larger than a voxel, noise is not.
SMOOTHING = 1.5
# How much of the covariance that haemodynamic responses have is added to the measured one, in units of the noise.
_PRIOR_WEIGHT = 0.5
# Every second voxel of what is smoothed, and of these at most so many.
_STEP, _MOST_VOXELS = 2, 8000
# s: the length of a response, and the repetition time where it is not known.
_RESPONSE_LENGTH, USUAL_REPETITION_TIME = 32.0, 2.0


def haemodynamic_response(repetition_time):
    """Return the canonical response to a brief event at each frame: the difference of two gamma functions with peaks at 5 and 15 s.

    Parameters
    ----------
    repetition_time : float
        s.

    Returns
    -------
    ndarray of float64, shape (frames,)
        Its maximum is 1.

    References
    ----------
    Friston et al., NeuroImage 7:30, 1998. doi:10.1006/nimg.1997.0306
    """
    t = np.arange(0, _RESPONSE_LENGTH, repetition_time)
    response = t**5 * np.exp(-t) / math.gamma(6) - t**15 * np.exp(-t) / math.gamma(16) / 6
    # A repetition time of 20 s and more samples no response at all.
    return response / response.max() if response.max() > 0 else np.ones(1)


class TemporalCovariance:
    """Gathers, frame by frame, how the smoothed time courses of tissue vary together.

    Parameters
    ----------
    tissue : ndarray of bool, shape (x, y, z)
        Whose voxels count.
    """

    def __init__(self, tissue):
        self._weight = tissue.astype(np.float32)
        chosen = np.zeros(tissue.shape, bool)
        chosen[::_STEP, ::_STEP, ::_STEP] = tissue[::_STEP, ::_STEP, ::_STEP]
        # A small or thin scan has few of them.
        chosen = chosen if chosen.sum() >= 100 else tissue
        at = np.flatnonzero(chosen)
        self._at = at[np.linspace(0, len(at) - 1, min(len(at), _MOST_VOXELS)).round().astype(int)] if len(at) else at
        self._courses = []

    def add(self, fluctuation):
        """Take in one frame: ndarray of float32, shape (x, y, z), in units of the noise and without the temporal mean."""
        smooth = ndimage.gaussian_filter(fluctuation * self._weight, SMOOTHING, mode="constant")
        self._courses.append(smooth.ravel()[self._at])

    def matrix(self):
        """Return the covariance: ndarray of float64, shape (t, t)."""
        courses = np.array(self._courses, np.float64)
        return courses @ courses.T / max(1, courses.shape[1])


def temporal_basis(covariance, repetition_time=None):
    """Make the basis from the covariance of time courses.

    Parameters
    ----------
    covariance : ndarray of float64, shape (t, t)
        From `TemporalCovariance`.
    repetition_time : float, optional
        s; 2 where it is not known.

    Returns
    -------
    ndarray of float32, shape (t, t - 1)
        Orthonormal columns, each with mean 0: the eigenvectors of the covariance, to which that of haemodynamic responses is added. The
        latter decides the order of what the run itself says little about.

    Raises
    ------
    InputError
        If there are fewer than two frames.
    """
    n_frames = len(covariance)
    if n_frames < 2:
        raise InputError(f"a run needs two frames or more. Received: {n_frames}.")
    # The fluctuations have no mean; nor has any column of the basis.
    centred = np.linalg.qr(np.hstack([np.ones((n_frames, 1)), np.eye(n_frames)[:, 1:]]))[0][:, 1:]
    measured = centred.T @ covariance @ centred
    level = np.median(np.linalg.eigvalsh(measured))
    measured = measured / level if level > 0 else measured
    prior = centred.T @ _response_covariance(n_frames, repetition_time or USUAL_REPETITION_TIME) @ centred
    vectors = np.linalg.eigh(measured + _PRIOR_WEIGHT * prior)[1][:, ::-1]
    return (centred @ vectors).astype(np.float32)


def _response_covariance(n_frames, repetition_time):
    """Return the covariance of responses to white stimuli, with ones on its diagonal."""
    response = haemodynamic_response(repetition_time)
    correlation = np.correlate(response, response, "full")[len(response) - 1 :] / (response @ response)
    correlation = np.pad(correlation, (0, max(0, n_frames - len(correlation))))[:n_frames]
    return correlation[np.abs(np.subtract.outer(np.arange(n_frames), np.arange(n_frames)))]
