"""Runs whose faults and conditions are known, because the tests put them there."""

import numpy as np
from scipy import ndimage

SHAPE = (24, 20, 13)


def head(shape=SHAPE, level=1000.0):
    """Return a head-like object in air, not symmetric: ndarray of float64, `shape`."""
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, side) for side in shape), indexing="ij")
    radius = np.sqrt(((x - 0.04) / 0.8) ** 2 + (y / 0.85) ** 2 + ((z + 0.1) / 1.1) ** 2)
    tissue = 0.7 + 0.3 * np.cos(6 * x) * np.cos(5 * y + 1) * np.cos(4 * z + 0.5)
    return level * ndimage.gaussian_filter(np.where(radius < 0.3, 1.0, np.where(radius < 1, tissue, 0.0)), 0.7)


def still_run(n_frames, sigma, seed=0, shape=SHAPE):
    """Return a run of the head in Rician noise of the given SD, head 1000: ndarray of float32, shape (frame, x, y, z)."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(0, sigma, (2, n_frames, *shape))
    return np.hypot(head(shape) + noise[0], noise[1]).astype(np.float32)


def living_run(n_frames, sigma, seed=0, outside=True):
    """Return a run with all that is ordinary: drift, slow fluctuation, breathing, a task of 4 %, small motion, and noise.

    Parameters
    ----------
    n_frames : int
    sigma : float
        SD of the noise; the head has about 1000.
    seed : int
    outside : bool
        Whether air holds noise; otherwise it is exactly 0.

    Returns
    -------
    ndarray of float32, shape (frame, x, y, z)
    """
    rng, t = np.random.default_rng(seed), np.arange(n_frames)
    anatomy = head()
    place = np.array([14.0, 8.0, 6.0])[:, None, None, None]
    active = np.exp(-np.sum((np.indices(SHAPE) - place) ** 2, axis=0) / 18)
    task = ndimage.gaussian_filter1d((t // 12 % 2).astype(float), 1.0)
    slow = ndimage.gaussian_filter1d(rng.normal(size=n_frames), 3.0)
    # Every 4.7 s at a repetition time of 2 s, and never quite regular.
    breath = np.sin(2 * np.pi * (2 / 4.7 * t + np.cumsum(rng.normal(0, 0.03, n_frames))))
    moved_by_breath = ndimage.gaussian_filter(rng.normal(size=SHAPE), 2.0)
    moved_by_breath /= moved_by_breath.std()
    motion = np.cumsum(rng.normal(0, 0.02, (n_frames, 3)), axis=0)
    frames = []
    for k in range(n_frames):
        change = 0.04 * task[k] * active + 0.002 * slow[k] / slow.std() + 0.003 * breath[k] * moved_by_breath + 0.02 * (k / n_frames - 0.5)
        frame = shifted(anatomy * (1 + change), motion[k])
        noise = rng.normal(0, sigma, (2, *SHAPE))
        frames.append(np.hypot(frame + noise[0], noise[1]) * (1.0 if outside else anatomy > 30))
    return np.array(frames, np.float32)


def shifted(frame, voxels):
    """Return a frame displaced by some voxels along each axis."""
    return ndimage.shift(frame, voxels, order=1, mode="nearest")


def scaled(run, factors):
    """Return a run with each frame multiplied by its factor."""
    return (run * np.asarray(factors)[:, None, None, None]).astype(np.float32)
