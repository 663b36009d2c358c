"""The colour of a scan's noise, and scans brought to where their noise is white.

Scanners fill k-space with zeros and smooth before they write an image. Noise of such a scan is alike in neighbouring voxels, and a
denoiser that knows white noise takes it for structure. On the grid that was measured, with the smoothing undone, the noise is white.
"""

import dataclasses

import numpy as np
from scipy import fft

from keras_mri.imaging.acquisition.acquired_band import acquired_band
from keras_mri.imaging.air import air_correlation, look_at_air, some_slabs
from keras_mri.imaging.intensity import some_of

# Weaker correlation of neighbours is left alone, and so much of the highest frequencies is undone at most.
_LEAST_CORRELATION, _LEAST_WEIGHT = 0.3, 0.4
# Smoothing is undone where noise has this share of the robust maximum: below, it would make fine anatomy stronger than the noise.
_LEAST_NOISE, _ROBUST = 0.02, 99.9


@dataclasses.dataclass(frozen=True)
class Colour:
    """What made the noise of a scan coloured.

    Parameters
    ----------
    share : tuple of float, (x, y, z)
        Part of the matrix that was measured along each axis; the rest is zero-filled.
    width : tuple of float, (x, y, z)
        SD of the Gaussian that smoothed each axis, voxels.
    """

    share: tuple = (1.0, 1.0, 1.0)
    width: tuple = (0.0, 0.0, 0.0)

    @property
    def white(self):
        """Whether the noise is white as it is: bool."""
        return min(self.share) >= 1 and not max(self.width)

    def measured_shape(self, shape):
        """Return the sides of the grid that was measured: tuple of int; odd where an axis is zero-filled."""
        return tuple(_band_side(side, part) for side, part in zip(shape, self.share))


def noise_colour(volume):
    """Tell the colour of the noise of a volume: zero-filling by its spectrum, smoothing by the air around the head.

    Parameters
    ----------
    volume : ndarray of float32, shape (x, y, z)

    Returns
    -------
    Colour
        White along an axis of which nothing can be told.
    """
    slabs = some_slabs(volume)
    air = look_at_air(slabs)
    share = acquired_band(volume, None if air is None else air.sigma)
    strong = air is not None and air.sigma > _LEAST_NOISE * np.percentile(some_of(volume[volume != 0]), _ROBUST)
    shared = (air_correlation(slabs) if strong else None) or (0.0, 0.0, 0.0)
    # A Gaussian of SD s makes noise that neighbours share by exp(-1 / 4 s²).
    widths = (0.5 / np.sqrt(-np.log(part)) if part > _LEAST_CORRELATION else 0.0 for part in shared)
    return Colour(share, tuple(0.0 if part < 1 else float(width) for part, width in zip(share, widths)))


def whitened(volume, colour):
    """Bring a volume to where its noise is white: the measured grid, smoothing undone.

    Parameters
    ----------
    volume : ndarray of float32, shape (x, y, z)
    colour : Colour

    Returns
    -------
    ndarray of float32, shape (x', y', z')
        In the same unit.
    """
    for axis, (part, width) in enumerate(zip(colour.share, colour.width)):
        side = volume.shape[axis]
        count = _band_side(side, part)
        if count != side or width:
            spectrum = _half(fft.rfft(volume, axis=axis), axis, count // 2 + 1) / _weights(count, width, axis)
            volume = fft.irfft(spectrum, n=count, axis=axis) * np.float32(count / side)
    return volume.astype(np.float32)


def coloured(inside, shape, colour):
    """Give what is on the measured grid the colour of the scan again, on the grid of the scan; the inverse where noise is.

    Parameters
    ----------
    inside : ndarray of float32, shape (x', y', z')
    shape : tuple of int, (x, y, z)
    colour : Colour

    Returns
    -------
    ndarray of float32, shape `shape`
    """
    for axis, (side, width) in enumerate(zip(shape, colour.width)):
        count = inside.shape[axis]
        if count != side or width:
            spectrum = fft.rfft(inside, axis=axis) * _weights(count, width, axis)
            inside = fft.irfft(spectrum, n=side, axis=axis) * np.float32(side / count)
    return inside.astype(np.float32)


def _weights(count, width, axis):
    """Return the filter of a Gaussian on half of the frequencies, no less than what is undone, to multiply along an axis."""
    weights = np.exp(-2 * (np.pi * width * np.fft.rfftfreq(count)) ** 2)
    return np.maximum(weights, _LEAST_WEIGHT).astype(np.float32).reshape([-1 if other == axis else 1 for other in range(3)])


def _half(spectrum, axis, count):
    return spectrum[tuple(slice(count) if other == axis else slice(None) for other in range(3))]


def _band_side(side, share):
    """Return how many frequencies of an axis a share of its matrix holds: an odd number, or all; int."""
    return side if share >= 1 else 2 * int(np.floor(share * side / 2 + 1e-6)) + 1
