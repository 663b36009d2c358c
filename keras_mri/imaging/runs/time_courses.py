"""Time courses of many voxels, given frame by frame: mean, variance, trend, autocorrelation; no frame but the last is kept."""

import numpy as np


class TimeCourses:
    """Sums over time for each of a list of voxels.

    Attributes
    ----------
    count : int
        Number of frames taken in.
    """

    def __init__(self):
        self.count = 0
        self._first, self._last = None, None
        self._times = np.zeros(2)
        self._sums, self._squares, self._moments = 0.0, 0.0, 0.0
        self._n_steps, self._steps, self._squared_steps = 0, 0.0, 0.0

    def add(self, time, values):
        """Take the next frame.

        Parameters
        ----------
        time : int
            Number of the frame, rising; numbers that are left out are frames that do not count.
        values : ndarray, shape (voxels,)
        """
        values = np.asarray(values, np.float64)
        if self._first is None:
            self._first = time, values
        # Relative to the first frame: squares of intensities are much larger than their variance.
        time_since, change = time - self._first[0], values - self._first[1]
        self._times += time_since, time_since**2
        self._sums, self._squares = self._sums + change, self._squares + change**2
        self._moments = self._moments + time_since * change
        if self._last is not None and time == self._last[0] + 1:
            step = change - self._last[1]
            self._n_steps += 1
            self._steps, self._squared_steps = self._steps + step, self._squared_steps + step**2
        self._last = time, change
        self.count += 1

    def mean(self):
        """Return the mean over time: ndarray of float64, shape (voxels,)."""
        return self._first[1] + self._sums / self.count

    def variance(self):
        """Return the unbiased variance over time, trend included: ndarray of float64, shape (voxels,)."""
        return self._squared_deviations() / (self.count - 1)

    def power(self):
        """Return the mean square over time: ndarray of float64, shape (voxels,)."""
        return self.mean() ** 2 + self._squared_deviations() / self.count

    def detrended_variance(self):
        """Return the unbiased variance around a straight line in time, of at least three frames: ndarray of float64, shape (voxels,)."""
        slope, spread = self._slope()
        left = np.maximum(self._squared_deviations() - slope**2 * spread, 0.0)
        # What rounding leaves of a constant, or of a straight line, is no variance.
        rounding = 1e-12 * (self._squares + self._first[1] ** 2)
        return np.where(left > rounding, left, 0.0) / (self.count - 2)

    def tsnr(self):
        """Return the median over the voxels of mean / SD, the linear trend removed: float; infinite where nothing fluctuates."""
        variance = self.detrended_variance()
        moving = variance > 0
        return float(np.median(self.mean()[moving] / np.sqrt(variance[moving]))) if moving.any() else float("inf")

    def autocorrelation(self):
        """Return the correlation of each frame with the next, the linear trend removed.

        Returns
        -------
        float
            The median over the voxels; about 0 for white noise; NaN where nothing fluctuates, or no two frames are neighbours.

        References
        ----------
        von Neumann, Ann Math Stat 12:367, 1941. doi:10.1214/aoms/1177731677
        """
        variance = self.detrended_variance()
        moving = variance > 0
        if not moving.any() or not self._n_steps:
            return float("nan")
        slope, _ = self._slope()
        steps = (self._squared_steps - 2 * slope * self._steps) / self._n_steps + slope**2
        # E (e[t+1] - e[t])² = 2 · variance · (1 - correlation)
        return float(np.median(1 - steps[moving] / (2 * variance[moving])))

    def _squared_deviations(self):
        return np.maximum(self._squares - self._sums**2 / self.count, 0.0)

    def _slope(self):
        """Return the slope of each voxel's straight line, per frame, and the sum of squared deviations of time."""
        mean_time = self._times[0] / self.count
        spread = self._times[1] - self.count * mean_time**2
        return (self._moments - mean_time * self._sums) / spread, spread
