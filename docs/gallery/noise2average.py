"""Train on two noisy copies of one head: Noise2Average

No clean image is needed. After a short training on two repetitions of a drawn head, their restored average is better than the average.
The error is the root mean square in the head; white matter is near 750. Some minutes of training gain more.
"""

import nibabel
import numpy as np
from drawing import axial, row, save
from drawn_head import label_head, painted

import keras_mri

truth = painted(label_head((56, 68, 56)), "T1w", seed=1)
rng = np.random.default_rng(0)
repetitions = [nibabel.Nifti1Image((truth + rng.normal(0, 80, truth.shape)).astype(np.float32), np.eye(4)) for _ in range(2)]

length = dict(epochs=1, steps_per_epoch=30, iterations=1, patch_shape=(16, 16, 16))
network = keras_mri.fit("n2a", repetitions, mirror="none", align=False, **length)
denoised = keras_mri.restore(network, repetitions, mirror="none", align=False).data

first, average = repetitions[0].get_fdata(), sum(scan.get_fdata() for scan in repetitions) / 2
head = truth > 50
panels = {}
for name, image in (("one repetition", first), ("their average", average), ("Noise2Average", denoised)):
    panels[f"{name}, error {np.sqrt(np.mean((image - truth)[head] ** 2)):.0f}"] = axial(image)
save(row({**panels, "truth": axial(truth)}, limits=(0, 1000)), __file__)
