"""A head that is no one's: a map of tissues in voxels of 1 mm, drawn from ellipsoids and a random field, and images painted from it."""

import numpy as np
from scipy import ndimage

from keras_mri.imaging.kspace import resampled
from keras_mri.imaging.painted.label_maps import paint
from keras_mri.imaging.painted.tissues import draw_contrast

# FreeSurfer's numbers, and above 500 those of keras_mri.imaging.painted.tissues.
WHITE, CORTEX, VENTRICLE, THALAMUS, PUTAMEN, FLUID, SKIN, BONE = 2, 3, 4, 10, 12, 24, 511, 515
# Centre and half-axes (as shares of half the field of view) of what lies deep, on both sides.
_DEEP = (
    (PUTAMEN, (0.27, 0.06, -0.04), (0.09, 0.2, 0.13)),
    (THALAMUS, (0.11, -0.14, -0.02), (0.09, 0.13, 0.1)),
    (VENTRICLE, (0.09, 0.04, 0.13), (0.06, 0.3, 0.11)),
)


def label_head(shape=(80, 96, 80), seed=0):
    """Draw the map of tissues.

    Parameters
    ----------
    shape : tuple of int
        (x, y, z), voxels of 1 mm: small for a head, which saves time.
    seed : int
        Folds the cortex in another way.

    Returns
    -------
    ndarray of int, shape `shape`
        0 is air.
    """
    rng = np.random.default_rng(seed)
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, side) for side in shape), indexing="ij")
    radius = np.sqrt((x / 0.9) ** 2 + (y / 0.93) ** 2 + (z / 0.9) ** 2)
    # Sulci lie where a smooth random field changes its sign: such places are sheets.
    folds = ndimage.gaussian_filter(rng.standard_normal(shape), 3.2)
    folds /= folds.std()
    middle = (np.abs(x) < 0.012) & (z > 0.1)
    outside = (radius > 0.84) | (np.abs(folds) < 0.13) & (radius > 0.52) | middle & (radius > 0.4)
    labels = np.select([radius > 1, radius > 0.94, radius > 0.88, outside], [0, SKIN, BONE, FLUID], WHITE)
    labels[(labels == WHITE) & (ndimage.distance_transform_edt(labels == WHITE) <= 2.8)] = CORTEX
    for label, centre, half_axes in _DEEP:
        distances = ((np.abs(x), y, z)[axis] - centre[axis] for axis in range(3))
        inside = sum((distance / half) ** 2 for distance, half in zip(distances, half_axes)) <= 1
        labels[inside] = label
    return labels


def painted(labels, contrast="T1w", voxel=(1.0, 1.0, 1.0), seed=0):
    """Paint a map of tissues; no noise.

    Parameters
    ----------
    labels : ndarray of int, shape (x, y, z)
    contrast : {"T1w", "T2w", "FLAIR", "EPI", "free"}
    voxel : tuple of float
        Sides of the image's voxels, mm.
    seed : int
        Draws how bright each tissue is.

    Returns
    -------
    ndarray of float32, shape (x', y', z')
        White matter and fluid lie between 0 and about 1000.
    """
    rng = np.random.default_rng(seed)
    image = np.maximum(paint(labels, draw_contrast(np.unique(labels), rng, contrast), rng, grain=2.0), 0)
    shape = [round(side / size) for side, size in zip(labels.shape, voxel)]
    blurred = ndimage.gaussian_filter(image, [0.4 * side / few for side, few in zip(labels.shape, shape)])
    return 1000 * np.maximum(resampled(blurred, shape), 0).astype(np.float32)
