"""Which part of k-space a scanner measured, read from a scan: scanners fill the rest with zeros, and there is no noise in it."""

import numpy as np
from scipy import fft, ndimage

# Cycles per voxel, along both other axes: there a spectrum has little anatomy, and was measured by every scanner.
_LOW, _HIGH = 0.1, 0.25
# An edge of the measured part lies between these; its step in power is so many times that of its neighbourhood.
_FIRST, _LAST, _LEAST_STEP = 0.2, 0.48, 1.7
# Frequencies on either side that are compared, and how far around the usual step is taken from.
_BESIDE, _AROUND = 3, 10
# Fewer voxels along an axis hold no spectrum.
_LEAST_SIDE = 24
# Voxels of a longer axis are cut to its middle.
_MOST = 192


def acquired_band(volume):
    """Find the part of k-space that was measured, along each axis.

    A scanner's zero-filling leaves a cliff in the power of the spectrum; anatomy, and smoothing, fall off gently.

    Parameters
    ----------
    volume : ndarray of float32, shape (x, y, z)

    Returns
    -------
    tuple of float, (x, y, z)
        Share of the matrix, from 0.4 to 1; 1 where there is no cliff.
    """
    middle = tuple(slice(max(0, (side - _MOST) // 2), max(0, (side - _MOST) // 2) + _MOST) for side in volume.shape)
    # Cut axes are no longer periodic: their band is looked for on the whole axis.
    if any(side > _MOST for side in volume.shape):
        parts = [tuple(slice(None) if other == axis else middle[other] for other in range(3)) for axis in range(3)]
        return tuple(_share(_power(volume[part]), axis) for axis, part in enumerate(parts))
    power = _power(volume)
    return tuple(_share(power, axis) for axis in range(3))


def _power(volume):
    """Return the power of the spectrum; exact zeros, the edges of a mask among them, take the mean around them."""
    volume = volume.astype(np.float32)
    valid = volume != 0
    if not valid.all() and valid.any():
        weight = ndimage.uniform_filter(valid.astype(np.float32), 5, mode="wrap")
        around = ndimage.uniform_filter(volume, 5, mode="wrap") / np.maximum(weight, 1e-3)
        volume = np.where(valid, volume, np.where(weight > 1e-3, around, 0))
    return np.square(np.abs(fft.rfftn(volume, axes=(1, 2, 0)))) if volume.shape[0] > 1 else np.zeros((1, 1, 1), np.float32)


def _share(power, axis):
    """Return the measured share of an axis by the cliff in its spectrum; `power` has half of the first axis."""
    side = power.shape[axis] if axis else 2 * (power.shape[0] - 1)
    if side < _LEAST_SIDE:
        return 1.0
    spectrum = _spectrum(power, axis)
    edge = _cliff(np.log(spectrum + 1e-12 * spectrum.max() + 1e-30), side)
    return 1.0 if edge is None else min(1.0, (2 * edge + 1) / side)


def _spectrum(power, axis):
    """Return the median power at frequencies 0, 1 … of an axis, over those of the others where anatomy is weak."""
    rows = np.moveaxis(power, axis, 0)
    others = [other for other in range(3) if other != axis]
    for place, other in enumerate(others, start=1):
        frequency = np.linspace(0, 0.5, power.shape[0]) if other == 0 else np.abs(np.fft.fftfreq(power.shape[other]))
        keep = (frequency >= _LOW) & (frequency <= _HIGH)
        rows = np.compress(keep if keep.any() else np.ones(len(keep), bool), rows, axis=place)
    median = np.median(rows.reshape(len(rows), -1), axis=1)
    # Both signs of a frequency have one power in a real image.
    return median if axis == 0 else (median[: len(median) // 2 + 1] + median[-np.arange(len(median) // 2 + 1)]) / 2


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
