"""How close two volumes are, how stable a run is, and how smooth its residual is."""

import numpy as np
from skimage.metrics import structural_similarity

from keras_mri.errors import InputError

# Side of the cubes in which structural similarity is judged, voxels.
_WINDOW = 7


def psnr(reference, image, mask=None, data_range=None):
    """Return the peak signal-to-noise ratio.

    Parameters
    ----------
    reference, image : ndarray of float32, shape (x, y, z)
    mask : ndarray of bool, shape (x, y, z), optional
        Voxels that count; all without it.
    data_range : float, optional
        The peak, in the unit of `reference`; its maximum by default.

    Returns
    -------
    float
        20·log10(peak / RMSE), dB; infinite for equal volumes.
    """
    data_range = _peak(reference) if data_range is None else data_range
    error = rmse(reference, image, mask)
    return float("inf") if error == 0 else float(20 * np.log10(data_range / error))


def rmse(reference, image, mask=None):
    """Return the root mean squared error, in the unit of the volumes; parameters as for `psnr`."""
    difference = np.asarray(image, np.float64) - reference
    return float(np.sqrt(np.mean((difference if mask is None else difference[mask]) ** 2)))


def nrmse(reference, image, mask=None):
    """Return the RMSE over the root mean square of the reference, a ratio; parameters as for `psnr`."""
    scale = rmse(reference, np.zeros_like(reference), mask)
    error = rmse(reference, image, mask)
    return error / scale if scale else (0.0 if error == 0 else float("inf"))


def ssim(reference, image, mask=None, data_range=None):
    """Return the mean of `ssim_map` over the mask; parameters as for `psnr`."""
    similarity = ssim_map(reference, image, _peak(reference) if data_range is None else data_range)
    return float(similarity.mean() if mask is None else similarity[mask].mean())


def ssim_map(reference, image, data_range):
    """Return the structural similarity around each voxel, in 3D windows of 7³ voxels (thinner where the volume is).

    Parameters
    ----------
    reference, image : ndarray of float32, shape (x, y, z)
    data_range : float
        In the unit of `reference`.

    Returns
    -------
    ndarray of float64, shape (x, y, z)
        At most 1.

    References
    ----------
    Wang et al., IEEE Trans Image Process 13:600, 2004. doi:10.1109/TIP.2003.819861
    """
    # Repeating the outermost slices gives a volume thinner than the window something to look at.
    margins = [(0, max(0, _WINDOW - side)) for side in reference.shape]
    first, second = (np.pad(np.asarray(volume, np.float64), margins, mode="edge") for volume in (reference, image))
    _, similarity = structural_similarity(first, second, win_size=_WINDOW, data_range=data_range, full=True)
    return similarity[tuple(slice(side) for side in reference.shape)]


class RunStatistics:
    """Temporal mean and standard deviation of a run, and the smoothness of what fluctuates, from frames given one by one.

    Parameters
    ----------
    mask : ndarray of bool, shape (x, y, z)
    """

    def __init__(self, mask):
        self.mask = mask
        self.count = 0
        self.mean = np.zeros(mask.shape)
        self._squares = np.zeros(mask.shape)
        self._previous = None
        self._steps = np.zeros(3)
        self._step_counts = np.zeros(3)
        self._variance = 0.0
        self._n_differences = 0

    def add(self, frame):
        """Take the next frame.

        Parameters
        ----------
        frame : ndarray of float32, shape (x, y, z)
        """
        # Welford's update: no sum of large squares.
        self.count += 1
        difference = frame - self.mean
        self.mean += difference / self.count
        self._squares += difference * (frame - self.mean)
        if self._previous is not None:
            self._add_smoothness(frame - self._previous)
        self._previous = np.array(frame, dtype=np.float64)

    def tsnr(self):
        """Return the median over the mask of temporal mean / SD, a ratio; NaN for a single frame."""
        if self.count < 2:
            return float("nan")
        inside = self.tsnr_map()[self.mask]
        inside = inside[np.isfinite(inside)]
        return float(np.median(inside)) if len(inside) else float("inf")

    def tsnr_map(self):
        """Return temporal mean / SD of every voxel: ndarray of float64, shape (x, y, z); infinity where nothing fluctuates."""
        deviation = np.sqrt(self._squares / max(1, self.count - 1))
        return np.divide(self.mean, deviation, out=np.full(self.mean.shape, np.inf), where=deviation > 0)

    def fwhm(self, zooms):
        """Return the smoothness of the fluctuation from frame to frame, as the full width at half maximum of a Gaussian.

        Parameters
        ----------
        zooms : tuple of float
            Voxel sides, mm.

        Returns
        -------
        float
            Geometric mean over the axes, mm; NaN where there is nothing to measure.

        References
        ----------
        Forman et al., Magn Reson Med 33:636, 1995. doi:10.1002/mrm.1910330508
        """
        if self._n_differences == 0 or self._variance == 0:
            return float("nan")
        variance = self._variance / self._n_differences
        widths = []
        for step, count, zoom in zip(self._steps, self._step_counts, zooms):
            # Forman 1995, eq. 5: the ratio of the variance of neighbours' differences to the variance itself.
            inner = 1 - step / count / (2 * variance) if count else 0.0
            if 0 < inner < 1:
                widths.append(zoom * np.sqrt(-2 * np.log(2) / np.log(inner)))
        return float(np.exp(np.mean(np.log(widths)))) if widths else float("nan")

    def _add_smoothness(self, residual):
        residual = np.where(self.mask, residual - residual[self.mask].mean(), 0.0)
        self._variance += float((residual[self.mask] ** 2).sum())
        self._n_differences += int(self.mask.sum())
        for axis in range(3):
            both = np.logical_and(*_neighbours(self.mask, axis))
            first, second = _neighbours(residual, axis)
            self._steps[axis] += float(((first - second)[both] ** 2).sum())
            self._step_counts[axis] += int(both.sum())


def _neighbours(array, axis):
    length = array.shape[axis]
    return np.take(array, range(length - 1), axis), np.take(array, range(1, length), axis)


def _peak(reference):
    peak = float(np.max(reference))
    if peak <= 0:
        raise InputError(f"the data range cannot be taken from a reference whose maximum is {peak:g}; state it with `data_range`.")
    return peak
