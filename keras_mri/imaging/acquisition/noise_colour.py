"""Scans brought to where their noise is white: the grid that was measured.

Scanners fill k-space with zeros before they write an image. Noise of such a scan is alike in neighbouring voxels, and a denoiser that
knows white noise takes it for structure. On the grid that was measured the noise is white.
"""

import dataclasses

import numpy as np
from scipy import fft

from keras_mri.imaging.acquisition.acquired_band import acquired_band
from keras_mri.imaging.air import RAYLEIGH_SHARE, look_at_air, some_slabs

# Correlation of neighbours in air that can be told from none, and what part of the expected one is too little.
_VISIBLE, _REFUTED = 0.06, 0.5


@dataclasses.dataclass(frozen=True)
class Colour:
    """What made the noise of a scan coloured.

    Parameters
    ----------
    share : tuple of float, (x, y, z)
        Part of the matrix that was measured along each axis; the rest is zero-filled.
    """

    share: tuple = (1.0, 1.0, 1.0)

    @property
    def white(self):
        """Whether the noise is white as it is: bool."""
        return min(self.share) >= 1

    def measured_shape(self, shape):
        """Return the sides of the grid that was measured: tuple of int; odd where an axis is zero-filled."""
        return tuple(_band_side(side, part) for side, part in zip(shape, self.share))


def noise_colour(volume):
    """Tell the colour of the noise of a volume by the cliffs of its spectrum.

    Parameters
    ----------
    volume : ndarray of float32, shape (x, y, z)

    Returns
    -------
    Colour
        White along an axis of which nothing can be told. Smoothing is not looked for: from one volume it cannot be told from anatomy.
    """
    air = look_at_air(some_slabs(volume))
    share = acquired_band(volume, air.sigma if air else None)
    return Colour(tuple(1.0 if air and _refuted(part, air, axis) else part for axis, part in enumerate(share)))


def _refuted(share, air, axis):
    """Return whether air is too white for the cliff that a share of the matrix would leave: then it is a cliff of anatomy."""
    # White noise of a part of the matrix, filled with zeros, is a sum of sinc functions.
    expected = np.sinc(share) ** 2 * RAYLEIGH_SHARE if air.magnitude else np.sinc(share)
    return expected > _VISIBLE and air.shared[axis] < _REFUTED * expected


def whitened(volume, colour):
    """Bring a volume to where its noise is white: the measured part of its k-space.

    Parameters
    ----------
    volume : ndarray of float32, shape (x, y, z)
    colour : Colour

    Returns
    -------
    ndarray of float32, shape (x', y', z')
        In the same unit.
    """
    return _resized(volume, colour.measured_shape(volume.shape))


def coloured(inside, shape):
    """Bring what is on the measured grid to that of the scan: zero-filled.

    Parameters
    ----------
    inside : ndarray of float32, shape (x', y', z')
    shape : tuple of int, (x, y, z)

    Returns
    -------
    ndarray of float32, shape `shape`
    """
    return _resized(inside, shape)


def _resized(volume, shape):
    """Cut the spectrum along each axis, or fill it with zeros; negative values stay."""
    for axis, side in enumerate(shape):
        count = volume.shape[axis]
        if side != count:
            spectrum = fft.rfft(volume, axis=axis)
            part = tuple(slice(min(side, count) // 2 + 1) if other == axis else slice(None) for other in range(3))
            volume = fft.irfft(spectrum[part], n=side, axis=axis) * np.float32(side / count)
    return volume.astype(np.float32)


def _band_side(side, share):
    """Return how many frequencies of an axis a share of its matrix holds: an odd number, or all; int."""
    return side if share >= 1 else 2 * int(np.floor(share * side / 2 + 1e-6)) + 1
