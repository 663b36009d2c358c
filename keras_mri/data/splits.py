"""Which part of the data trains and which validates: other subjects, frames, files, slices or blocks, never the same voxels."""

import itertools

import numpy as np

from keras_mri.errors import InputError
from keras_mri.imaging.foreground import patch_foreground

_VALIDATION_SHARE = 0.2
# Of the blocks of one scan; with fewer blocks than the least number, blocks are made smaller, to the least side.
_BLOCK_SHARE, _LEAST_BLOCKS, _LEAST_SIDE = 0.15, 6, 6
# Of the subjects: this share validates and the same is kept for tests.
_SUBJECT_SHARE, LEAST_SUBJECTS = 0.2, 3


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
                f"a training example spans {window} frames. Received: a run of {run.shape[3]}. Use `frames` 1 and `target` frame."
            )
    if any(run.shape[3] >= 2 * window for run in runs):
        return _by_time(runs, window)
    if len(runs) > 1:
        count = max(1, round(_VALIDATION_SHARE * len(runs)))
        return list(runs[:-count]), list(runs[-count:])
    return _by_slices(runs[0])


def slab_cut(tissue):
    """Return where a single scan is cut so that about the last fifth of its tissue lies behind.

    Parameters
    ----------
    tissue : ndarray of bool, shape (x, y, z)

    Returns
    -------
    axis : int
        The longest one.
    cut : int
        The first slice behind.
    """
    axis = int(np.argmax(tissue.shape))
    # By tissue, not by field of view: the last slices of a head scan are often air.
    profile = tissue.sum(axis=tuple(a for a in range(3) if a != axis)).astype(float) + 1e-6
    shares = np.cumsum(profile)[:-1] / profile.sum()
    return axis, int(np.argmin(np.abs(shares - (1 - _VALIDATION_SHARE)))) + 1


def hold_out_blocks(mask, block_shape, seed, covering=False):
    """Divide the places of a scan's blocks into those that train and those that validate, which share no voxel.

    Parameters
    ----------
    mask : ndarray of bool, shape (x, y, z)
        Where blocks are wanted.
    block_shape : tuple of int
        Voxels; made smaller where the mask's box is too small for several blocks.
    seed : int
        Chooses the blocks held out.
    covering : bool
        Train on the fewest blocks that cover the mask's box instead of blocks anywhere in it.

    Returns
    -------
    block_shape : tuple of int
    training, held_out : ndarray of int32, shape (corners, 3)
        Corners of the blocks.

    Raises
    ------
    InputError
        If the mask has no room for two blocks.
    """
    inside = np.argwhere(mask)
    low, high = inside.min(axis=0), inside.max(axis=0) + 1
    shape = [int(min(size, side)) for size, side in zip(block_shape, high - low)]
    least = 2 if covering else _LEAST_BLOCKS
    while len(grid := _filled(_grid(low, high, shape), shape, mask)) < least and max(shape) > _LEAST_SIDE:
        axis = int(np.argmax(shape))
        shape[axis] = max(_LEAST_SIDE, shape[axis] // 2)
    if len(grid) < 2:
        raise InputError(
            f"the mask, {len(inside)} voxels in a box of {tuple(int(side) for side in high - low)}, is too small or too thin for blocks "
            f"that train and blocks that are held out. Expected at least two blocks of {tuple(shape)} voxels. Give a larger mask."
        )
    held_out = np.random.default_rng(seed).permutation(grid)[: max(1, round(_BLOCK_SHARE * len(grid)))]
    if covering:
        corners = _filled(_grid(low, high, shape, covering=True), shape, mask)
    else:
        # Blocks centred on every second voxel of the mask are as good as all; those of the grid are apart from the held-out ones.
        corners = np.concatenate([grid, np.clip(inside[::2] - np.floor_divide(shape, 2), 0, np.subtract(mask.shape, shape))])
    corners = _apart(corners, held_out, shape)
    corners = corners if len(corners) else _apart(grid, held_out, shape)
    return tuple(shape), corners.astype(np.int32), held_out.astype(np.int32)


def _apart(corners, others, shape):
    """Keep the corners of blocks that share no voxel with any of the others."""
    apart = np.ones(len(corners), bool)
    for corner in others:
        apart &= (np.abs(corners - corner) >= shape).any(axis=1)
    return corners[apart]


def split_subjects(subjects, seed):
    """Divide subjects into those that train (three fifths), validate and test (a fifth each, at least one).

    Parameters
    ----------
    subjects : iterable of str
        In any order and any number of times each.
    seed : int

    Returns
    -------
    dict of str to str
        Subject → "training", "validation" or "test", in order of subject.

    Raises
    ------
    InputError
        If there are fewer than three subjects.
    """
    # Sorted, so that the order in which a disk lists its files decides nothing.
    names = sorted(set(subjects))
    if len(names) < LEAST_SUBJECTS:
        raise InputError(
            f"training, validation and test need at least {LEAST_SUBJECTS} subjects. Received: {len(names)} ({', '.join(names)}). "
            "Add subjects, or train on sources simulated from single scans with `simulate`."
        )
    count = max(1, round(_SUBJECT_SHARE * len(names)))
    drawn = [names[k] for k in np.random.default_rng(seed).permutation(len(names))]
    parts = {**dict.fromkeys(drawn[:count], "validation"), **dict.fromkeys(drawn[count : 2 * count], "test")}
    return {name: parts.get(name, "training") for name in names}


def _grid(low, high, shape, covering=False):
    """List the corners of blocks spread evenly over a box: apart from one another, or just overlapping to cover it."""
    counts = [max(1, -(-int(b - a) // size) if covering else int(b - a) // size) for a, b, size in zip(low, high, shape)]
    axes = [np.linspace(a, b - size, count).round().astype(int) for a, b, size, count in zip(low, high, shape, counts)]
    return np.array(list(itertools.product(*axes)))


def _filled(corners, shape, mask):
    """Keep the corners of blocks of which the mask fills at least a fifth."""
    return np.array([c for c in corners if mask[tuple(slice(a, a + size) for a, size in zip(c, shape))].mean() >= 0.2]).reshape(-1, 3)


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
    axis, cut = slab_cut(patch_foreground(run.mean(axis=3)))
    first, last = (tuple(part if a == axis else slice(None) for a in range(4)) for part in (slice(0, cut), slice(cut, None)))
    return [run[first]], [run[last]]
