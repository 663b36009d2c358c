"""Which voxels are brain: an approximate mask for scans that come without one."""

import numpy as np
from scipy import ndimage

from keras_mri.errors import InputError
from keras_mri.imaging.foreground import otsu_foreground
from keras_mri.io.grids import bounding_box

# mm: erosion before the largest piece is chosen, which separates scalp and neck from the brain.
_SHAVED = 5.0
# mm: smoothing (full width at half maximum) before the threshold, and the voxel side at which the mask is made.
_SMOOTHED, _COARSE = 3.0, 2.5
# Smallest plausible mask, as a share of the field of view.
_LEAST_SHARE = 0.002


def brain_mask(volume, zooms):
    """Find the brain, roughly: the largest piece of bright tissue once its surface is shaved off, grown back, holes filled.

    It is made for deciding where to look, not for measuring volumes; on whole-head T1-weighted scans some scalp may stay.

    Parameters
    ----------
    volume : ndarray of float32, shape (x, y, z)
        Magnitude data, any unit.
    zooms : tuple of float
        Voxel sides, mm.

    Returns
    -------
    ndarray of bool, shape (x, y, z)

    Raises
    ------
    InputError
        If there is no tissue to be seen.
    """
    steps = tuple(max(1, int(_COARSE // zoom)) for zoom in zooms)
    coarse = _smooth(volume, zooms)[tuple(slice(None, None, step) for step in steps)]
    mask = _deep_piece(_tissue(coarse), [step * zoom for step, zoom in zip(steps, zooms)])
    for axis, step in enumerate(steps):
        mask = np.repeat(mask, step, axis=axis)
    # Voxel i of the coarse grid stands for the fine ones from i · step on.
    mask = mask[tuple(slice(side) for side in volume.shape)]
    if mask.sum() < max(1, _LEAST_SHARE * mask.size):
        raise InputError("no brain was found in the average of the images. Give a mask with `mask`.")
    return mask


def scan_mask(volume, zooms):
    """Find the brain as `brain_mask` does, blind to zeros around the scan: a wider field of view changes nothing.

    Parameters
    ----------
    volume : ndarray of float32, shape (x, y, z)
        Magnitude data, any unit.
    zooms : tuple of float
        Voxel sides, mm.

    Returns
    -------
    ndarray of bool, shape (x, y, z)

    Raises
    ------
    InputError
        If there is no tissue to be seen.
    """
    if not volume.any():
        raise InputError("no brain was found: the image is empty. Give a mask with `mask`.")
    box = bounding_box(volume)
    mask = np.zeros(volume.shape, bool)
    mask[box] = brain_mask(volume[box], zooms)
    return mask


def _smooth(volume, zooms):
    # FWHM = sqrt(8 ln 2) SD
    return ndimage.gaussian_filter(volume.astype(np.float32), [_SMOOTHED / 2.355 / zoom for zoom in zooms])


def _tissue(volume):
    if volume.min() == volume.max():
        raise InputError("no brain was found in the average of the images: it is empty. Give a mask with `mask`.")
    return otsu_foreground(volume)


def _deep_piece(tissue, zooms):
    depth = ndimage.distance_transform_edt(np.pad(tissue, 1, mode="edge"), sampling=zooms)[1:-1, 1:-1, 1:-1]
    core = depth > _SHAVED
    # A thin slab, or a small phantom, has nothing that deep.
    core = _largest_piece(core if core.any() else depth > 0.5 * depth.max())
    grown = ndimage.distance_transform_edt(~core, sampling=zooms) <= 1.25 * _SHAVED
    mask = _largest_piece(grown & tissue)
    return ndimage.binary_fill_holes(ndimage.binary_closing(np.pad(mask, 2), iterations=2))[2:-2, 2:-2, 2:-2]


def _largest_piece(mask):
    labels, count = ndimage.label(mask)
    if count < 2:
        return mask
    return labels == 1 + np.argmax(np.bincount(labels.ravel())[1:])
