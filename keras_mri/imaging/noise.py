"""Noise of magnetic-resonance magnitude images: adding it, and estimating how much a scan has."""

import numpy as np
from scipy import ndimage, special

from keras_mri.errors import InputError
from keras_mri.imaging.foreground import noise_foreground
from keras_mri.imaging.intensity import far_range
from keras_mri.imaging.runs.noise import MAD_OF_NORMAL, estimate_run_noise

MODELS = ("gaussian", "rician")
# Fewer voxels are too few to judge by. Fewer of air, or a smaller share of all that is dark, are left over where air was masked.
_LEAST_VOXELS, _LEAST_AIR, _LEAST_AIR_SHARE = 100, 1000, 0.03
# Air is darker than the first of these shares of the 95th percentile that noise itself does not reach, over so many voxels a side.
_AIR, _AROUND = (0.05, 0.1, 0.2), 5
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
    noise. Air around the head holds thermal noise alone; the head has fluctuations of its own, in proportion to the signal,
    which are added (0.75 %). The smaller of the two is returned, but no less than anatomy leaves unexplained. Exact zeros are left out.

    Parameters
    ----------
    data : ndarray of float32, shape (x, y, z) or (x, y, z, t)

    Returns
    -------
    sigma : float
        In the unit of `data`; 0.0 where too little foreground is left to tell.
    source : {"differences of frames", "air", "image"}
        Differences are reliable. Air agrees with them within 20 % in three of four whole runs; where the scanner suppressed the
        background, or left more noise in the middle of the head than outside, it is too low, down to a half. The image may be too
        high, by fine anatomy.

    References
    ----------
    Donoho, IEEE Trans Inf Theory 41:613, 1995. doi:10.1109/18.382009
    Constantinides et al., Magn Reson Med 38:852, 1997. doi:10.1002/mrm.1910380524
    Krüger & Glover, Magn Reson Med 46:631, 2001. doi:10.1002/mrm.1240
    """
    data = _without_extremes(data)
    if data.ndim == 4 and data.shape[3] > 1:
        return _sigma_of_run(data), "differences of frames"
    volume = data[..., 0] if data.ndim == 4 else data
    image, thermal = tissue_sigma(volume), air_sigma(volume)
    if thermal is None:
        return image, "image"
    valid = volume != 0
    signal = float(np.median(volume[valid & noise_foreground(volume, valid)]))
    air = float(np.hypot(thermal, _FLUCTUATION * signal))
    # What is above all anatomy is noise: parallel imaging leaves more of it in the head than in air.
    least = np.sqrt(max(image**2 - (_ANATOMY * signal) ** 2, 0.0))
    return (air, "air") if least <= air < image else (float(min(image, max(air, least))), "image")


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
    difference, here, valid = _diagonal_haar(volume)
    if not valid.any():
        return 0.0
    valid &= _flattest(here, valid & noise_foreground(here, valid))
    return _spread(difference[_tissue_or_all(here, valid)])


def air_sigma(volume):
    """Estimate the thermal noise of a volume by the air around the head.

    Parameters
    ----------
    volume : ndarray of float32, shape (x, y, z)

    Returns
    -------
    float or None
        SD that the noise has in tissue, in the unit of `volume`; None without air enough that is not masked.
    """
    air = _darkest_air(volume)
    if air is None:
        return None
    difference, both = _every_second_difference(volume, air)
    if both.sum() < _LEAST_VOXELS:
        return None
    spread = _spread(difference[both])
    # Air with negative values is no magnitude: its noise is normal there as elsewhere.
    return spread / _narrowing(float(volume[air].mean()) / spread) if volume.min() >= 0 and spread else spread


def _sigma_of_run(run):
    """Return the median over tissue of the noise of its voxels."""
    mean, valid = run.mean(axis=3), 2 * np.count_nonzero(run, axis=3) > run.shape[3]
    if not valid.any():
        return 0.0
    tissue = _tissue_or_all(mean, valid)
    if run.shape[3] > 2:
        return float(np.median(estimate_run_noise(run, tissue).sigma[tissue]))
    return float(_spread((run[..., 0] - run[..., 1])[tissue]) / np.sqrt(2.0))


def _tissue_or_all(data, valid):
    """Tell valid voxels of tissue: noise in the air of a magnitude image has the narrower Rayleigh distribution."""
    tissue = valid & noise_foreground(data, valid)
    return tissue if tissue.sum() >= _LEAST_VOXELS else valid


def _darkest_air(volume):
    """Tell the voxels in air, of uneven air the darker half, which has less of ghosts and ringing; None where there is too little."""
    valid = volume != 0
    if not valid.any():
        return None
    # A voxel beside an exact zero lies at the border of a mask, or in noise that was cut off.
    inside = ndimage.minimum_filter(valid.view(np.uint8), 3, mode="nearest") > 0
    scale = np.percentile(volume[valid], 95)
    around = ndimage.uniform_filter(volume.astype(np.float32), _AROUND, mode="nearest")
    for share in _AIR:
        dark = around < share * scale
        air = inside & dark
        if air.sum() >= max(_LEAST_AIR, _LEAST_AIR_SHARE * dark.sum()):
            middle, bright = np.quantile(around[air], (0.5, 0.75))
            # Near the threshold the noise of air is as bright itself, and would be cut.
            if middle <= 0.8 * share * scale:
                # Where all of the air is alike, the darker half would be what noise made dark.
                return air if bright < 1.15 * middle else air & (around <= middle)
    return None


def _narrowing(ratio):
    """Return how much narrower noise is in air than in tissue: 0.655 for one receive coil (Rayleigh), up to 0.707 for many.

    The root of the sum of squares of k normal variables, two for each coil, is chi-distributed. Its SD comes near √½ and its mean near
    √k, hence k follows from `ratio`, mean to SD.
    """
    k = max(2.0, ratio**2 / 2 + 0.2)
    return float(np.sqrt(k - 2 * np.exp(2 * (special.gammaln((k + 1) / 2) - special.gammaln(k / 2)))))


def _every_second_difference(volume, valid):
    """Return the diagonal differences of voxels two apart (unit gain), and where all voxels of them are valid.

    Scanners interpolate, which makes next neighbours alike; the correlation two voxels apart is near 0 (see `run_noise`).
    """
    difference, both = volume.astype(np.float32), valid
    for axis in (axis for axis in range(3) if volume.shape[axis] > 2):
        first, second = (tuple(part if a == axis else slice(None) for a in range(3)) for part in (slice(None, -2), slice(2, None)))
        difference = (difference[first] - difference[second]) / np.float32(np.sqrt(2.0))
        both = both[first] & both[second]
    return difference, both


def _spread(values):
    """Return the SD by the median absolute deviation; among integers, which tie, the median of the values before rounding.

    Values that tie with the median are spread evenly half-way to the next value on either side.
    """
    deviations = np.abs(values - np.median(values)).astype(np.float64)
    median = np.partition(deviations, len(deviations) // 2)[len(deviations) // 2]
    below, above = deviations < median * (1 - 1e-4), deviations > median * (1 + 1e-4)
    if not above.any():
        return float(median / MAD_OF_NORMAL)
    low = (median + deviations[below].max()) / 2 if below.any() else 0.0
    high = (median + deviations[above].min()) / 2
    share = (0.5 - below.mean()) / (1 - below.mean() - above.mean())
    return float((low + share * (high - low)) / MAD_OF_NORMAL)


def _diagonal_haar(volume):
    """Return the finest diagonal Haar coefficients (unit gain for white noise), local intensities and validity."""
    detail, mean, valid = volume.astype(np.float64), volume.astype(np.float64), volume != 0
    for axis in (axis for axis in range(3) if volume.shape[axis] > 1):
        pairs = volume.shape[axis] - volume.shape[axis] % 2
        even, odd = (tuple(slice(start, pairs, 2) if a == axis else slice(None) for a in range(3)) for start in (0, 1))
        detail = (detail[even] - detail[odd]) / np.sqrt(2.0)
        mean = (mean[even] + mean[odd]) / 2
        valid = valid[even] & valid[odd]
    return detail, mean, valid


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
