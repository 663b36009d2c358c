"""What is kept of each frame of a run: block averages and, slice by slice, means and roughness. A few thousand numbers a frame."""

from dataclasses import dataclass

import numpy as np

# Block averages of one frame: enough to see anatomy, few enough to keep those of a thousand frames in 12 MB.
_MOST_BLOCKS = 3000


@dataclass(frozen=True)
class RunSummary:
    """Small summaries of all frames of a run.

    Parameters
    ----------
    blocks : ndarray of float32, shape (frame, i, j, k)
        Averages over blocks of `side` voxels along each axis, in the unit of the frames; the last block of an axis may be shorter.
    side : int
        Of a block, voxels.
    profiles : tuple of three ndarrays of float32, shape (frame, slice)
        Mean of each slice across x, y and z.
    roughness : tuple of three ndarrays of float32, shape (frame, slice)
        Root mean square of the differences of neighbouring voxels within each slice across x, y and z.
    finite : ndarray of bool, shape (frame,)
        False where a frame holds NaN or infinity; such values are taken as 0 in the other summaries.
    """

    blocks: np.ndarray
    side: int
    profiles: tuple[np.ndarray, np.ndarray, np.ndarray]
    roughness: tuple[np.ndarray, np.ndarray, np.ndarray]
    finite: np.ndarray

    @property
    def n_frames(self):
        """Number of frames: int."""
        return len(self.blocks)


def summarise_run(frames):
    """Go through a run once and keep a summary of each frame.

    Parameters
    ----------
    frames : iterable of ndarray of float32, shape (x, y, z)
        In the order of time; at least one.

    Returns
    -------
    RunSummary
    """
    rows, finite, side = [], [], 1
    for frame in frames:
        finite.append(bool(np.isfinite(frame).all()))
        frame = np.asarray(frame if finite[-1] else np.nan_to_num(frame, nan=0.0, posinf=0.0, neginf=0.0), np.float32)
        side = _block_side(frame.shape)
        rows.append((_block_means(frame, side), *_slice_means(frame), *_slice_roughness(frame)))
    blocks, *slices = (np.array(column, np.float32) for column in zip(*rows))
    return RunSummary(blocks, side, tuple(slices[:3]), tuple(slices[3:]), np.array(finite))


def _block_side(shape):
    side = 1
    while np.prod([-(-length // side) for length in shape]) > _MOST_BLOCKS:
        side += 1
    return side


def _block_means(frame, side):
    for axis, length in enumerate(frame.shape):
        starts = np.arange(0, length, side)
        counts = np.minimum(side, length - starts).reshape([-1 if a == axis else 1 for a in range(3)])
        frame = np.add.reduceat(frame, starts, axis=axis, dtype=np.float64) / counts
    return frame


def _slice_means(frame):
    return [frame.mean(axis=tuple(a for a in range(3) if a != axis), dtype=np.float64) for axis in range(3)]


def _slice_roughness(frame):
    squares = [np.square(np.diff(frame, axis=axis)) for axis in range(3)]
    rough = []
    for axis, length in enumerate(frame.shape):
        others = [a for a in range(3) if a != axis]
        # A frame of one slice has no neighbours along that axis: nothing to add.
        parts = [squares[a].mean(axis=tuple(others), dtype=np.float64) for a in others if frame.shape[a] > 1]
        rough.append(np.sqrt(np.sum(parts, axis=0)) if parts else np.zeros(length))
    return rough
