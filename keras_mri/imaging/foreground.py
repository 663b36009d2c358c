"""Which voxels are tissue and which are air: four thresholds, each with the reason why it serves its purpose.

They differ on purpose. A patch that shows some faint tissue is still worth training on, whereas a noise estimate must not contain
any air, whose noise is narrower.
"""

import numpy as np


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

    # The brightest hundredth are vessels and fat, which would pull the threshold up.
    return volume > threshold_otsu(np.minimum(volume, np.percentile(volume, 99)).ravel())
