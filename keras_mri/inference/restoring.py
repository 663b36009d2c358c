"""From a network's prediction to a restored volume: back in the image's unit, not below its physical limit, inside a mask."""

import numpy as np


def restored(volume, scaling, run, mask=None, seen=None, after=None):
    """Return a Volume whose frames are restored when asked for.

    Parameters
    ----------
    volume : Volume
        As measured.
    scaling : keras_mri.imaging.intensity.Scaling
        Its inverse brings network units back to the volume's unit.
    run : callable
        `run(t)` returns frame t restored: ndarray of float32, shape (x, y, z), in network units. It applies the scaling to what
        the network sees.
    mask : ndarray of bool, shape (x, y, z), or callable, optional
        Where frames are restored; elsewhere they stay exactly as measured. `mask(t)` returns it where each frame has its own.
    seen : keras_mri.inference.extremes.Seen, optional
        What the network has not seen is put back: extreme voxels, exact zeros, a pedestal.
    after : callable, optional
        `after(t, result)` returns frame t as it shall be, in the unit of what the network sees; called before anything is put back.

    Returns
    -------
    Volume
        On the same grid, with the same header, in the same unit. No voxel is negative if none was measured below 0.
    """
    return volume.with_frames(restored_frames(volume, scaling, run, mask, seen, after))


def restored_frames(volume, scaling, run, mask=None, seen=None, after=None):
    """Return the function that restores one frame, e.g. for a Volume on a finer grid; parameters as for `restored`.

    Returns
    -------
    callable
        From the number of a frame to an ndarray of float32 of the shape that `run` returns.
    """
    lowest = lowest_intensity(volume if seen is None else seen.volume)

    def frame(t):
        inside = mask(t) if callable(mask) else mask
        if inside is not None and not inside.any():
            return volume.frame(t)
        result = np.maximum(scaling.invert(run(t)), lowest)
        result = result if after is None else after(t, result)
        result = result if seen is None else seen.put_back(t, result)
        return result if inside is None else np.where(inside, result, volume.frame(t))

    return frame


def lowest_intensity(volume):
    """Return what no restored voxel may fall below: 0 for magnitude data, which has no negative voxel, else -infinity."""
    return np.float32(0 if volume.extremes[0] >= 0 else -np.inf)
