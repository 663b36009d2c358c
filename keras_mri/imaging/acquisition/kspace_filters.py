"""Filters that a scanner applies to k-space along one axis, and noise that went through them.

A filter is a row of weights of the spatial frequencies of an axis, in the order of `numpy.fft.fftfreq`. All of them multiply,
and each is divided by the root of its mean square, so that white noise keeps its standard deviation and only becomes coloured.
"""

import numpy as np
from scipy import fft

from keras_mri.errors import InputError


def zero_filling(side, share):
    """Return the filter of an axis whose outer frequencies were not acquired and are filled with zeros.

    Parameters
    ----------
    side : int
        Voxels along the axis.
    share : float
        Acquired part of the matrix, above 0 and at most 1.

    Returns
    -------
    ndarray of float32, shape (side,)
    """
    _check_share(share, 0.0)
    frequency = np.abs(np.fft.fftfreq(side)) * 2
    return (frequency <= share).astype(np.float32)


def partial_fourier(side, share, taper=0.1):
    """Return the filter of an axis of which one side of k-space was acquired in part, its edge smoothed.

    Parameters
    ----------
    side : int
    share : float
        Acquired part of the matrix, between 0.5 and 1.
    taper : float
        Width of the smooth edge, as a part of the matrix.

    Returns
    -------
    ndarray of float32, shape (side,)
        1 above the edge, a half of a cosine across it, 0 below.
    """
    _check_share(share, 0.5)
    if share == 1:
        return np.ones(side, np.float32)
    edge = 0.5 - share
    ramp = np.clip((np.fft.fftfreq(side) - edge) / max(taper, 1e-6) + 0.5, 0, 1)
    return (0.5 - 0.5 * np.cos(np.pi * ramp)).astype(np.float32)


def gaussian_apodisation(side, fwhm):
    """Return the filter that smooths an axis by a Gaussian.

    Parameters
    ----------
    side : int
    fwhm : float
        Full width at half maximum of the Gaussian in the image, voxels; 0 changes nothing.

    Returns
    -------
    ndarray of float32, shape (side,)
    """
    sigma = fwhm / np.sqrt(8 * np.log(2))
    return np.exp(-2 * (np.pi * sigma * np.fft.fftfreq(side)) ** 2).astype(np.float32)


def hanning(side, least=0.0, share=1.0):
    """Return a Hanning window over the frequencies of an axis.

    Parameters
    ----------
    side : int
    least : float
        Weight of the highest frequency, from 0 to 1.
    share : float
        Acquired part of the matrix, at whose end the window ends.

    Returns
    -------
    ndarray of float32, shape (side,)
    """
    _check_share(share, 0.0)
    frequency = np.minimum(np.abs(np.fft.fftfreq(side)) / share, 0.5)
    return (least + (1 - least) * 0.5 * (1 + np.cos(2 * np.pi * frequency))).astype(np.float32)


def autocorrelation(weights):
    """Return how much voxels that lie 0, 1, 2 … apart along an axis share of filtered white noise.

    Parameters
    ----------
    weights : ndarray of float32, shape (side,)

    Returns
    -------
    ndarray of complex128, shape (side,)
        1 at distance 0; the correlation of real and imaginary parts is its real part.
    """
    correlation = np.fft.ifft(np.abs(np.asarray(weights, np.float64)) ** 2)
    return correlation / correlation[0].real


def coloured_noise(shape, filters, rng):
    """Draw complex noise that is white in k-space before the filters are applied.

    Parameters
    ----------
    shape : tuple of int
    filters : sequence of ndarray or None, one for each axis
        None leaves an axis as it is.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of complex64, shape `shape`
        Real and imaginary part have mean 0 and SD 1.
    """
    noise = rng.standard_normal(shape, dtype=np.float32) + 1j * rng.standard_normal(shape, dtype=np.float32)
    for axis, weights in enumerate(filters):
        if weights is not None:
            # White noise is white on either side of a Fourier transform: one way back is enough.
            weights = weights / np.sqrt(np.mean(np.square(weights, dtype=np.float64)))
            form = [-1 if a == axis else 1 for a in range(len(shape))]
            spectrum = fft.fft(noise, axis=axis, norm="ortho") * weights.reshape(form).astype(np.float32)
            noise = fft.ifft(spectrum, axis=axis, norm="ortho")
    return noise.astype(np.complex64)


def _check_share(share, least):
    if not least < share <= 1 and not (least and share == least):
        raise InputError(f"`share`, the acquired part of the matrix, lies between {least:g} and 1. Received: {share}.")
