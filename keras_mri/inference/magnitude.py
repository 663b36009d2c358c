"""The bias that noise gives a magnitude scan: whether a scan has it, by its air, and its removal after the network."""

import numpy as np

from keras_mri.imaging.acquisition.rician import mean_of_magnitude, without_bias
from keras_mri.imaging.air import look_at_air, some_slabs

# Frames of a run whose air is looked at, and the least share of the bias of air whose removal is worth a word.
_FRAMES, _LEAST = 4, 0.1
# Denoised air lies below so many times its mean.
_AIR = 1.5


def bias_removal(volume, facts):
    """Return what takes the bias of the removed noise from each denoised frame of a magnitude scan.

    A scan is a magnitude if nothing in it is negative, and its air has the mean and SD that the magnitude of complex noise has. One
    SD serves for all frames of a scan.

    Parameters
    ----------
    volume : Volume
        As networks see it.
    facts : dict
        Of the result: gets `bias`, the median of what was taken from air, once a frame has lost some.

    Returns
    -------
    callable or None
        `remove(t, denoised)` returns frame t without bias: ndarray of float32, shape (x, y, z). None for a scan that is no magnitude, or
        whose air does not tell.
    """
    noise = _noise_of_magnitude(volume)
    if noise is None:
        return None
    sigma, channels = noise
    floor = sigma * float(mean_of_magnitude(0.0, channels))

    def remove(t, denoised):
        measured = volume.frame(t)
        result = without_bias(measured, denoised, sigma, channels)
        air = (denoised < _AIR * floor) & (measured != 0)
        taken = float(np.median((denoised - result)[air])) if air.any() else 0.0
        if taken > _LEAST * floor:
            facts["bias"] = max(taken, facts.get("bias", 0.0))
        return result

    return remove


def _noise_of_magnitude(volume):
    """Return the SD of a scan's noise and its number of channels; None for a scan that is no magnitude."""
    if not volume.extremes[0] >= 0:
        return None
    frames = volume.sample_frames(_FRAMES)
    found = [look_at_air(some_slabs(frames[..., t])) for t in range(frames.shape[3])]
    if any(air is None or not air.magnitude for air in found):
        return None
    return float(np.median([air.sigma for air in found])), int(np.median([air.channels for air in found]))
