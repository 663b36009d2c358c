"""Train a denoiser on the scan itself

`fit` needs no clean image: noise is added to the scan, and the network learns to remove it. A small `wgan` of single volumes trains
for a few seconds, and then denoises a frame to which 5 % of noise were added. Five minutes of training are better.
"""

import nibabel
import numpy as np
from drawing import axial, pyplot, save, show

import keras_mri

sample = keras_mri.open_image("sample")
network = keras_mri.fit("wgan", sample, frames=1, filters=(8, 16), depths=(1, 2), patch_shape=(32, 32, 16), epochs=8, steps_per_epoch=15)

clean = sample.frame(0)
noisy = clean + np.random.default_rng(0).normal(0, 0.05 * np.percentile(clean, 99.9), clean.shape) * (clean != 0)
denoised = keras_mri.restore(network, nibabel.Nifti1Image(noisy.astype(np.float32), sample.affine)).data

figure, axes = pyplot.subplots(1, 3, figsize=(8, 2.6), layout="constrained", width_ratios=[1, 1, 1.1])
for axis, (name, image) in zip(axes, {"noisy": noisy, "denoised": denoised}.items()):
    show(axis, axial(image, 0.55), name, (0, float(np.percentile(clean, 99.8))))
errors = [row["val_error"] for row in network.history]
axes[2].plot(range(1, len(errors) + 1), errors, ".-")
axes[2].set(title="held-out error", xlabel="epoch")
save(figure, __file__)
