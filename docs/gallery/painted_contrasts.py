"""Paint a map of tissues in many contrasts

A label map becomes an image without noise: the truth for a network of your own. Each draw is another shape, contrast, brightness
and voxel. Without clean images there are no clean targets; painted ones are clean by construction.
"""

import numpy as np
from drawing import axial, pyplot, save, show
from drawn_head import label_head

from keras_mri.imaging.painted.label_maps import drawn_image

labels = label_head()
figure, axes = pyplot.subplots(2, 4, figsize=(8, 5), layout="constrained")
show(axes[0, 0], axial(np.unique(labels, return_inverse=True)[1].reshape(labels.shape)), "label map", colours="nipy_spectral")
draws = [(contrast, (1, 1, 1)) for contrast in ("T1w", "T2w", "FLAIR", "EPI", "free")] + [("T1w", (1, 1, 3)), ("EPI", (2, 2, 2))]
for seed, axis, (contrast, voxel) in zip(range(20), axes.ravel()[1:], draws):
    image = drawn_image(labels, voxel, np.random.default_rng(seed), contrast)
    show(axis, axial(image), f"{contrast}, {' × '.join(map(str, voxel))} mm", (0, 1))
save(figure, __file__)
