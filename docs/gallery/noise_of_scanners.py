"""Draw noise as scanners write it

Noise is white where a scanner measures it, in k-space. In an image it is so only if nothing was filled, filtered or combined.
`Scanner` draws each kind. Below each image is what the noise has changed. The noise of the real part has the same SD in all of them;
magnitudes also have a bias, above all where the image is dark.
"""

import numpy as np
from drawing import axial, pyplot, save, show
from drawn_head import label_head, painted

from keras_mri.imaging.acquisition.scanner_noise import Scanner, add_scanner_noise

clean = painted(label_head(), "T1w", seed=1)
scanners = {
    "white": Scanner(),
    "zero-filled": Scanner(matrix=(0.6, 0.6, 1.0)),
    "smoothed": Scanner(fwhm=(1.8, 1.8, 0.0)),
    "uneven": Scanner(strongest=4.0),
    "magnitude": Scanner(magnitude=True),
    "eight coils": Scanner(magnitude=True, coils=8),
}
figure, axes = pyplot.subplots(2, len(scanners), figsize=(8, 3.3), layout="constrained")
for (above, below), (name, scanner) in zip(axes.T, scanners.items()):
    noisy, _ = add_scanner_noise(clean, 80.0, scanner, np.random.default_rng(0))
    show(above, axial(noisy), name, (0, 1000))
    show(below, axial(noisy - clean), None, (-300, 300))
save(figure, __file__)
