"""Of which contrast a picture of a head is, as far as that can be seen, and whether the frames of a series are alike."""

import itertools
import typing

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
# The darkest twentieth of the brain over its median, below which CSF is dark.
_DARK = 0.6
# mm: blocks in which frames are compared, as noise is low in them; and how far alike frames may differ, as a share of the signal.
_BLOCK, _ALIKE = 9.0, 0.05
# How many times brighter the brightest of alike frames may be, but for the first ones.
_BRIGHTER, _FIRST = 1.3, 2


class Contrast(typing.NamedTuple):
    """What a picture says of its contrast.

    Parameters
    ----------
    deep : float or None
        Intensity of white matter over that of the cortex and its surroundings; None where the picture does not tell.
    dark : float or None
        The darkest twentieth of the brain over its median.
    """

    deep: float | None
    dark: float | None

    @property
    def is_t1(self):
        """Whether white matter is brighter than the cortex, and CSF is dark: True, False, or None in between."""
        if self.deep is None or _OTHER < self.deep < _T1:
            return None
        return self.deep >= _T1 and self.dark < _DARK


def contrast_of_brain(frame, zooms):
    """Compare the middle of a brain with its rim.

    Parameters
    ----------
    frame : ndarray of float32, shape (x, y, z)
        Magnitude, any unit.
    zooms : sequence of float
        Voxel sides, mm.

    Returns
    -------
    Contrast
    """
    coarse, zooms = coarsened(without_far(frame), zooms)
    try:
        brain = ndimage.binary_fill_holes(scan_mask(coarse, tuple(zooms)))
    except InputError:
        return Contrast(None, None)
    # A slab's cut faces are no surface.
    depth = ndimage.distance_transform_edt(np.pad(brain, 1, mode="edge"), sampling=zooms)[1:-1, 1:-1, 1:-1]
    rim, deep = (coarse[(low < depth) & (depth <= high) & (coarse != 0)] for low, high in (_RIM, _DEEP))
    inside = coarse[brain & (coarse != 0)]
    if min(len(rim), len(deep)) < _ENOUGH or not np.median(rim) > 0 or not np.median(inside) > 0:
        return Contrast(None, None)
    return Contrast(float(np.median(deep) / np.median(rim)), float(np.percentile(inside, 5) / np.median(inside)))


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
