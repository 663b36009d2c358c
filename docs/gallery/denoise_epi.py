"""Denoise an EPI volume without training

The network `epi` denoises single EPI volumes and is told nothing about the noise. The scan is the small sample inside nibabel, which
has little noise of its own, so 4 % are added: the truth is known. The removed part looks like noise. Anatomy in it would be a loss.
"""

import numpy as np
from drawing import axial, row, save

import keras_mri

scan = keras_mri.open_image("sample").to_nibabel().slicer[..., 0]
clean = scan.get_fdata(dtype="float32")
sigma = 0.04 * np.percentile(clean[clean != 0], 99.9)
noise = np.random.default_rng(0).normal(0, sigma, clean.shape).astype(np.float32)
noisy = np.where(clean != 0, clean + noise, 0)

denoised = keras_mri.restore("epi", type(scan)(noisy, scan.affine, scan.header)).data

head = clean > 5 * sigma
panels = {}
for name, image in (("noisy", noisy), ("denoised", denoised)):
    panels[f"{name}, error {np.sqrt(np.mean((image - clean)[head] ** 2)):.0f}"] = axial(image, 0.55)
panels["removed"] = axial(noisy - denoised, 0.55)
save(row(panels, limits=(0, float(np.percentile(clean, 99.8)))), __file__)
