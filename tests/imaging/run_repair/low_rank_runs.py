"""Runs of which a guess can be exact: a mean and a few maps with time courses of their own."""

import numpy as np
from scipy import ndimage

SHAPE = (16, 15, 12)


def low_rank_run(n_frames, rank, seed=0, noise=0.0):
    """Return ndarray of float32, shape (frames, x, y, z): values about 100, fluctuations about 3."""
    rng = np.random.default_rng(seed)
    mean = 100 + 20 * ndimage.gaussian_filter(rng.standard_normal(SHAPE), 1.5) / 0.1
    maps = rng.standard_normal((rank, *SHAPE)) * 3 / np.sqrt(rank)
    courses = rng.standard_normal((n_frames, rank))
    run = np.maximum(mean, 60) + np.tensordot(courses, maps, 1)
    return (run + noise * rng.standard_normal(run.shape)).astype(np.float32)


def slab(first, last, frames, n_frames):
    """Return ndarray of bool, shape (frames, x, y, z): slices that some frames lack."""
    missing = np.zeros((n_frames, *SHAPE), bool)
    missing[list(frames), :, :, first:last] = True
    return missing
