"""Of which contrast a picture of a head is, as far as that can be seen, and whether the frames of a series are alike."""

import itertools

import numpy as np
from scipy import ndimage

from keras_mri.errors import InputError
from keras_mri.imaging.brain_mask import scan_mask
from keras_mri.imaging.foreground import noise_foreground
from keras_mri.imaging.intensity import without_far
from keras_mri.imaging.recognition.coarse import coarsened

# mm below the surface of the brain: cortex and what lies in its folds, and white matter. Voxels of each that are enough to judge by.
_RIM, _DEEP, _ENOUGH = (5.0, 9.0), (15.0, 40.0), 100
# Deep over rim: at least the second number in six T1-weighted scans, about the first at most in 18 scans of other contrasts.
_OTHER, _T1 = 0.98, 1.05
# mm: blocks in which frames are compared, as noise is low in them; and how far alike frames may differ, as a share of the signal.
_BLOCK, _ALIKE = 9.0, 0.05
# How many times brighter the brightest of alike frames may be, but for the first ones.
_BRIGHTER, _FIRST = 1.3, 2


def white_over_grey(frame, zooms):
    """Compare the middle of a brain, which is mostly white matter, with its rim, which is mostly cortex.

    Parameters
    ----------
    frame : ndarray of float32, shape (x, y, z)
        Magnitude, any unit.
    zooms : sequence of float
        Voxel sides, mm.

    Returns
    -------
    float or None
        Median intensity of the middle over that of the rim; None where no brain is found, or too little of it.
    """
    coarse, zooms = coarsened(without_far(frame), zooms)
    try:
        brain = ndimage.binary_fill_holes(scan_mask(coarse, tuple(zooms)))
    except InputError:
        return None
    # A slab's cut faces are no surface.
    depth = ndimage.distance_transform_edt(np.pad(brain, 1, mode="edge"), sampling=zooms)[1:-1, 1:-1, 1:-1]
    rim, deep = (coarse[(low < depth) & (depth <= high) & (coarse != 0)] for low, high in (_RIM, _DEEP))
    if min(len(rim), len(deep)) < _ENOUGH or not np.median(rim) > 0:
        return None
    return float(np.median(deep) / np.median(rim))


def looks_like_t1(ratio):
    """Return whether white over grey matter is as in T1-weighted scans: True, False, or None where the picture does not tell."""
    if ratio is None or _OTHER < ratio < _T1:
        return None
    return ratio >= _T1


def frames_alike(frames, zooms):
    """Return whether the frames of a series have one contrast, as those of a run, unlike those of diffusion or of several echoes.

    Parameters
    ----------
    frames : sequence of ndarray of float32, shape (x, y, z)
        At least two, in the order of time.
    zooms : sequence of float
        Voxel sides, mm.

    Returns
    -------
    bool
        True for a run whose first frames alone are brighter, too.
    """
    coarse = np.stack([coarsened(frame, zooms, _BLOCK)[0] for frame in frames]).astype(np.float64)
    tissue = coarse.mean(axis=0)
    tissue = noise_foreground(tissue, tissue != 0)
    values = coarse[:, tissue]
    level = values.mean(axis=1)
    steady = level[_FIRST:] if len(level) > 2 * _FIRST else level
    if not steady.min() > 0 or steady.max() > _BRIGHTER * steady.min():
        return False
    steps = [np.sqrt(np.mean((after - before) ** 2)) / np.mean(before) for before, after in itertools.pairwise(values)]
    return bool(np.median(steps) < _ALIKE)
