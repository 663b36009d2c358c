"""Noise as scanners write it: white in k-space, then filtered, stronger here than there, and of a magnitude.

References
----------
Gudbjartsson & Patz, Magn Reson Med 34:910, 1995. doi:10.1002/mrm.1910340618
Constantinides et al., Magn Reson Med 38:852, 1997. doi:10.1002/mrm.1910380524
Xue et al., Radiology: AI 7(6):e250227, 2025. arXiv:2503.18162
"""

import dataclasses

import numpy as np

from keras_mri.imaging.acquisition import kspace_filters, noise_maps

# How often a draw has each, and how far they go.
_ZERO_FILLED, _PARTIAL, _SMOOTHED, _UNEVEN, _MAGNITUDE, _COILS = 0.4, 0.2, 0.3, 0.4, 0.5, 0.25
# Weight that the window leaves to the highest frequency that was acquired.
_LEAST_WEIGHT = 0.08
_LEAST_MATRIX, _LEAST_FOURIER, _WIDEST, _STRONGEST = 0.5, 0.625, 1.8, 4.0


@dataclasses.dataclass(frozen=True)
class Scanner:
    """What a scanner does to its noise.

    Attributes
    ----------
    matrix : tuple of float
        Acquired part of the matrix along each axis; the rest is zero-filled.
    fourier : tuple of float
        Acquired part of k-space along each axis (partial Fourier).
    fwhm : tuple of float
        Of the smoothing along each axis, voxels.
    hanning : bool
        A Hanning window along the axes that are zero-filled.
    strongest : float
        SD of the noise where it is strongest, as a multiple of where it is weakest.
    magnitude : bool
        The image is a magnitude; without it, the real part.
    coils : int
        Receive coils whose root of the sum of squares is the image; 1 is Rician noise.
    """

    matrix: tuple = (1.0, 1.0, 1.0)
    fourier: tuple = (1.0, 1.0, 1.0)
    fwhm: tuple = (0.0, 0.0, 0.0)
    hanning: bool = False
    strongest: float = 1.0
    magnitude: bool = False
    coils: int = 1

    def filters(self, shape):
        """Return the filter of k-space along each axis: list of ndarray or None."""
        return [self._filter(axis, side) for axis, side in enumerate(shape)]

    def _filter(self, axis, side):
        if self.matrix[axis] == self.fourier[axis] == 1 and not self.fwhm[axis]:
            return None
        weights = kspace_filters.zero_filling(side, self.matrix[axis]) * kspace_filters.gaussian_apodisation(side, self.fwhm[axis])
        if self.hanning and self.matrix[axis] < 1:
            weights = weights * kspace_filters.hanning(side, _LEAST_WEIGHT, self.matrix[axis])
        return (weights * kspace_filters.partial_fourier(side, self.fourier[axis])).astype(np.float32)


def draw_scanner(rng):
    """Draw a scanner: any product of zero-filling, partial Fourier, smoothing, uneven noise and the magnitude, or none.

    Parameters
    ----------
    rng : numpy.random.Generator

    Returns
    -------
    Scanner
    """
    matrix, fourier, fwhm = [1.0] * 3, [1.0] * 3, [0.0] * 3
    # Slices are the axis that 2D acquisitions do not filter; which one it is differs from scan to scan.
    axes = list(rng.permutation(3)[: 2 if rng.random() < 0.6 else 3])
    if rng.random() < _ZERO_FILLED:
        share = rng.uniform(_LEAST_MATRIX, 1)
        for axis in axes[: rng.integers(1, len(axes) + 1)]:
            matrix[axis] = float(np.clip(share + rng.uniform(-0.05, 0.05), _LEAST_MATRIX, 1))
    if rng.random() < _PARTIAL:
        fourier[axes[0]] = float(rng.uniform(_LEAST_FOURIER, 1))
    if rng.random() < _SMOOTHED:
        width = rng.uniform(0.4, _WIDEST)
        for axis in axes:
            fwhm[axis] = float(width * rng.uniform(0.8, 1.2))
    magnitude = bool(rng.random() < _MAGNITUDE)
    return Scanner(
        tuple(matrix), tuple(fourier), tuple(fwhm),
        hanning=bool(rng.random() < 0.3),
        strongest=float(rng.uniform(1, _STRONGEST)) if rng.random() < _UNEVEN else 1.0,
        magnitude=magnitude,
        coils=int(rng.integers(2, 9)) if magnitude and rng.random() < _COILS else 1,
    )  # fmt: skip


def add_scanner_noise(image, sigma, scanner, rng):
    """Add noise to a noise-free image as a scanner would have written it.

    Parameters
    ----------
    image : ndarray of float32, shape (x, y, z)
        Not negative if `scanner.magnitude`.
    sigma : float
        Mean SD over the volume of the noise of the real part, in the unit of `image`.
    scanner : Scanner
    rng : numpy.random.Generator

    Returns
    -------
    noisy : ndarray of float32, same shape
        Several coils see the image with equal shares of its power: the noise of bright tissue has the same SD as with one.
    sd : ndarray of float32, same shape
        SD of the noise of the real part in each voxel.
    """
    sd = noise_maps.drawn(image.shape, scanner.strongest, rng) if scanner.strongest > 1 else noise_maps.flat(image.shape)
    sd *= np.float32(sigma / sd.mean())
    filters = scanner.filters(image.shape)
    if not scanner.magnitude:
        return image + sd * kspace_filters.coloured_noise(image.shape, filters, rng).real, sd
    power = np.zeros(image.shape, np.float32)
    for _ in range(scanner.coils):
        coil = image / np.float32(np.sqrt(scanner.coils)) + sd * kspace_filters.coloured_noise(image.shape, filters, rng)
        power += coil.real**2 + coil.imag**2
    return np.sqrt(power), sd
