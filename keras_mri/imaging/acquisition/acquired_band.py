"""Which part of k-space a scanner measured, read from a scan: scanners fill the rest with zeros, and there is no noise in it."""

import numpy as np
from scipy import fft, ndimage

from keras_mri.imaging.intensity import some_of

# Cycles per voxel, along both other axes: there a spectrum has little anatomy, and was measured by every scanner.
_LOW, _HIGH = 0.1, 0.25
# An edge of the measured part lies between these; its step in power is so many times that of its neighbourhood.
_FIRST, _LAST, _LEAST_STEP = 0.2, 0.48, 1.7
# Frequencies on either side that are compared, and how far around the usual step is taken from.
_BESIDE, _AROUND = 3, 10
# SD of the noise before a cliff, of the robust maximum (a percentile of what is not 0), from which a cliff is believed.
_LEAST_NOISE, _ROBUST = 0.01, 99.9
# Power before a cliff, of that of noise of the SD that is known, from which it is anatomy.
_STRONGER = 3.0
# Fewer voxels along an axis hold no spectrum.
_LEAST_SIDE = 32
# Voxels of a longer axis are cut to its middle.
_MOST = 192


def acquired_band(volume, sigma=None):
    """Find the part of k-space that was measured, along each axis.

    A scanner's zero-filling leaves a cliff in the power of the spectrum; anatomy, and smoothing, fall off gently.

    Parameters
    ----------
    volume : ndarray of float32, shape (x, y, z)
    sigma : float, optional
        SD of the noise where it is known, in the unit of `volume`: stronger cliffs are anatomy's.

    Returns
    -------
    tuple of float, (x, y, z)
        Share of the matrix, from 0.4 to 1; 1 where there is no cliff.
    """
    sample = some_of(volume[volume != 0])
    scale = float(np.percentile(sample, _ROBUST)) if len(sample) else 0.0
    if scale <= 0:
        return (1.0, 1.0, 1.0)
    found = [_edge(*_spectrum_of(volume / np.float32(scale), axis)) for axis in range(3)]
    # The noise of all frequencies lies in those that were measured.
    most = np.inf if sigma is None else _STRONGER * (sigma / scale) ** 2 / np.prod([share for share, _ in found])
    return tuple(share if _LEAST_NOISE**2 < power < most else 1.0 for share, power in found)


def _spectrum_of(volume, axis):
    """Return the spectrum along an axis, of the middle of the others where they are long, and the voxels along it."""
    part = tuple(
        slice(None) if other == axis or side <= _MOST else slice((side - _MOST) // 2, (side - _MOST) // 2 + _MOST)
        for other, side in enumerate(volume.shape)
    )
    return _spectrum(_power(volume[part]), axis), volume.shape[axis]


def _edge(spectrum, side):
    """Return the measured share of an axis, and the power per voxel of what may be noise before the cliff."""
    edge = _cliff(np.log(spectrum + 1e-12 * spectrum.max() + 1e-30), side) if side >= _LEAST_SIDE else None
    return (1.0, 0.0) if edge is None else (min(1.0, (2 * edge + 1) / side), float(spectrum[edge] / np.log(2)))


def _power(volume):
    """Return the power of the spectrum per voxel; exact zeros, the edges of a mask among them, take the mean around them."""
    valid = volume != 0
    if not valid.all() and valid.any():
        weight = ndimage.uniform_filter(valid.astype(np.float32), 5, mode="wrap")
        around = ndimage.uniform_filter(volume, 5, mode="wrap") / np.maximum(weight, 1e-3)
        volume = np.where(valid, volume, np.where(weight > 1e-3, around, 0))
    return np.square(np.abs(fft.rfftn(volume, axes=(1, 2, 0)))) / volume.size


def _spectrum(power, axis):
    """Return the median power at frequencies 0, 1 … of an axis, over those of the others where anatomy is weak."""
    rows = np.moveaxis(power, axis, 0)
    others = [other for other in range(3) if other != axis]
    for place, other in enumerate(others, start=1):
        frequency = np.linspace(0, 0.5, power.shape[0]) if other == 0 else np.abs(np.fft.fftfreq(power.shape[other]))
        keep = (frequency >= _LOW) & (frequency <= _HIGH)
        rows = np.compress(keep if keep.any() else np.ones(len(keep), bool), rows, axis=place)
    median = np.median(rows.reshape(len(rows), -1), axis=1)
    count = len(median) // 2 + 1
    # Both signs of a frequency have one power in a real image.
    return median if axis == 0 else (median[:count] + median[-np.arange(count)]) / 2


def _cliff(power, side):
    """Return the last frequency before the steepest fall of a spectrum (logarithms), or None if nothing stands out."""
    steps = np.full(len(power), 0.0)
    for k in range(_BESIDE, len(power) - 2):
        steps[k] = power[k - _BESIDE + 1 : k + 1].mean() - power[k + 1 : k + 1 + _BESIDE].mean()
    frequency = np.arange(len(power)) / side
    steps[(frequency < _FIRST) | (frequency > _LAST)] = -np.inf
    if not np.isfinite(steps).any():
        return None
    edge = int(np.argmax(steps))
    near = np.abs(np.arange(len(power)) - edge)
    usual = steps[(near > _BESIDE) & (near <= _AROUND) & np.isfinite(steps)]
    if not len(usual) or steps[edge] - max(np.median(usual), 0) < np.log(_LEAST_STEP):
        return None
    # Zeros stay zeros: what was not measured has less power everywhere beyond.
    return edge if power[edge + 2 :].max(initial=-np.inf) < power[: edge + 1].min() else None
