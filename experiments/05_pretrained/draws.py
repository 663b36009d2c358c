"""Draw the picture of twenty draws: python -m experiments.05_pretrained.draws docs/draws.png

Painted label maps with the noise of a drawn scanner, through the pipelines of keras_mri.data.drawn; titles say what was drawn.
"""

import sys
import textwrap

import matplotlib
import numpy as np

from experiments.data import FOLDER
from keras_mri.imaging.acquisition.scanner_noise import add_scanner_noise, draw_scanner
from keras_mri.imaging.intensity import fit_scaling
from keras_mri.imaging.painted.label_maps import drawn_image
from keras_mri.imaging.painted.tissues import CONTRASTS
from keras_mri.io.nifti_reading import open_image

matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402

_VOXELS = ((1, 1, 1), (2, 2, 2), (0.9, 3, 0.9), (3, 3, 3))


def main(path):
    """Draw and write the picture."""
    figure, axes = plt.subplots(4, 5, figsize=(13, 11), layout="constrained")
    for number, axis in enumerate(axes.T.ravel()):
        rng = np.random.default_rng([18, number])
        contrast, voxel = CONTRASTS[number // 4], _VOXELS[number % 4]
        labels = np.asarray(open_image(FOLDER / "label-maps" / f"head{number % 18 + 1:02d}_labels.nii.gz").frame(0), np.int16)
        clean = drawn_image(labels, voxel, rng, contrast)
        scanner, sigma = draw_scanner(rng), float(rng.uniform(0.02, 0.1))
        noisy = add_scanner_noise(fit_scaling(clean).apply(clean), sigma, scanner, rng)[0]
        # Label maps lie LIA: the third axis leads from back to front, the second from top to bottom.
        middle = noisy.shape[2] // 2 if number % 2 else noisy.shape[0] // 2
        plane = noisy[:, :, middle].T if number % 2 else noisy[middle]
        height, width = (voxel[1], voxel[0]) if number % 2 else (voxel[1], voxel[2])
        axis.imshow(plane, cmap="gray", vmin=min(0, float(plane.min())), vmax=1.1, aspect=height / width)
        axis.set_title(f"{contrast}, {' × '.join(map(str, voxel))} mm\n{described(scanner, sigma)}", fontsize=7)
        axis.set_axis_off()
    figure.savefig(path, dpi=70)
    print(f"wrote {path}")


def described(scanner, sigma):
    """Say in a few words what a scanner does to its noise."""
    parts = [f"σ {sigma:.2f}"]
    parts += [f"zero-filled {min(scanner.matrix):.2f}"] if min(scanner.matrix) < 1 else []
    parts += [f"partial Fourier {min(scanner.fourier):.2f}"] if min(scanner.fourier) < 1 else []
    parts += [f"smoothed {max(scanner.fwhm):.1f}"] if max(scanner.fwhm) else []
    parts += [f"× {scanner.strongest:.1f}"] if scanner.strongest > 1 else []
    parts += [f"{scanner.coils} coil{'s' * (scanner.coils > 1)}"] if scanner.magnitude else ["real part"]
    return "\n".join(textwrap.wrap(", ".join(parts), 38))


if __name__ == "__main__":
    main(sys.argv[1])
