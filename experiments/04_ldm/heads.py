"""Draw the heads that `ldm_epi` learns from, no one's: python -m experiments.04_ldm.heads FOLDER

Echo-planar volumes of the label maps, gradient echo and spin echo in turn. `whole_*.npz` lie on the grid of the samples; `others_*.npz`
have voxels of 2 to 4 mm. Label maps of heads 1 to 18 train; 19 and 20, `held_*.npz`, never do.
"""

import argparse
import functools
import pathlib

import numpy as np

from experiments.data import FOLDER
from keras_mri.imaging.painted.epi import drawn_epi
from keras_mri.io.nifti_reading import open_image

LABELS = ("gradient-echo", "spin-echo")
# Grid of the samples.
SHAPE, ZOOMS = (64, 64, 40), (3.4, 3.4, 3.5)
TRAINING, HELD_OUT = range(1, 19), (19, 20)
# Side of the maps' voxels when they are drawn, mm; brain labels are below this number.
_SIZE, _BRAIN = 2.0, 500
# What stays free above the brain, mm.
_ABOVE = (4.0, 14.0)


def main(folder, whole, others, held_out):
    """Draw what is not there yet."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    groups = [("whole", whole, TRAINING, None), ("held", held_out, HELD_OUT, None), ("others", others, TRAINING, (2.0, 4.0))]
    for number, (name, count, heads, sides) in enumerate(groups):
        for k in range(count):
            path = folder / f"{name}_{k:04d}.npz"
            if not path.exists():
                image, zooms = draw(np.random.default_rng([number, k]), heads, k % 2 == 1, sides)
                np.savez(path, image=image, zooms=zooms, label=LABELS[k % 2])


def load(folder, name):
    """Return the images of a group, their voxel sides and labels: three lists."""
    parts = [np.load(path) for path in sorted(pathlib.Path(folder).glob(f"{name}_*.npz"))]
    return [part["image"] for part in parts], [tuple(part["zooms"]) for part in parts], [str(part["label"]) for part in parts]


def draw(rng, heads, spin_echo, sides=None):
    """Draw one volume: image on the samples' grid, or with sides between two bounds (mm), and the sides of its voxels."""
    zooms = ZOOMS if sides is None else (*[rng.uniform(*sides)] * 2, rng.uniform(*sides))
    image, labels = drawn_epi(label_map(heads[rng.integers(len(heads))]), _SIZE, zooms, rng, spin_echo)
    brain = np.argwhere((labels > 0) & (labels < _BRAIN)) * _SIZE
    low, high = brain.min(axis=0), brain.max(axis=0)
    shape = SHAPE if sides is None else [round(side * zoom / own) for side, zoom, own in zip(SHAPE, ZOOMS, zooms)]
    first = (low + high) / 2 - np.multiply(shape, zooms) / 2
    first[2] = high[2] + rng.uniform(*_ABOVE) - shape[2] * zooms[2]
    return placed(image, np.round(first / zooms).astype(int), shape), zooms


def placed(image, first, shape):
    """Cut a box out of an image, zeros beyond its edges: ndarray of float32."""
    result = np.zeros(shape, np.float32)
    pairs = [(max(0, start), min(have, start + want)) for start, want, have in zip(first, shape, image.shape)]
    there = tuple(slice(low - start, high - start) for (low, high), start in zip(pairs, first))
    result[there] = image[tuple(slice(*pair) for pair in pairs)]
    return result


@functools.cache
def label_map(number):
    """Return the label map of a head from left to right, back to front, bottom to top, every second voxel: ndarray of int32."""
    labels = open_image(FOLDER / "label-maps" / f"head{number:02d}_labels.nii.gz").frame(0).astype(np.int32)
    # Stored from right to left, top to bottom, back to front.
    return np.ascontiguousarray(labels[::-1, ::-1].transpose(0, 2, 1)[::2, ::2, ::2])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--whole", type=int, default=800)
    parser.add_argument("--others", type=int, default=240)
    parser.add_argument("--held-out", type=int, default=80)
    chosen = parser.parse_args()
    main(chosen.folder, chosen.whole, chosen.others, chosen.held_out)
