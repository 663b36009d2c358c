"""Which voxels are tissue and which are air: four thresholds, each with the reason why it serves its purpose; and bright air.

They differ on purpose. A patch that shows some faint tissue is still worth training on, whereas a noise estimate must not contain
any air, whose noise is narrower.
"""

import itertools

import numpy as np

from keras_mri.imaging.intensity import far_range, without_far

# Air as bright as tissue: intensity and noise of a corner in ranges of the usual intensities, and noise of the middle in that of corners.
_BRIGHT, _ROUGH, _SMOOTHER = 0.25, 0.12, 0.5
# Ranges in whose 256 bins float32 can compute.
_NARROW, _WIDE = 1e-30, 1e30


def patch_foreground(volume):
    """Find the voxels around which training patches are cut: brighter than a tenth of the 98th percentile.

    The threshold is low, because a patch of dark tissue teaches something and a patch of air does not. The brightest 2 % may be
    vessels or spikes, and do not set the scale.

    Parameters
    ----------
    volume : ndarray of float32, shape (x, y, z)

    Returns
    -------
    ndarray of bool, same shape
    """
    return volume > 0.1 * np.percentile(volume, 98)


def noise_foreground(data, valid):
    """Find the voxels in which noise is estimated: brighter than a fifth of the 95th percentile.

    Noise in air has the narrower Rayleigh distribution, also where Gibbs ringing or ghosts make air look like faint tissue: hence
    the high threshold. The percentile is taken of valid voxels only, because exact zeros are a mask or padding, and their share
    would change it.

    Parameters
    ----------
    data : ndarray of float, any shape
    valid : ndarray of bool, same shape
        At least one voxel.

    Returns
    -------
    ndarray of bool, same shape
        Not restricted to `valid`.
    """
    return data > 0.2 * np.percentile(data[valid], 95)


def metric_foreground(reference, peak):
    """Find the voxels in which metrics are taken without a mask: brighter than 10 of 255 grey levels.

    Most denoising papers use this threshold on 8-bit images, so numbers can be compared with theirs.

    Parameters
    ----------
    reference : ndarray of float32, shape (x, y, z)
    peak : float
        The intensity of grey level 255.

    Returns
    -------
    ndarray of bool, same shape
    """
    return reference > 10 / 255 * peak


def otsu_foreground(volume):
    """Find the voxels from which a brain mask is made: above Otsu's threshold between two classes.

    A mask needs the border between tissue and air, wherever it lies for this contrast, not a fixed share of the maximum.

    Parameters
    ----------
    volume : ndarray of float32, shape (x, y, z)
        Not constant.

    Returns
    -------
    ndarray of bool, same shape

    References
    ----------
    Otsu, IEEE Trans Syst Man Cybern 9:62, 1979. doi:10.1109/TSMC.1979.4310076
    """
    # Only here: it takes most of a second to import.
    from skimage.filters import threshold_otsu

    # The brightest hundredth are vessels and fat, which would pull the threshold up; so would a few that hold what no tissue has.
    usual = without_far(volume)
    usual = np.minimum(usual, np.percentile(usual, 99)).ravel()
    # On a pedestal, or near the smallest and largest numbers that there are, float32 cannot hold the bins of a histogram.
    width = np.ptp(usual)
    narrow = width < 1e-3 * np.abs(usual).max() or not _NARROW < width < _WIDE
    return volume > threshold_otsu(usual.astype(np.float64) if narrow else usual)


def has_bright_air(volume):
    """Return whether the air around a head is noise as bright as tissue, as in the uniform images (UNI) of MP2RAGE.

    The corners of a volume are air: there, the difference of next neighbours is large, and in the middle it is not.

    Parameters
    ----------
    volume : ndarray of float, shape (x, y, z)

    Returns
    -------
    bool
    """
    low, high = far_range(volume, 0)
    sides = [max(2, side // 8) for side in volume.shape]
    corners = [volume[np.ix_(*chosen)] for chosen in itertools.product(*(_ends(*both) for both in zip(volume.shape, sides)))]
    middle = volume[tuple(slice(side // 3, side - side // 3) for side in volume.shape)]
    bright = np.median([np.median(corner) for corner in corners]) > low + _BRIGHT * (high - low)
    if not bright or min(middle.shape[0], volume.shape[0]) < 2:
        return False
    rough = np.median([_roughness(corner) for corner in corners])
    return bool(rough > _ROUGH * (high - low) and _roughness(middle) < _SMOOTHER * rough)


def _ends(side, length):
    return np.arange(min(length, side)), np.arange(max(0, side - length), side)


def _roughness(block):
    """Return the median of the difference of next neighbours along the first axis."""
    return float(np.median(np.abs(np.diff(block.astype(np.float64), axis=0))))
