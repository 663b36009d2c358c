"""The power spectrum of a volume over spatial frequencies."""

import numpy as np
from scipy import fft


def radial_power(data, zooms):
    """Return the power spectrum of a volume, averaged over all directions.

    Parameters
    ----------
    data : ndarray of float32, shape (x, y, z)
    zooms : sequence of float
        Voxel sides, mm.

    Returns
    -------
    frequencies : ndarray of float64, shape (bins,)
        Cycles/mm, rising, without frequency 0 (the mean). If voxels are not cubes, the highest frequencies occur only along
        their shortest sides.
    power : ndarray of float64, shape (bins,)
        Squared unit of `data`: white noise of standard deviation sigma has the power sigma² at every frequency.

    References
    ----------
    Welch, IEEE Trans Audio Electroacoust 15:70, 1967. doi:10.1109/TAU.1967.1161901
    """
    # A Hann window, without its zeros, tapers the volume towards its faces: jumps there would spread over all frequencies.
    windows = [np.hanning(side + 2)[1:-1].astype(np.float32) for side in data.shape]
    window = windows[0][:, None, None] * windows[1][:, None] * windows[2]
    mean = float((data * window).sum(dtype=np.float64) / window.sum(dtype=np.float64))
    transform = fft.rfftn((data - np.float32(mean)) * window)
    # E|F|² = sigma² · sum(window²) for white noise.
    scale = 1 / np.square(window, dtype=np.float64).sum()
    return _averaged_over_directions(transform, data.shape, zooms, scale)


def _averaged_over_directions(transform, shape, zooms, scale):
    along = [fft.fftfreq(shape[0], zooms[0]), fft.fftfreq(shape[1], zooms[1]), fft.rfftfreq(shape[2], zooms[2])]
    step = 1 / max(side * zoom for side, zoom in zip(shape, zooms))
    highest = max(np.abs(frequencies).max() for frequencies in along)
    bins = int(round(highest / step)) + 1
    # rfftn stores half of the last axis: each frequency counts twice, except 0 and the Nyquist frequency of an even side.
    twice = np.full(len(along[2]), 2.0)
    twice[0] = 1.0
    if shape[2] % 2 == 0:
        twice[-1] = 1.0
    counts, sums = np.zeros(bins), np.zeros(bins)
    # Plane by plane: the radii of all frequencies together would need more memory than the volume.
    for plane, frequency in zip(transform, along[0]):
        radius = np.sqrt(frequency**2 + along[1][:, None] ** 2 + along[2] ** 2)
        index = np.rint(radius / step).astype(int)
        kept = index < bins
        weights = np.broadcast_to(twice, index.shape)[kept]
        counts += np.bincount(index[kept], weights, bins)
        sums += np.bincount(index[kept], weights * np.abs(plane[kept]).astype(np.float64) ** 2, bins)
    filled = np.flatnonzero(counts[1:]) + 1
    return filled * step, sums[filled] / counts[filled] * scale
