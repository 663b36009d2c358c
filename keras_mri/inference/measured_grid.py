"""Noise of zero-filled scans, removed on the grid that was measured: there it is white, as in the training."""

import numpy as np

from keras_mri.errors import remark
from keras_mri.imaging.acquisition.noise_colour import coloured, noise_colour, whitened


def colour_of(volume):
    """Tell the colour of a scan's noise by its middle frame, and say so where it is not white.

    Parameters
    ----------
    volume : Volume
        As networks see it.

    Returns
    -------
    keras_mri.imaging.acquisition.noise_colour.Colour
    """
    colour = noise_colour(volume.frame(volume.n_frames // 2))
    if min(colour.share) < 1:
        sides = " × ".join(map(str, colour.measured_shape(volume.shape[:3])))
        remark(volume.name, f"its noise is that of a grid of {sides} voxels, filled with zeros in k-space; it is removed on that grid")
    return colour


def to_measured_grid(data, colour):
    """Bring frames to the measured grid, where their noise is white.

    Parameters
    ----------
    data : ndarray of float32, shape (x, y, z, frames)
    colour : keras_mri.imaging.acquisition.noise_colour.Colour

    Returns
    -------
    ndarray of float32, shape (x', y', z', frames)
    """
    return data if colour.white else np.stack([whitened(data[..., frame], colour) for frame in range(data.shape[-1])], axis=-1)


def on_measured_grid(run, colour):
    """Let a denoiser see a scan with white noise, and take what it removes from the scan as it is.

    Parameters
    ----------
    run : callable
        From an ndarray of float32, shape (x', y', z', frames), on the measured grid, to the restored middle frame, shape (x', y', z').
    colour : keras_mri.imaging.acquisition.noise_colour.Colour

    Returns
    -------
    callable
        From (x, y, z, frames) to (x, y, z). Frequencies that were not measured stay as they are. Where noise is white, `run` itself.
    """
    if colour.white:
        return run

    def restored(data):
        inside = to_measured_grid(data, colour)
        middle = data.shape[-1] // 2
        removed = inside[..., middle] - run(inside)
        return data[..., middle] - coloured(removed, data.shape[:3])

    return restored
