"""Noise of zero-filled scans, removed on the grid that was measured: there it is white, as in the training."""

import numpy as np

from keras_mri.errors import remark
from keras_mri.imaging.acquisition.acquired_band import acquired_band, band_side, beyond_band, within_band


def measured_share(volume):
    """Find the part of k-space that a scan holds, by its middle frame, and say so where it is not all.

    Parameters
    ----------
    volume : Volume
        As networks see it.

    Returns
    -------
    tuple of float, (x, y, z)
        Share of the matrix along each axis; 1 where all was measured, or nothing can be told.
    """
    share = acquired_band(volume.frame(volume.n_frames // 2))
    if min(share) < 1:
        sides = measured_shape(volume.shape[:3], share)
        remark(
            volume.name,
            f"its noise ends within k-space, as on a grid of {' × '.join(map(str, sides))} voxels that was filled with zeros; noise is "
            "removed on that grid",
        )
    return share


def measured_shape(shape, share):
    """Return the sides of the grid that was measured: tuple of int."""
    return tuple(band_side(side, part) for side, part in zip(shape, share))


def on_measured_grid(run, share):
    """Let a denoiser see what was measured, and take what it removes from the image as it is.

    Parameters
    ----------
    run : callable
        From an ndarray of float32, shape (x', y', z', frames), on the measured grid, to the restored middle frame, shape (x', y', z').
    share : sequence of float
        As `measured_share` returns it.

    Returns
    -------
    callable
        From (x, y, z, frames) to (x, y, z). Frequencies that were not measured stay as they are. Where all was measured, `run` itself.
    """
    if min(share) >= 1:
        return run

    def restored(data):
        inside = np.stack([within_band(data[..., frame], share) for frame in range(data.shape[-1])], axis=-1)
        middle = data.shape[-1] // 2
        removed = inside[..., middle] - run(inside)
        return data[..., middle] - beyond_band(removed, data.shape[:3])

    return restored
