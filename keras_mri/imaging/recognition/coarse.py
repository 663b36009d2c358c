"""The coarse grid on which a picture is looked at: what it shows needs no fine detail, and there noise is low."""

import numpy as np

# mm: side of its voxels, at most that of the picture's where they are larger.
COARSE = 3.0


def coarsened(frame, zooms, side=COARSE):
    """Average a picture over blocks of voxels.

    Parameters
    ----------
    frame : ndarray of float32, shape (x, y, z)
    zooms : sequence of float
        Voxel sides, mm.
    side : float
        Of the blocks, mm, at most.

    Returns
    -------
    means : ndarray of float32, shape (i, j, k)
        Over the blocks; what is left over at the end of an axis is left out.
    zooms : ndarray of float64, shape (3,)
        Sides of the blocks, mm.
    """
    steps = [max(1, min(int(side // zoom), count)) for zoom, count in zip(zooms, frame.shape)]
    cut = frame[tuple(slice(count - count % step) for count, step in zip(frame.shape, steps))]
    blocks = cut.reshape([part for count, step in zip(cut.shape, steps) for part in (count // step, step)])
    # In float64 the sum of the largest numbers that float32 holds is still finite.
    return blocks.mean(axis=(1, 3, 5), dtype=np.float64).astype(np.float32), np.array([step * zoom for step, zoom in zip(steps, zooms)])
