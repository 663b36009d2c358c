"""How much of what was removed from a single volume follows the edges of its anatomy."""

import numpy as np
from scipy import ndimage

from keras_mri.io.grids import bounding_box

# Scale of the edges, voxels; reach of the filters, voxels; share of voxels that are called flat.
_SCALE, _REACH, _FLAT = 1.0, 4, 0.25


def share_along_edges(before, after, region):
    """Return the least share of the removed power that is anatomy, by its correlation with the input's edges.

    Smoothing removes a multiple of the Laplacian of the image, next to edges. Noise correlates with its own Laplacian too, but
    everywhere alike: this part is measured in the flattest quarter of the region, and left out.

    Parameters
    ----------
    before, after : ndarray of float32, shape (x, y, z)
    region : ndarray of bool, shape (x, y, z)
        At least one voxel.

    Returns
    -------
    float
        0 … 1; about 0 if noise alone was removed, white or correlated; 0 if nothing was.
    """
    box = bounding_box(region, _REACH)
    before, after, region = before[box], after[box], region[box]
    # Exact zeros are a mask or padding; their border is no edge of anatomy.
    inner = region & ndimage.binary_erosion(before != 0, iterations=2, border_value=1)
    region = inner if inner.any() else region
    removed = (before - after)[region].astype(np.float64)
    laplacian = ndimage.gaussian_laplace(before, _SCALE)[region].astype(np.float64)
    if not (removed.any() and laplacian.any()):
        return 0.0
    # A slope is an odd function of the noise around it, hence independent of the noise in its middle: choosing by it is fair.
    steepness = ndimage.gaussian_gradient_magnitude(before, _SCALE)[region]
    flat = steepness <= np.quantile(steepness, _FLAT)
    products = removed * laplacian
    along = products.mean() - products[flat].mean()
    # What is brighter than its surroundings has a negative Laplacian, and smoothing removes from it.
    return float(max(-along, 0.0) ** 2 / np.mean(removed**2) / np.mean(laplacian**2))
