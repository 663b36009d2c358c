"""A label map becomes an image: tissues with texture, an uneven brightness, measured in voxels of any size.

The image is free of noise: what a network should make of a noisy one is known exactly. Domain randomisation of label maps is
from Billot et al., Med Image Anal 86:102789, 2023. doi:10.1016/j.media.2023.102789
"""

import numpy as np
from scipy import ndimage

from keras_mri.imaging.kspace import resampled
from keras_mri.imaging.painted import shapes
from keras_mri.imaging.painted.tissues import draw_contrast

# SD of the Gaussian that smooths texture, mm.
_GRAIN = (1.0, 4.0)
# Control points of the brightness along each axis.
_POINTS = 4
# Voxels around the head that stay.
_MARGIN = 8
# SD of the blur before an image is measured, as a part of its voxels: k-space cut alone would ring at every edge.
_BLUR = (0.25, 0.5)


def paint(labels, contrast, rng, grain=1.0):
    """Paint a label map: a mean and a texture for each label.

    Parameters
    ----------
    labels : ndarray of int, shape (x, y, z)
    contrast : keras_mri.imaging.painted.tissues.Contrast
    rng : numpy.random.Generator
    grain : float
        SD of the Gaussian that smooths the texture, voxels.

    Returns
    -------
    ndarray of float32, shape (x, y, z)
        Mean and SD in each label are the contrast's, as far as the label has voxels enough.
    """
    texture = rng.standard_normal(labels.shape, dtype=np.float32)
    if grain > 0:
        texture = ndimage.gaussian_filter(texture, grain, mode="wrap")
        texture /= texture.std()
    return contrast.mean[labels] + contrast.texture[labels] * texture


def bias_field(shape, rng, strength=0.3):
    """Draw the uneven brightness that receive coils cause.

    Parameters
    ----------
    shape : tuple of int, (x, y, z)
    rng : numpy.random.Generator
    strength : float
        Highest SD of the field's logarithm at its control points.

    Returns
    -------
    ndarray of float32, shape `shape`
        Positive; geometric mean near 1.
    """
    field = rng.uniform(0, strength) * rng.standard_normal((_POINTS,) * 3)
    for axis, side in enumerate(shape):
        field = np.moveaxis(np.tensordot(shapes.cubic_weights(_POINTS, side), field, (1, axis)), 0, axis)
    return np.exp(field - field.mean()).astype(np.float32)


def measured(image, voxel, rng=None):
    """Bring an image of 1 mm to larger voxels, or smaller ones, as a scanner would have measured it.

    Parameters
    ----------
    image : ndarray of float32, shape (x, y, z)
        In voxels of 1 mm.
    voxel : sequence of float
        Sides of the voxels of the result, mm.
    rng : numpy.random.Generator, optional
        Draws how much is smoothed; the middle without it.

    Returns
    -------
    ndarray of float32
        Over the same field of view; not negative.
    """
    share = np.mean(_BLUR) if rng is None else rng.uniform(*_BLUR)
    shape = [max(8, round(side / size)) for side, size in zip(image.shape, voxel)]
    blurred = ndimage.gaussian_filter(image, [share * side / count for side, count in zip(image.shape, shape)], mode="nearest")
    return np.maximum(resampled(blurred, shape), 0).astype(np.float32)


def drawn_image(labels, voxel, rng, contrast=None):
    """Draw an image of a label map: another shape, another contrast, no noise.

    Parameters
    ----------
    labels : ndarray of int, shape (x, y, z)
        In voxels of 1 mm.
    voxel : sequence of float
        Sides of the voxels of the result, mm.
    rng : numpy.random.Generator
    contrast : str, optional
        One of `tissues.CONTRASTS`; drawn without it.

    Returns
    -------
    ndarray of float32, shape (x', y', z')
        Cut to the head and a margin; not negative, tissues up to about 1.2.
    """
    labels = cut_to_head(labels)
    shape = shapes.moved(labels, shapes.drawn_affine(rng), shapes.drawn_deformation(labels.shape, rng), bool(rng.integers(2)))
    drawn = draw_contrast(np.flatnonzero(np.bincount(labels.ravel())), rng, contrast)
    image = paint(shape, drawn, rng, grain=rng.uniform(*_GRAIN))
    image = np.maximum(image, 0) * bias_field(image.shape, rng)
    return measured(image, voxel, rng)


def cut_to_head(labels, margin=_MARGIN):
    """Cut a label map to the box of what is not air, and a margin in voxels."""
    box = ndimage.find_objects((labels > 0).astype(np.uint8))[0]
    return labels[tuple(slice(max(0, part.start - margin), part.stop + margin) for part in box)]
