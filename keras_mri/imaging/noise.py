"""Noise of magnetic-resonance magnitude images: adding it, and estimating how much a scan has."""

import numpy as np

from keras_mri.errors import InputError
from keras_mri.imaging.air import look_at_air, some_slabs
from keras_mri.imaging.differences import diagonal_haar, spread
from keras_mri.imaging.foreground import noise_foreground
from keras_mri.imaging.intensity import far_range
from keras_mri.imaging.runs.noise import estimate_run_noise

MODELS = ("gaussian", "rician")
# Fewer voxels are too few to judge by.
_LEAST_VOXELS = 100
# Fluctuations of the signal from frame to frame beside thermal noise, as a share of it: fitted to runs (experiments/07_runs/sigma.py).
_FLUCTUATION = 0.0075
# The most that fine anatomy leaves in Haar coefficients, as a share of the signal: 2.0 to 6.1 % in scans without visible noise.
_ANATOMY = 0.06
# No tissue lies so many ranges of the usual intensities beyond them.
_FAR = 9.0


def add_gaussian_noise(data, sigma, rng):
    """Add independent normal noise.

    Parameters
    ----------
    data : ndarray of float32, any shape
    sigma : float
        Standard deviation in the unit of `data`.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of float32, same shape as `data`

    Raises
    ------
    InputError
        If `sigma` is negative.
    """
    _check_sigma(sigma)
    return data + np.float32(sigma) * rng.standard_normal(data.shape, dtype=np.float32)


def add_rician_noise(data, sigma, rng):
    """Corrupt magnitude data with Rician noise.

    Parameters
    ----------
    data : ndarray of float32, any shape
        Noise-free magnitude, any unit, not negative.
    sigma : float
        Standard deviation of the Gaussian noise in each of the real and imaginary channels, in the unit of `data`.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of float32, same shape as `data`

    Raises
    ------
    InputError
        If `sigma` or a value of `data` is negative.

    References
    ----------
    Gudbjartsson & Patz, Magn Reson Med 34:910, 1995. doi:10.1002/mrm.1910340618
    """
    _check_sigma(sigma)
    if data.size and data.min() < 0:
        raise InputError(f"Rician noise needs magnitude data, without negative values. Received a minimum of {data.min():g}.")
    real = add_gaussian_noise(data, sigma, rng)
    imaginary = add_gaussian_noise(np.zeros_like(data, dtype=np.float32), sigma, rng)
    return np.hypot(real, imaginary)


def estimate_sigma(data):
    """Estimate the standard deviation of the noise of a volume or a run.

    Parameters
    ----------
    data : ndarray of float32, shape (x, y, z) or (x, y, z, t)

    Returns
    -------
    float
        In the unit of `data`; 0.0 where too little foreground is left to tell.

    See Also
    --------
    sigma_and_source : What the estimate is based on, and how far it can be trusted.
    """
    return sigma_and_source(data)[0]


def sigma_and_source(data):
    """Estimate the standard deviation of the noise, and name what the estimate is based on.

    A run is judged by differences of successive frames, in which anatomy cancels. A volume has two estimates. Its finest
    diagonal Haar coefficients, where tissue is flattest, hold noise and fine anatomy: in scans of voxels of 3 mm four times the
    noise. Air around the head holds thermal noise alone (see `air.look_at_air`); the head has fluctuations of its own, in
    proportion to the signal, which are added (0.75 %). The smaller of the two is returned, but no less than anatomy leaves
    unexplained. Exact zeros are left out. Of a volume of more than three million voxels, slabs are looked at.

    Parameters
    ----------
    data : ndarray of float32, shape (x, y, z) or (x, y, z, t)

    Returns
    -------
    sigma : float
        In the unit of `data`; 0.0 where too little foreground is left to tell.
    source : {"differences of frames", "air", "image"}
        Differences are reliable. Air agrees with them within 20 % in four of four whole runs (experiments/05_pretrained/sigma.py);
        it is too low where the head fluctuates more than usual, or where noise is stronger inside the head than anywhere in air. The
        image may be too high, by fine anatomy.

    References
    ----------
    Donoho, IEEE Trans Inf Theory 41:613, 1995. doi:10.1109/18.382009
    Constantinides et al., Magn Reson Med 38:852, 1997. doi:10.1002/mrm.1910380524
    Krüger & Glover, Magn Reson Med 46:631, 2001. doi:10.1002/mrm.1240
    """
    data = _without_extremes(data)
    if data.ndim == 4 and data.shape[3] > 1:
        return _sigma_of_run(data), "differences of frames"
    volume = some_slabs(data[..., 0] if data.ndim == 4 else data)
    image, air_noise = tissue_sigma(volume), look_at_air(volume)
    if air_noise is None:
        return image, "image"
    valid = volume != 0
    signal = float(np.median(volume[valid & noise_foreground(volume, valid)]))
    air = float(np.hypot(air_noise.sigma, _FLUCTUATION * signal))
    # What is above all anatomy is noise: parallel imaging leaves more of it in the head than in air. Where neighbours share it, as
    # they do in air, Haar coefficients hold less of it.
    least = np.sqrt(max(image**2 - (_ANATOMY * signal) ** 2, 0.0)) / air_noise.haar
    most = max(image, least)
    return (air, "air") if least <= air < most else (float(min(most, max(air, least))), "image")


def _without_extremes(data):
    """Return data whose intensities that no tissue has are exactly 0, and so are left out: the same array if there are none."""
    low, high = far_range(data, _FAR)
    return np.where((data < low) | (data > high), np.float32(0), data) if data.min() < low or data.max() > high else data


def tissue_sigma(volume):
    """Estimate the noise of a volume by its finest diagonal Haar coefficients where tissue is flattest.

    Parameters
    ----------
    volume : ndarray of float32, shape (x, y, z)

    Returns
    -------
    float
        In the unit of `volume`: noise and fine anatomy together. 0.0 where too little foreground is left to tell.
    """
    difference, here, valid = diagonal_haar(volume)
    if not valid.any():
        return 0.0
    valid &= _flattest(here, valid & noise_foreground(here, valid))
    return spread(difference[_tissue_or_all(here, valid)])


def _sigma_of_run(run):
    """Return the median over tissue of the noise of its voxels."""
    mean, valid = run.mean(axis=3), 2 * np.count_nonzero(run, axis=3) > run.shape[3]
    if not valid.any():
        return 0.0
    tissue = _tissue_or_all(mean, valid)
    if run.shape[3] > 2:
        return float(np.median(estimate_run_noise(run, tissue).sigma[tissue]))
    return float(spread((run[..., 0] - run[..., 1])[tissue]) / np.sqrt(2.0))


def _tissue_or_all(data, valid):
    """Tell valid voxels of tissue: noise in the air of a magnitude image has the narrower Rayleigh distribution."""
    tissue = valid & noise_foreground(data, valid)
    return tissue if tissue.sum() >= _LEAST_VOXELS else valid


def _flattest(mean, tissue, share=0.25):
    """Tell the blocks whose neighbours differ least: edges of anatomy fill the diagonal coefficients too.

    For white noise a block's mean is independent of its diagonal coefficient, so that choosing by it is fair.
    """
    steepest = np.zeros(mean.shape)
    for axis in range(3):
        inner, outer = (tuple(part if a == axis else slice(None) for a in range(3)) for part in (slice(None, -1), slice(1, None)))
        step = np.abs(np.diff(mean, axis=axis))
        steepest[inner], steepest[outer] = np.maximum(steepest[inner], step), np.maximum(steepest[outer], step)
    if share * tissue.sum() < _LEAST_VOXELS:
        return np.ones_like(tissue)
    return tissue & (steepest <= np.quantile(steepest[tissue], share))


def _check_sigma(sigma):
    if not sigma >= 0:
        raise InputError(f"`sigma`, a standard deviation, cannot be negative. Received: {sigma}.")
