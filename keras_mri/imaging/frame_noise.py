"""Noise of a run, voxel by voxel, from second differences of its frames; two frames are kept, whatever the run's length."""

import numpy as np


class FrameNoise:
    """Gathers y[t-1] - 2 y[t] + y[t+1], in which anatomy and slow signals cancel.

    Attributes
    ----------
    count : int
        Number of second differences taken in.
    """

    def __init__(self):
        self.count = 0
        self._squares = None
        self._recent = []

    def add(self, time, frame):
        """Take the next frame.

        Parameters
        ----------
        time : int
            Number of the frame, rising; numbers that are left out are frames that do not count.
        frame : ndarray of float32, shape (x, y, z)
        """
        if self._recent and self._recent[-1][0] != time - 1:
            self._recent = []
        self._recent = [*self._recent[-2:], (time, frame)]
        if len(self._recent) < 3:
            return
        before, here, after = (data.astype(np.float64) for _, data in self._recent)
        squares = (before - 2 * here + after) ** 2
        self._squares = squares if self._squares is None else self._squares + squares
        self.count += 1

    def map(self):
        """Return the noise SD of every voxel.

        Returns
        -------
        ndarray of float64, shape (x, y, z), or None
            In the unit of the frames; None before three neighbouring frames were given.
        """
        # For white noise, E (second difference)² = (1 + 4 + 1) · variance.
        return None if self._squares is None else np.sqrt(self._squares / (6 * self.count))
