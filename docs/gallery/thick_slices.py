"""Bring thick slices to a finer grid

A drawn T2w head is measured in slices of 4 mm. `sr` brings it to voxels of 1 mm, with detail that cubic splines do not have.
Averaged over the slices again, the result is what was measured, up to half of the noise.
"""

import nibabel
import numpy as np
from drawing import coronal, row, save
from drawn_head import label_head, painted
from scipy import ndimage

import keras_mri

truth = painted(label_head(), "T2w", seed=2)
# The mean over four voxels is a slice of 4 mm without gaps.
thick = truth.reshape(*truth.shape[:2], -1, 4).mean(axis=3)
thick += np.random.default_rng(0).normal(0, 10, thick.shape).astype(np.float32)
affine = np.diag([1.0, 1.0, 4.0, 1.0])
affine[2, 3] = 1.5
fine = keras_mri.restore("sr", nibabel.Nifti1Image(thick, affine), voxel=1.0, slice_profile="box").data
cubic = ndimage.zoom(thick, (1, 1, 4), order=3, mode="grid-constant", grid_mode=True)

head, panels = truth > 50, {"slices of 4 mm": np.repeat(thick, 4, axis=2)}
for name, image in (("cubic splines", cubic), ("sr", fine)):
    panels[f"{name}, error {np.sqrt(np.mean((image - truth)[head] ** 2)):.0f}"] = image
save(row({title: coronal(image, 0.45) for title, image in {**panels, "truth": truth}.items()}), __file__)
