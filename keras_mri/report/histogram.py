"""A histogram of values that arrive in parts and whose range is not known beforehand."""

import numpy as np


class Histogram:
    """Counts of values in bins around zero, which double in width when a value lies outside.

    Parameters
    ----------
    bins : int
        Number of bins on each side of zero; even.
    """

    def __init__(self, bins=512):
        self._bins, self._limit = bins, 0.0
        self.counts = np.zeros(2 * bins, np.int64)
        self.n, self.mean, self._squares = 0, 0.0, 0.0

    @property
    def edges(self):
        """Edges of the bins: ndarray of float64, shape (2 bins + 1,)."""
        return np.linspace(-self._limit, self._limit, 2 * self._bins + 1)

    @property
    def deviation(self):
        """Standard deviation of all values; 0.0 if there are none."""
        return float(np.sqrt(self._squares / self.n)) if self.n else 0.0

    def add(self, values):
        """Count more values.

        Parameters
        ----------
        values : ndarray of float32, shape (n,)
            Finite.
        """
        if not values.size:
            return
        self._widen(float(np.abs(values).max()))
        if self._limit:
            self.counts += np.histogram(values, self.edges)[0]
        else:
            # Only zeros so far: they may go to either middle bin.
            self.counts[self._bins] += values.size
        # Chan 1979: mean and sum of squares of the union of two parts.
        mean, n = float(values.mean(dtype=np.float64)), self.n + values.size
        gap = mean - self.mean
        self._squares += float(np.square(values - mean, dtype=np.float64).sum()) + gap**2 * self.n * values.size / n
        self.mean += gap * values.size / n
        self.n = n

    def central(self, share=0.998, most=60):
        """Return the central bins that hold nearly all values, merged so that they are few enough to draw.

        Parameters
        ----------
        share : float
            Least share of the values that the bins hold.
        most : int
            Greatest number of bins; even.

        Returns
        -------
        edges : ndarray of float64, shape (bins + 1,)
            Symmetric about zero.
        density : ndarray of float64, shape (bins,)
            Sums to the share of values within the edges when multiplied by the width of a bin.
        """
        folded = np.cumsum(self.counts[self._bins :] + self.counts[: self._bins][::-1])
        half = max(1, int(np.searchsorted(folded, share * self.n)) + 1)
        join = -(-half // (most // 2))
        # Whole merged bins that reach at least that far.
        half = min(join * -(-half // join), self._bins // join * join)
        shown = self.counts[self._bins - half : self._bins + half].reshape(-1, join).sum(axis=1)
        edges = self.edges[self._bins - half : self._bins + half + 1 : join]
        width = edges[1] - edges[0]
        return edges, shown / (max(1, self.n) * width) if width else np.zeros(len(shown))

    def _widen(self, reach):
        """Double the width of the bins until they cover `reach`."""
        if reach > 0 and self._limit == 0:
            self._limit = reach
        while reach > self._limit > 0:
            pairs = self.counts.reshape(-1, 2).sum(axis=1)
            quarter = np.zeros(self._bins // 2, np.int64)
            self.counts, self._limit = np.concatenate([quarter, pairs, quarter]), 2 * self._limit
