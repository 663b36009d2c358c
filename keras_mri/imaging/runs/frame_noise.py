"""Noise of a run, voxel by voxel, from second differences of its frames; two frames are kept, whatever the run's length."""

import numpy as np


class FrameNoise:
    """Gathers d = y[t-1] - 2 y[t] + y[t+1], in which anatomy and slow signals cancel.

    Each d enters in units of its own level over space, so that a spike counts no more than any other frame; the map is then scaled by
    the median of the levels.

    Attributes
    ----------
    count : int
        Number of second differences taken in.
    """

    def __init__(self):
        self.count = 0
        self._squares, self._levels = 0.0, []
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
        before, here, after = (data for _, data in self._recent)
        difference = before + after - 2 * here
        squares = np.square(difference, dtype=np.float64)
        level = float(np.sqrt(squares.mean()))
        self._squares = self._squares + squares / (level**2 or 1)
        self._levels.append(level)
        self.count += 1

    def map(self):
        """Return the noise SD of every voxel.

        Returns
        -------
        ndarray of float64, shape (x, y, z), or None
            In the unit of the frames; None before three neighbouring frames were given.
        """
        # For white noise, E d² = (1 + 4 + 1) · variance.
        return np.median(self._levels) * np.sqrt(self._squares / (6 * self.count)) if self.count else None

    def typical(self, region):
        """Return the median of the map over a region, corrected for the skewness of estimates from few frames.

        Parameters
        ----------
        region : ndarray of bool, shape (x, y, z)

        Returns
        -------
        float
            In the unit of the frames; `count` must be at least 1.
        """
        # Second differences of white noise have the covariances 6, -4, 1: var(sum d²) = 2 · sum of squared covariances.
        n = self.count
        freedom = 36 * n**2 / (36 * n + 32 * (n - 1) + 2 * max(n - 2, 0))
        # Wilson and Hilferty 1931: the median of chi² over its mean.
        skewness = (1 - 2 / (9 * freedom)) ** 3
        return float(np.median(self.map()[region]) / np.sqrt(skewness))
