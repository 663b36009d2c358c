"""Let `auto` choose the network, and read why

`auto` looks at the name, the side-car, the frames, the voxels and the contrast of a scan. It takes the network that fits and
says why, in `facts["chosen"]` of the result. Here it meets the EPI sample and two drawn heads with 4 % of noise.
"""

import textwrap

import nibabel
import numpy as np
from drawing import axial, pyplot, save, show
from drawn_head import label_head, painted

import keras_mri

rng, labels = np.random.default_rng(0), label_head()
scans = {"the EPI sample": keras_mri.open_image("sample").to_nibabel().slicer[..., :1]}
for contrast in ("T1w", "FLAIR"):
    data = painted(labels, contrast) + rng.normal(0, 40, labels.shape)
    scans[f"a drawn {contrast} head"] = nibabel.Nifti1Image(data.astype(np.float32), np.eye(4))

figure, axes = pyplot.subplots(2, len(scans), figsize=(8, 5.6), layout="constrained")
for (before, after), (name, scan) in zip(axes.T, scans.items()):
    restored = keras_mri.restore("auto", scan)
    print(f"{name}: {restored.facts['chosen']}")
    noisy, denoised = (axial(image.frame(0)) for image in (keras_mri.open_image(scan), restored))
    limits = 0, float(np.percentile(noisy, 99.8))
    show(before, noisy, name, limits)
    show(after, denoised, "\n".join(textwrap.wrap(restored.facts["chosen"], 34)), limits)
save(figure, __file__)
