"""Draw fMRI volumes by latent diffusion

`ldm_heads` draws volumes with a label. A sample is no measurement of anyone; what samples can be used for, and what not, stands on the
[card](../../pretrained/ldm_heads.md) of the network.
"""

from drawing import axial, row, save

import keras_mri
from keras_mri.api import checkpoint_of

labels = checkpoint_of("ldm_heads").inference["labels"]
print(f"labels: {', '.join(labels)}")

panels = {}
for label in (labels[0], labels[-1]):
    for number, volume in enumerate(keras_mri.sample("ldm_heads", 2, label=label, steps=8, seed=1), start=1):
        image = axial(volume.data)
        panels[f"{label}, sample {number}"] = image / image.max()
save(row(panels, limits=(0, 0.9)), __file__)
