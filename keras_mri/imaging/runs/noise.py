"""The noise of a run, measured on the run itself: its SD in every voxel and how neighbours share it, and draws of such noise.

Anatomy is the same in every frame, so it cancels in differences of frames; second differences in time also cancel linear drift.
"""

import dataclasses

import numpy as np
from scipy import fft, ndimage

from keras_mri.errors import InputError
from keras_mri.imaging.foreground import noise_foreground

# Median absolute deviation of a standard normal variable: the 75 % quantile.
MAD_OF_NORMAL = 0.6744897501960817
# Differences beyond two SDs count as two, and the mean of min(z², 4) of a standard normal variable z.
_CLIP, _CLIPPED_POWER = 2.0, 0.9205369
# Differences beyond three of these SDs are left out at last, and the mean of z² of those that stay.
_BEYOND, _USUAL_POWER = 3.0, 0.9733369
# Lags whose correlation is measured, the differences that this takes at most, and taps on each side of a drawing kernel.
_LAGS, _MOST_DIFFERENCES, _REACH = 3, 24, 6
# Weakest correlation that is told from none.
_LEAST_CORRELATION = 0.05
# A voxel's SD is at least this share of the median in the mask: it divides, and a clipped voxel has none.
_LEAST_SHARE = 0.2
# No scanner correlates neighbours that much: someone smoothed or resampled. Lag 1 and lag 2.
_SMOOTHED = (0.6, 0.25)
# Values of a run that are looked at together.
_SLAB_VALUES = 4_000_000


@dataclasses.dataclass(frozen=True, eq=False)
class RunNoise:
    """The noise of a run: how strong it is in every voxel, and how neighbours share it.

    Attributes
    ----------
    sigma : ndarray of float32, shape (x, y, z)
        SD of the noise of one frame, in the unit of the run; 0 where the run is exactly 0, and everywhere in a constant run.
    lags : tuple of three tuples of float
        Correlation of the noise of voxels 1, 2 and 3 apart, along x, y and z.
    """

    sigma: np.ndarray
    lags: tuple

    @property
    def correlation(self):
        """Correlation of the noise of next neighbours along x, y and z: tuple of three floats."""
        return tuple(lags[0] for lags in self.lags)

    @property
    def widths(self):
        """SD (voxels) of the Gaussian kernel that gives white noise this correlation along x, y and z: tuple of three floats.

        Noise smoothed by a kernel of SD s has the correlation exp(-1 / (4 s²)) between next neighbours. Up to 0.05 counts as none.
        """
        return tuple(float(np.sqrt(-1 / (4 * np.log(min(r, 0.999))))) if r > _LEAST_CORRELATION else 0.0 for r in self.correlation)

    @property
    def smoothed_beforehand(self):
        """Whether the run was smoothed or resampled before: along some axis its correlation is above what scanners leave.

        Lag 1 above 0.6, or lag 2 above 0.25.
        """
        return any(lags[0] > _SMOOTHED[0] or lags[1] > _SMOOTHED[1] for lags in self.lags)

    def draw(self, shape, rng):
        """Draw noise with the correlation of the run, in units of `sigma`: every voxel has mean 0 and SD 1.

        Parameters
        ----------
        shape : tuple of int
            (x, y, z, frames) of the noise; its sides need not be those of the run.
        rng : numpy.random.Generator

        Returns
        -------
        ndarray of float32, shape `shape`
            Frames are independent of each other.
        """
        kernels = [noise_kernel(lags) for lags in self.lags]
        noise = np.empty(shape, np.float32)
        # Drawn wider than asked, so that voxels at the faces have all of their neighbours, and the SD of the others.
        wide = tuple(side + len(kernel) - 1 for side, kernel in zip(shape, kernels))
        for t in range(shape[3]):
            frame = rng.standard_normal(wide, dtype=np.float32)
            for axis, kernel in enumerate(kernels):
                if len(kernel) > 1:
                    frame = ndimage.correlate1d(frame, kernel, axis=axis, mode="constant")
                    reach = len(kernel) // 2
                    frame = frame[(*(slice(None),) * axis, slice(reach, frame.shape[axis] - reach))]
            noise[..., t] = frame
        return noise


def noise_kernel(lags):
    """Make the symmetric kernel that gives white noise of unit variance certain correlations along an axis.

    Its transfer function is the root of the power spectrum 1 + 2 Σ lags[k - 1] cos(2π f k).

    Parameters
    ----------
    lags : sequence of float
        Correlation of voxels 1, 2, … apart; beyond the last it is taken as 0. Where no noise can have all of them, the spectrum's
        negative part is left out.

    Returns
    -------
    ndarray of float64, shape (taps,)
        An odd number of taps whose squares sum to 1: the variance stays 1.
    """
    if max(np.abs(lags)) <= _LEAST_CORRELATION:
        return np.ones(1)
    periodic = np.zeros(256)
    periodic[0] = 1.0
    for lag, r in enumerate(lags, start=1):
        periodic[[lag, -lag]] = r
    spectrum = np.maximum(fft.fft(periodic).real, 0)
    kernel = np.roll(fft.ifft(np.sqrt(spectrum)).real, _REACH)[: 2 * _REACH + 1]
    return kernel / np.sqrt((kernel**2).sum())


def estimate_run_noise(run, mask=None):
    """Measure the noise of a run by second differences in time.

    Parameters
    ----------
    run : ndarray of float32, shape (x, y, z, t)
        Three frames or more of one condition. A few blank or wild ones do little harm.
    mask : ndarray of bool, shape (x, y, z), optional
        Where correlations are measured. By default tissue, by its intensity.

    Returns
    -------
    RunNoise

    Raises
    ------
    InputError
        If there are fewer than three frames, or the mask has another shape.

    See Also
    --------
    estimate_run_noise_by_slabs : For runs that do not fit into memory.
    """
    thickness = max(1, _SLAB_VALUES // max(1, run[:, :, 0].size))
    return estimate_run_noise_by_slabs(lambda first, last: run[:, :, first:last], run.shape[2], mask, thickness)


def estimate_run_noise_by_slabs(slab, depth, mask=None, thickness=1):
    """Measure the noise of a run of which a few slices at a time are in memory, each once.

    Parameters
    ----------
    slab : function of (int, int)
        Returns slices first to last - 1 of the run: ndarray of float32, shape (x, y, last - first, t).
    depth : int
        Slices of the run.
    mask : ndarray of bool, shape (x, y, depth), optional
        Where correlations are measured. By default tissue, by its intensity.
    thickness : int
        Slices that are asked for at a time.

    Returns
    -------
    RunNoise

    Raises
    ------
    InputError
        If there are fewer than three frames, or the mask has another shape.
    """
    parts = [_slab_statistics(slab(first, min(first + thickness, depth))) for first in range(0, depth, thickness)]
    spread, mean, empty, differences = (np.concatenate(arrays, axis=2) for arrays in zip(*parts))
    if mask is None:
        mask = noise_foreground(mean, ~empty) if not empty.all() else ~empty
    elif mask.shape != mean.shape:
        raise InputError(f"`mask` must have the run's first three sides, {mean.shape}. Received: {mask.shape}.")
    inside = mask & ~empty
    sigma = _median_of_neighbours(spread, ~empty)
    if inside.any():
        sigma[~empty] = np.maximum(sigma[~empty], _LEAST_SHARE * np.median(sigma[inside]))
    return RunNoise(sigma, _correlations(differences, sigma, inside))


def _slab_statistics(run):
    """Return SD of the noise and mean of each voxel, whether it is empty, and some of the differences: all of shape (x, y, z[, n])."""
    if run.shape[3] < 3:
        raise InputError(f"the noise of a run is measured on three frames or more. Received: {run.shape[3]}.")
    # A frame may be blank, or a mask may move with the head: empty is what is exactly 0 in most of the frames.
    empty = 2 * np.count_nonzero(run, axis=3) <= run.shape[3]
    differences = (run[..., :-2] - 2 * run[..., 1:-1] + run[..., 2:]) / np.float32(np.sqrt(6))
    chosen = np.unique(np.linspace(0, differences.shape[3] - 1, _MOST_DIFFERENCES).round().astype(int))
    mean = run.mean(axis=3, dtype=np.float64)
    return np.where(empty, 0, _robust_spread(differences)).astype(np.float32), mean, empty, differences[..., chosen]


def _robust_spread(differences):
    """Return the SD of differences along the last axis, in which a few may be wild (Huber's proposal 2, then without the wild ones).

    The median absolute deviation is where it starts: alone it would be 0, or one of a few values, for integers that vary by one or two.
    """
    power = np.square(differences)
    variance = np.median(power, axis=3, keepdims=True) / MAD_OF_NORMAL**2
    variance = np.where(variance > 0, variance, power.mean(axis=3, keepdims=True))
    for _ in range(6):
        variance = np.minimum(power, _CLIP**2 * variance).mean(axis=3, keepdims=True) / np.float32(_CLIPPED_POWER)
    usual = power <= _BEYOND**2 * variance
    variance = power.sum(axis=3, keepdims=True, where=usual) / np.maximum(usual.sum(axis=3, keepdims=True), 1) / np.float32(_USUAL_POWER)
    # One frame out of the ordinary makes three differences; without others the voxel is constant.
    variance[np.count_nonzero(power, axis=3, keepdims=True) <= 0.05 * power.shape[3]] = 0
    return np.sqrt(variance[..., 0] / _median_of_variance(power.shape[3]))


def _median_of_variance(count):
    """Return the median of the sample variance of `count` second differences of white noise of unit variance.

    Neighbouring differences share frames, with correlations of -2/3 and 1/6. The sum of their squares is about chi-square with fewer
    degrees of freedom (Satterthwaite), and the median of chi-square is near ν (1 - 2 / (9 ν))³ (Wilson and Hilferty).
    """
    squared = count + 2 * ((count - 1) * 4 / 9 + max(count - 2, 0) / 36)
    freedom = count**2 / squared
    return (1 - 2 / (9 * freedom)) ** 3


def _median_of_neighbours(values, valid):
    """Return the median over the 3 × 3 × 3 voxels around each valid one, of valid ones alone: float32, 0 elsewhere."""
    result = np.zeros(values.shape, np.float32)
    padded = np.pad(np.where(valid, values, np.nan).astype(np.float32), 1, constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3, 3))
    for z in range(values.shape[2]):
        here = valid[:, :, z]
        # NaN sorts last, so the valid neighbours come first.
        around = np.sort(windows[:, :, z][here].reshape(-1, 27), axis=1)
        count = np.count_nonzero(~np.isnan(around), axis=1)
        middle = np.stack([(count - 1) // 2, count // 2], axis=1)
        result[:, :, z][here] = np.take_along_axis(around, middle, axis=1).mean(axis=1)
    return result


def _correlations(differences, sigma, inside):
    """Return the correlations of differences 1, 2 and 3 voxels apart along each axis, inside the mask without its border."""
    deep = ndimage.binary_erosion(inside, border_value=1)
    deep = (deep if deep.any() else inside) & (sigma > 0)
    if not deep.any():
        return ((0.0,) * _LAGS,) * 3
    scaled = np.where(deep[..., None], differences, 0) / np.where(deep, sigma, 1)[..., None]
    return tuple(tuple(_correlation(scaled, deep, axis, lag) for lag in range(1, _LAGS + 1)) for axis in range(3))


def _correlation(scaled, deep, axis, lag):
    """Return the correlation at one lag along one axis: the median over differences, so that a frame that moved counts as one."""
    before, after = (slice(None),) * axis + (slice(None, -lag),), (slice(None),) * axis + (slice(lag, None),)
    both = deep[before] & deep[after]
    if both.sum() < 2:
        return 0.0
    first, second = scaled[before][both].astype(np.float64), scaled[after][both].astype(np.float64)
    power = np.sqrt((first**2).mean(axis=0) * (second**2).mean(axis=0))
    if not power.any():
        return 0.0
    return float(np.median((first * second).mean(axis=0)[power > 0] / power[power > 0]))
