"""Noise as scanners leave it, drawn apart from what the networks train on: an oracle of its own for the tables.

All but the magnitude is one recipe: complex white noise goes to k-space, is multiplied by a filter f with mean(f²) = 1, comes back,
and the real part is multiplied by a map of its SD whose mean is 1. So the spectrum of the noise is known in closed form, and can be
given to a filter that takes one. The filter acts on the noise only; the clean scan is left alone.

References
----------
Pruessmann et al., Magn Reson Med 42:952, 1999 (SD that differs from place to place).
doi:10.1002/(SICI)1522-2594(199911)42:5<952::AID-MRM16>3.0.CO;2-S
Gudbjartsson & Patz, Magn Reson Med 34:910, 1995 (magnitude). doi:10.1002/mrm.1910340618
"""

import typing

import numpy as np

# The first two axes of an array lie in the plane of the slices.
_IN_PLANE = (0, 1)
# Voxels: full width at half maximum of the Gaussian that smooths noise.
_FWHM = 1.2
# The share of the matrix over which the edge of partial Fourier falls, as a cosine.
_TAPER = 0.1
# SD in the centre over that at the border.
_GROWTH = 3.0
# Darker than this share of the maximum is air where a scan has been masked.
_AIR = 10 / 255


class Kind(typing.NamedTuple):
    """A kind of noise.

    Parameters
    ----------
    says : str
        What it is, in a few words.
    filter : function, optional
        From a shape to f on the grid of `numpy.fft.fftn`, up to a factor; of itself f may be one-sided. White without it.
    growing : bool
        Three times the SD in the centre.
    rician : bool
        The magnitude of signal and complex noise is taken.
    masked : bool
        Air is exactly 0, before and after.
    """

    says: str
    filter: typing.Callable | None = None
    growing: bool = False
    rician: bool = False
    masked: bool = False


def zero_filled(shape, share):
    """Return the filter of a matrix that was acquired to `share` of its sides in the plane: ndarray of float64, `shape`."""
    return _product(shape, {axis: np.abs(_cycles(shape[axis])) <= share / 2 for axis in _IN_PLANE})


def partial_fourier(shape, share):
    """Return the filter of k-space of which `share` was acquired along the second axis, its edge tapered."""
    # From −½ to `share` − ½ cycles per voxel; the taper ends there.
    distance = (share - 0.5 - _cycles(shape[1])) / _TAPER
    return _product(shape, {1: np.where(distance >= 1, 1.0, 0.5 - 0.5 * np.cos(np.pi * np.clip(distance, 0, 1)))})


def smoothed(shape, fwhm=_FWHM):
    """Return the transfer function of a Gaussian, FWHM in voxels, along all axes."""
    sigma = fwhm / np.sqrt(8 * np.log(2))
    return _product(shape, {axis: np.exp(-2 * (np.pi * sigma * _cycles(shape[axis])) ** 2) for axis in range(3)})


KINDS = {
    "white": Kind("white"),
    "zero-filled .5": Kind("half of the matrix acquired in the plane, the rest zeros", lambda shape: zero_filled(shape, 0.5)),
    "zero-filled .65": Kind(".65 of the matrix acquired in the plane, the rest zeros", lambda shape: zero_filled(shape, 0.65)),
    "zero-filled .75": Kind(".75 of the matrix acquired in the plane, the rest zeros", lambda shape: zero_filled(shape, 0.75)),
    "partial Fourier .75": Kind(".75 of one axis of k-space, tapered, the rest zeros", lambda shape: partial_fourier(shape, 0.75)),
    "smoothed": Kind(f"Gaussian of FWHM {_FWHM} voxels", smoothed),
    "growing": Kind("white, SD three times as large in the centre", growing=True),
    "rician": Kind("magnitude of white complex noise", rician=True),
    "masked": Kind("white in the head, air exactly 0", masked=True),
}


def draw(kind, shape, rng):
    """Draw noise of mean SD 1, before any magnitude is taken.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    shape : tuple of int
        (x, y, z).
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of float32, shape `shape`
    """
    noise = rng.standard_normal(shape)
    if KINDS[kind].filter is not None:
        white = np.fft.fftn(noise + 1j * rng.standard_normal(shape))
        noise = np.fft.ifftn(white * _normalised(kind, shape)).real
    return (noise * sd_map(kind, shape)).astype(np.float32)


def add(kind, clean, sigma, rng):
    """Add noise to a clean volume.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    clean : ndarray of float32, shape (x, y, z)
        Not negative.
    sigma : float
        Mean SD, in the unit of `clean`; of a magnitude, of either part of the complex noise.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of float32, same shape
    """
    noisy = clean + np.float32(sigma) * draw(kind, clean.shape, rng)
    if KINDS[kind].rician:
        return np.hypot(noisy, np.float32(sigma) * draw(kind, clean.shape, rng))
    return np.where(clean > _AIR * clean.max(), noisy, np.float32(0)) if KINDS[kind].masked else noisy


def truth(kind, clean):
    """Return what a perfect denoiser gives: the clean volume, where air was masked with air of exactly 0."""
    return np.where(clean > _AIR * clean.max(), clean, np.float32(0)) if KINDS[kind].masked else clean


def sd_map(kind, shape):
    """Return the SD of each voxel over the mean SD: ndarray of float64, `shape`, or 1.0 where it is the same everywhere."""
    if not KINDS[kind].growing:
        return 1.0
    steps = np.meshgrid(*(np.linspace(-1, 1, side) for side in shape), indexing="ij")
    distance = np.minimum(1, np.sqrt(sum(step**2 for step in steps)))
    growth = 1 + (_GROWTH - 1) * (1 + np.cos(np.pi * distance)) / 2
    return growth / growth.mean()


def spectrum(kind, shape):
    """Return the power of each frequency over that of white noise of the same mean SD: ndarray of float64, `shape`, as of `fftn`.

    Its mean is the mean square of the noise. The real part of noise whose filter is one-sided has the mean of f² at k and at −k.
    """
    power = np.ones(shape) if KINDS[kind].filter is None else _normalised(kind, shape) ** 2
    mirrored = np.roll(np.flip(power), 1, axis=(0, 1, 2))
    return (power + mirrored) / 2 * np.mean(np.square(sd_map(kind, shape)))


def neighbours(kind, shape):
    """Return the correlation of next neighbours along each axis, in closed form: tuple of three floats (Wiener–Khinchin)."""
    correlation = np.fft.ifftn(spectrum(kind, shape)).real
    return tuple(float(correlation[tuple(int(axis == a) for a in range(3))] / correlation[0, 0, 0]) for axis in range(3))


def _normalised(kind, shape):
    f = KINDS[kind].filter(shape)
    return f / np.sqrt(np.mean(f**2))


def _cycles(count):
    """Return the frequencies of an axis, cycles per voxel, from −½ up to ½."""
    return np.fft.fftfreq(count)


def _product(shape, factors):
    result = np.ones(shape)
    for axis, factor in factors.items():
        result = result * np.asarray(factor, np.float64).reshape([-1 if a == axis else 1 for a in range(3)])
    return result
