"""Parts of volumes on different grids, all of one shape, and where in its volume each lies."""

import typing

import numpy as np

# Frames of a run are alike: it gives no more crops than this for each pass over all runs.
_FRAMES = 24
# Places that are tried for a crop, and the least share of the frame's mean that it must have.
_TRIES, _LEAST_MEAN = 8, 0.5
# Positions are in this many mm.
_UNIT = 100.0
POSITION_CHANNELS = 3


class Crop(typing.NamedTuple):
    """A part of a frame.

    Parameters
    ----------
    run, time : int
        Number of the run, and of its frame.
    corner : tuple of int, (x, y, z)
    """

    run: int
    time: int
    corner: tuple


def drawn_crops(runs, shape, count, rng):
    """Draw crops: runs in turn, frames and places at random, not in air alone.

    Parameters
    ----------
    runs : sequence of ndarray of float32, shape (x, y, z, t)
        Shapes may differ; a run that is smaller than a crop begins at its corner.
    shape : tuple of int
        Of the crops.
    count : int
        About so many, at least one of each run.
    rng : numpy.random.Generator

    Returns
    -------
    list of Crop
    """
    shares = [min(run.shape[3], _FRAMES) for run in runs]
    crops = []
    for number, (run, share) in enumerate(zip(runs, shares)):
        own = max(1, round(count * share / sum(shares)))
        times = np.resize(rng.permutation(run.shape[3]), own)
        crops += [Crop(number, int(t), _corner(run[..., t], shape, rng)) for t in times]
    return crops


def cut(volume, corner, shape):
    """Cut a crop; where the volume ends, its outermost voxels are repeated.

    Parameters
    ----------
    volume : ndarray, shape (x, y, z, …)
    corner, shape : tuple of int, (x, y, z)

    Returns
    -------
    ndarray, same type
    """
    part = volume[tuple(slice(start, start + side) for start, side in zip(corner, shape))]
    missing = [(0, side - have) for side, have in zip(shape, part.shape)]
    return np.pad(part, missing + [(0, 0)] * (volume.ndim - 3), mode="edge") if np.any(missing) else part


def positions(cells, side, zooms, shape, corner=(0, 0, 0)):
    """Return where the cells of a latent lie, seen from the centre of the volume.

    Parameters
    ----------
    cells : tuple of int, (x', y', z')
    side : int
        Voxels of a cell along each axis.
    zooms : sequence of float
        Sides of the voxels, mm.
    shape : tuple of int, (x, y, z)
        Of the whole volume.
    corner : tuple of int, (x, y, z)
        First voxel of the first cell.

    Returns
    -------
    ndarray of float32, shape (x', y', z', 3)
        In 100 mm.
    """
    axes = [
        (start + side * (np.arange(count) + 0.5) - whole / 2) * zoom / _UNIT
        for count, start, whole, zoom in zip(cells, corner, shape, zooms)
    ]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).astype(np.float32)


def _corner(frame, shape, rng):
    last = [max(0, have - side) for have, side in zip(frame.shape, shape)]
    least = _LEAST_MEAN * frame.mean()
    for _ in range(_TRIES):
        corner = tuple(int(rng.integers(end + 1)) for end in last)
        if not any(last) or cut(frame, corner, shape).mean() >= least:
            break
    return corner
