"""Fill in slices that are missing

Three slices of one frame of a drawn run are lost. `ldm_epi` fills them in: a guess from the other frames, and what samples of the
latent diffusion add, as far as that helps where the truth is known. All other voxels stay as they are, bit by bit.
"""

import nibabel
import numpy as np
from drawing import coronal, row, save

import keras_mri
from keras_mri.imaging import phantoms

affine = np.diag([3.0, 3.0, 3.3, 1.0])
clean, brain, *_ = phantoms.bold_run((80, 80, 35, 4))
truth = (clean + np.random.default_rng(0).normal(0, 15, clean.shape) * brain[..., None]).astype(np.float32)
missing = np.zeros(truth.shape, np.uint8)
missing[:, :, 16:19, 2] = 1
damaged = nibabel.Nifti1Image(np.where(missing, 0, truth), affine)

mask = keras_mri.open_image(nibabel.Nifti1Image(missing, affine))
filled = keras_mri.restore("ldm_epi", damaged, task="imputation", missing=mask, steps=4, samples=1).data
line = truth[..., 15, 2, None] + (truth[..., 19, 2, None] - truth[..., 15, 2, None]) * np.array([0.25, 0.5, 0.75])

gap = (slice(None), slice(None), slice(16, 19))
errors = {
    name: np.sqrt(np.mean((image - truth[..., 2][gap])[brain[gap]] ** 2)) for name, image in (("line", line), ("ldm", filled[..., 2][gap]))
}
print(f"error in the brain: a line between the slices around {errors['line']:.0f}, ldm {errors['ldm']:.0f}; the noise is 15")
print(f"known voxels are equal: {np.array_equal(filled[missing == 0], damaged.get_fdata(dtype='float32')[missing == 0])}")
panels = {"frame with a gap": damaged.get_fdata()[..., 2], "filled in": filled[..., 2], "truth": truth[..., 2]}
save(row({title: coronal(image) for title, image in panels.items()}, limits=(0, 1000)), __file__)
