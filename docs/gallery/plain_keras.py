"""Open a network in plain Keras and look inside

A trained network is one `.h5` file of built-in layers: Keras loads it without keras_mri. Intensities are divided by a robust
maximum before, and multiplied after. This is how a slice looks inside of some layers of `epi`, in the channel that varies most.
"""

import pathlib

import keras
import nibabel
import numpy as np
from drawing import axial, pyplot, save, show

path = pathlib.Path(__file__).parents[2] / "pretrained" / "wgan_epi.h5"
network = keras.models.load_model(path, compile=False)
print(f"{network.name}: {len(network.layers)} layers, {network.count_params():,} parameters, input {network.input_shape}")

sample = pathlib.Path(nibabel.__file__).parent / "tests" / "data" / "example4d.nii.gz"
scan = nibabel.load(sample).get_fdata(dtype="float32")[..., 0]
scale = np.percentile(scan[scan != 0], 99.9)

convolutions = [layer for layer in network.layers if isinstance(layer, keras.layers.Conv3D)]
shown = [convolutions[number] for number in np.linspace(0, len(convolutions) - 2, 4).astype(int)]
inside = keras.Model(network.input, [*(layer.output for layer in shown), network.output])
*features, denoised = inside.predict((scan / scale)[None, ..., None], verbose=0)

images = {"input": scan / scale}
for layer, feature in zip(shown, features):
    images[f"{layer.name}: one of {feature.shape[-1]} channels"] = feature[0, ..., feature[0].std(axis=(0, 1, 2)).argmax()]
images["output"] = denoised[0, ..., 0]
figure, axes = pyplot.subplots(2, 3, figsize=(8, 4.6), layout="constrained")
for axis, (title, image) in zip(axes.ravel(), images.items()):
    image = axial(image, 0.55)
    show(axis, image, title, (0, 0.9) if title in ("input", "output") else tuple(np.percentile(image, (1, 99))))
save(figure, __file__)
