"""A run as guesses need it: its frames, what each lacks, the mean, tissue, and time courses of some voxels."""

import functools

import numpy as np

from keras_mri.imaging.foreground import patch_foreground
from keras_mri.imaging.run_repair.space import SpaceGuess

# Voxels whose time courses are compared.
_SAMPLES = 20_000
# Frames, the nearest in time, of which a guess is a sum.
_MOST_FRAMES = 200


class KnownRun:
    """A run with holes.

    Parameters
    ----------
    read_frame : callable
        `read_frame(t)` returns an ndarray of float32, shape (x, y, z); read often.
    missing_at : callable
        `missing_at(t)` returns an ndarray of bool, shape (x, y, z).
    n_frames : int

    Attributes
    ----------
    mean : ndarray of float32, shape (x, y, z)
        Over the frames that know a voxel; where none does, a guess.
    never : ndarray of bool, shape (x, y, z)
        What no frame knows.
    tissue : ndarray of bool, shape (x, y, z)
        Voxels that count: known, and not air.
    """

    def __init__(self, read_frame, missing_at, n_frames):
        self.read, self.missing_at, self.n_frames = read_frame, missing_at, n_frames
        total, count = 0.0, 0
        for t in range(n_frames):
            known = ~missing_at(t)
            total, count = total + np.where(known, read_frame(t), 0).astype(np.float64), count + known
        self.never = count == 0
        mean = (total / np.maximum(count, 1)).astype(np.float32)
        tissue = patch_foreground(mean) & ~self.never
        self.tissue = tissue if tissue.any() else ~self.never
        self._space = functools.lru_cache(maxsize=2)(self._space_of)
        self.mean = mean
        self.mean = self.in_space(mean, self.never)

    def known_frame(self, t):
        """Return frame t with the mean where it lacks something: ndarray of float32, shape (x, y, z)."""
        missing = self.missing_at(t)
        return np.where(missing, self.mean, self.read(t)) if missing.any() else self.read(t)

    def in_space(self, frame, never):
        """Return a frame with what no frame knows filled from the slices beside: ndarray of float32, shape (x, y, z)."""
        return self._space(np.packbits(never).tobytes()).filled(frame) if never.any() else frame

    def window(self, t):
        """Return the frames around frame t of which a guess of it may be a sum: ndarray of int, rising."""
        first = min(max(t - _MOST_FRAMES // 2, 0), max(self.n_frames - _MOST_FRAMES, 0))
        return np.arange(first, min(first + _MOST_FRAMES, self.n_frames))

    @functools.cached_property
    def samples(self):
        """Flat places of some voxels of tissue, and their time courses less their means: arrays of shape (n,), (n, t)."""
        at = np.flatnonzero(self.tissue)
        at = at[np.linspace(0, len(at) - 1, min(len(at), _SAMPLES)).round().astype(int)]
        return at, self.courses(at, range(self.n_frames))

    def courses(self, at, frames):
        """Return time courses of voxels at flat places, less their means: ndarray of float32, shape (voxels, frames)."""
        return np.stack([self.known_frame(s).ravel()[at] for s in frames], axis=1) - self.mean.ravel()[at, None]

    def _space_of(self, key):
        never = np.unpackbits(np.frombuffer(key, np.uint8), count=self.mean.size).astype(bool).reshape(self.mean.shape)
        return SpaceGuess(self.mean, never, self.tissue & ~never)
