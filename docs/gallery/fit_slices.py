"""Teach a network of slices

`cnn` is the smallest system: a network of 2D slices, for teaching. It learns on the slices of one drawn head, with noise that is
drawn anew for every batch. Slices that took no part show what it has learnt.
"""

import nibabel
import numpy as np
from drawing import row, save
from drawn_head import label_head, painted

import keras_mri

head = nibabel.Nifti1Image(painted(label_head(), "T1w", seed=1), np.eye(4))
network = keras_mri.fit("cnn", head, filters=(16, 32), depths=(1, 2), epochs=10, steps_per_epoch=10, batch_size=8)

images = {}
for title, image in network.panels.items():
    images[title.replace(" added, ", "\n").replace(", ", "\n")] = np.squeeze(image).T[::-1]
save(row(images, limits=(0, 1.05)), __file__)
