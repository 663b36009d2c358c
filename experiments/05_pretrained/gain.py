"""How much of the possible a denoiser gains on a scan whose truth is the mean of its other repetitions.

Of n repetitions with independent noise of SD σ, one is restored and compared with the mean of the n − 1 others, which has noise of its
own. The RMS distances of the one as it is, and of one without any noise, are

    d_in² = σ² + σ² / (n − 1) = σ² n / (n − 1)        d_free² = σ² / (n − 1) = d_in² / n

whatever the correlation of the noise in space. The share of the possible gain is (d_in² − d_out²) / (d_in² − d_free²): 0 for the scan
as it is, 1 for the noise-free one. It is a share of variance; of the RMS, which shrinks late, the share is smaller below 1.

In runs d_in² also holds drift and physiology D², which are no noise and cannot go: the share stays below 1 even for a noise-free
frame. σ² of second differences in time, in which slow changes cancel, gives the share of what noise alone would gain:
(d_in² − d_out²) / σ². Second differences have the noise of three frames: (1 + 4 + 1) σ².

A mean of squares belongs to the few voxels that fluctuate most: pulsating fluid and vessels, and edges. `quiet` tells the others, where
what is left is noise of the scanner.
"""

import numpy as np
from scipy import ndimage


def share(before, after, count):
    """Return the share of the possible gain, in variance.

    Parameters
    ----------
    before, after : float
        RMS distance of one repetition to the mean of the others, as it is and restored.
    count : int
        Repetitions in all, 2 or more.

    Returns
    -------
    float
        0 for no gain, 1 for what a noise-free repetition would gain; negative where it got worse.
    """
    return float((before**2 - after**2) / (before**2 - before**2 / count))


def share_of_rms(before, after, count):
    """Return the share of the possible gain in RMS distance, (d_in − d_out) / (d_in − d_free); parameters as for `share`."""
    return float((before - after) / (before - before / np.sqrt(count)))


def share_of_noise(before, after, sigma):
    """Return the gain in variance over that of the noise alone; `sigma` is its SD, as of `noise_of_frames`."""
    return float((before**2 - after**2) / sigma**2)


def others(frames, t):
    """Return the mean of all frames but one: ndarray of float32, shape (x, y, z), of (x, y, z, t)."""
    count = frames.shape[3]
    return ((frames.sum(axis=3, dtype=np.float64) - frames[..., t]) / (count - 1)).astype(np.float32)


def distance(first, second, mask):
    """Return the RMS difference inside a mask."""
    return float(np.sqrt(np.mean(np.square(first[mask].astype(np.float64) - second[mask]))))


def noise_of_frames(frames, mask):
    """Return the SD of noise from frame to frame: RMS of second differences in time, of a pair of first ones, over their gain.

    Parameters
    ----------
    frames : ndarray of float32, shape (x, y, z, t)
        Two frames or more.
    mask : ndarray of bool, shape (x, y, z)

    Returns
    -------
    float
    """
    return float(np.sqrt(np.mean(_variance(frames[mask]))))


def quiet(frames, mask, most=1.5):
    """Tell the voxels of a mask around which noise from frame to frame is at most `most` times as strong as its median.

    Parameters
    ----------
    frames : ndarray of float32, shape (x, y, z, t)
    mask : ndarray of bool, shape (x, y, z)
    most : float

    Returns
    -------
    ndarray of bool, shape (x, y, z)
    """
    variance = np.zeros(mask.shape)
    variance[mask] = _variance(frames[mask])
    # Over 5³ voxels, so that of a pair, too, a voxel is not chosen because its own noise happened to be small.
    variance = ndimage.uniform_filter(variance, 5) / np.maximum(ndimage.uniform_filter(mask.astype(np.float64), 5), 1e-9)
    return mask & (variance <= most**2 * np.median(variance[mask]))


def spectrum_of_frames(frames, mask, width=1.5):
    """Estimate the spectrum of noise from differences of successive frames inside a mask.

    Parameters
    ----------
    frames : ndarray of float32, shape (x, y, z, t)
    mask : ndarray of bool, shape (x, y, z)
    width : float
        SD of the Gaussian over neighbouring frequencies, which lowers the scatter of the estimate.

    Returns
    -------
    ndarray of float64, shape (x, y, z)
        Power in the order of `numpy.fft.fftn`, mean 1.
    """
    window = ndimage.gaussian_filter(mask.astype(np.float64), 1.5) * mask
    differences = (frames[..., t + 1] - frames[..., t] for t in range(min(frames.shape[3] - 1, 30)))
    power = sum(np.abs(np.fft.fftn(window * difference)) ** 2 for difference in differences)
    power = ndimage.gaussian_filter(power, width, mode="wrap")
    return power / power.mean()


def neighbours_of_frames(frames, mask):
    """Return the correlation of neighbours along the three axes in differences of successive frames inside a mask: list of float."""
    noise = np.diff(frames[..., :31].astype(np.float64), axis=3)
    found = []
    for axis in range(3):
        pair = [tuple(part if a == axis else slice(None) for a in range(3)) for part in (slice(None, -1), slice(1, None))]
        first, second = (noise[part][mask[pair[0]] & mask[pair[1]]] for part in pair)
        found.append(float(np.sum(first * second) / np.sqrt(np.sum(first**2) * np.sum(second**2))))
    return found


def _variance(series):
    """Return the variance of noise of time series: mean square of second differences, of a pair of first ones, over their gain."""
    order = min(2, series.shape[-1] - 1)
    # The squares of 1, −1 and of 1, −2, 1 add up to 2 and 6.
    return np.mean(np.diff(series.astype(np.float64), n=order, axis=-1) ** 2, axis=-1) / (2, 6)[order - 1]
