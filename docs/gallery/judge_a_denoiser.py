"""Judge what a denoiser removed

`judge` compares a scan before and after any denoiser, and needs no reference. A Gaussian of 4 mm takes anatomy with the noise; the
network `epi` leaves it. The scan is the EPI sample inside nibabel with 5 % of noise.
"""

import nibabel
import numpy as np
from drawing import axial, row, save
from scipy import ndimage

import keras_mri

sample = keras_mri.open_image("sample")
clean = sample.frame(0)
noisy = clean + np.random.default_rng(0).normal(0, 0.05 * np.percentile(clean, 99.9), clean.shape) * (clean != 0)
before = keras_mri.open_image(nibabel.Nifti1Image(noisy.astype(np.float32), sample.affine))
results = {
    "Gaussian": before.with_frames(lambda t: ndimage.gaussian_filter(before.frame(t), [4 / 2.355 / side for side in before.zooms])),
    "epi": keras_mri.restore("epi", before),
}

panels = {}
for name, after in results.items():
    verdict = keras_mri.judge(before, after)
    print(f"{name}: noise {verdict.noise:.0f}, removed {verdict.removed:.0f}, anatomy {verdict.anatomy:.0%}: {verdict.word}")
    panels[f"{name}:\n{verdict.word}"] = axial(after.frame(0), 0.55)
    panels[f"removed by {name}"] = axial(before.frame(0) - after.frame(0), 0.55)
save(row(panels, limits=(0, float(np.percentile(clean, 99.8)))), __file__)
