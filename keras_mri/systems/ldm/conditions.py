"""The conditions of a denoiser: a coarse or a damaged view of the volume, and which of its voxels are known."""

import numpy as np

from keras_mri.imaging.kspace import resampled
from keras_mri.systems.ldm.imputation import filled_frame, random_hole

# Beside the view's latent: the share of voxels known, and whether the view is coarse.
EXTRA_CHANNELS = 2


def coarse_shape(shape, factors):
    """Return the shape of a grid with voxels `factors` times larger over the same field of view."""
    return tuple(max(1, round(side / factor)) for side, factor in zip(shape, factors))


def coarse_view(frame, factors):
    """Return a frame as a coarser grid would have measured it, back on its own grid.

    Parameters
    ----------
    frame : ndarray of float32, shape (x, y, z)
    factors : sequence of float

    Returns
    -------
    ndarray of float32, same shape
    """
    return resampled(resampled(frame, coarse_shape(frame.shape, factors)), frame.shape)


def damaged_view(run, t, rng, reach=0.0):
    """Return a frame of which something random is missing and filled in, and what of it is known.

    Parameters
    ----------
    run : ndarray of float32, shape (x, y, z, t)
    t : int
    rng : numpy.random.Generator
    reach : float
        As for `keras_mri.systems.ldm.imputation.filled_frame`.

    Returns
    -------
    filled : ndarray of float32, shape (x, y, z)
    known : ndarray of bool, shape (x, y, z)
    """
    hole, whole = random_hole(run.shape[:3], rng), np.zeros(run.shape[:3], bool)
    if hole.all() and run.shape[3] == 1:
        hole = whole.copy()
        hole[..., : max(1, hole.shape[2] // 3)] = True
    # Half of the slabs are missing in all frames, so that only space can fill them.
    always = not hole.all() and (run.shape[3] == 1 or rng.random() < 0.5)
    filled = filled_frame(lambda s: run[..., s], lambda s: hole if always or s == t else whole, run.shape[3], t, reach)
    return filled, ~hole


def condition(latent, known, coarse):
    """Join a view's latent with the share of its voxels that is known.

    Parameters
    ----------
    latent : ndarray of float32, shape (x', y', z', channels)
    known : ndarray of bool, shape (x, y, z)
        Sides are multiples of the latent's.
    coarse : bool

    Returns
    -------
    ndarray of float32, shape (x', y', z', channels + 2)
    """
    blocks = [part for side, full in zip(latent.shape, known.shape) for part in (side, full // side)]
    share = known.reshape(blocks).mean(axis=(1, 3, 5), dtype=np.float32)
    extra = np.stack([share, np.full(share.shape, coarse, np.float32)], axis=-1)
    return np.concatenate([latent, extra], axis=-1).astype(np.float32)
