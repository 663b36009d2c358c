"""What the network of thick slices learns from, and what chooses between tries; persons of a test take no part.

painted label maps (heads 1 to 18)    every contrast; voxels of 0.85 to 1.15 mm; finer planes; coarser ones, as between two axes of a scan
real scans                            T1w of studyforrest; the planes of clinical 8 to 10 (T1w, T2w, FLAIR), whose slices are thick
choosing                              T1w of clinical 1 (brain only), FLAIR of clinical 4
"""

import dataclasses

import numpy as np

from experiments.data import FOLDER
from keras_mri.imaging.intensity import fit_scaling
from keras_mri.imaging.kspace import resampled
from keras_mri.imaging.painted.label_maps import drawn_image
from keras_mri.io.nifti_reading import open_image

HEADS = range(1, 19)
# Painted in turn; as many contrasts as have no divisor in common with the forms of voxels.
_CONTRASTS = ("T1w", "T2w", "free", "FLAIR", "T1w", "free", "T2w")
_FORMS = ("alike", "alike", "fine plane", "alike", "fine plane", "coarse plane", "alike", "coarse axis")
# Voxels along which slices may be made thick, mm: what a network reaches, and a little more.
_REACHED = 1.35
_PAINTED, _LABEL_MAP = 0.5, "label map"
# Sides of the voxels that k-space of a real scan is cut to, mm.
_STRUCTURAL = {
    "forrest-t1w/T1w.nii.gz": ((0.8, 0.8, 0.8), (1.0, 1.0, 1.0), (1.2, 1.2, 1.2), (1.0, 0.7, 0.7), (1.0, 1.8, 1.8), (1.8, 1.0, 1.0)),
    "clinical/head08_t1w.nii.gz": ((0.9, 0.9, 4.0),),
    "clinical/head08_flair.nii.gz": ((0.9, 0.9, 4.0),),
    "clinical/head09_t1w.nii.gz": ((1.0, 1.0, 4.0),),
    "clinical/head09_t2w.nii.gz": ((0.9, 0.9, 4.0),),
    "clinical/head09_flair.nii.gz": ((1.0, 1.0, 4.0),),
    "clinical/head10_t1w.nii.gz": ((0.9, 0.9, 4.0),),
    "clinical/head10_flair.nii.gz": ((1.0, 1.0, 4.0),),
}
_CHOOSING = {"T1w": "clinical/head01_t1w.nii.gz", "FLAIR": "clinical/head04_flair.nii.gz"}


@dataclasses.dataclass(frozen=True)
class Fine:
    """An image with fine slices: network units (1 is its robust maximum), voxels in mm, share of the patches, axes of its slices."""

    name: str
    data: np.ndarray
    zooms: tuple
    share: float = 1.0
    sliced: tuple | None = None

    @property
    def axes(self):
        """Axes of its slices, by default those along which its voxels are as small as those to reach: sequence of int."""
        return self.sliced or [axis for axis, side in enumerate(self.zooms) if side <= _REACHED]


def training_pool(painted, seed):
    """Return what the network learns from, `painted` painted heads among it: list of Fine."""
    return shared([painted_head(number, seed) for number in range(painted)] + _real())


def shared(pool):
    """Return the pool with the shares of its patches: painted heads together, and in each part the cube root of an image's voxels."""
    painted = [image for image in pool if image.name.startswith(_LABEL_MAP)]
    real = [image for image in pool if not image.name.startswith(_LABEL_MAP)]
    return with_shares(painted, _PAINTED) + with_shares(real, 1 - _PAINTED)


def painted_head(number, seed, heads=HEADS):
    """Paint one head: Fine."""
    rng = np.random.default_rng([seed, number])
    head, contrast = heads[number % len(heads)], _CONTRASTS[number % len(_CONTRASTS)]
    labels = np.asarray(open_image(FOLDER / "label-maps" / f"head{head:02d}_labels.nii.gz").frame(0), np.int16)
    zooms = drawn_zooms(_FORMS[number % len(_FORMS)], rng)
    return fine(f"{_LABEL_MAP} {head:02d}, {contrast}", drawn_image(labels, zooms, rng, contrast), zooms)


def drawn_zooms(form, rng):
    """Draw the sides of voxels, mm, for one of the forms; one axis at least is near the millimetre that is to be reached."""
    zooms = rng.uniform(0.85, 1.15) * rng.uniform(0.95, 1.05, 3)
    axis = rng.integers(3)
    plane = [other for other in range(3) if other != axis]
    if form == "fine plane":
        zooms[plane] = rng.uniform(0.55, 0.9)
    elif form == "coarse plane":
        zooms[plane] = rng.uniform(1.4, 2.2)
    elif form == "coarse axis":
        zooms[axis] = rng.uniform(1.4, 2.2)
    return tuple(float(zoom) for zoom in zooms)


def choosing(kind):
    """Return a scan that chooses between tries: ndarray of float32, shape (x, y, z), network units."""
    image = open_image(FOLDER / _CHOOSING[kind])
    shape = [round(count * zoom) for count, zoom in zip(image.shape, image.zooms)]
    data = resampled(image.frame(0), shape)
    return np.maximum(fit_scaling(data).apply(data), 0)


def fine(name, data, zooms):
    """Return an image as Fine: float16, a quarter of a thousandth of its range or better."""
    data = np.maximum(data, 0)
    return Fine(name, np.minimum(fit_scaling(data).apply(data), 8).astype(np.float16), tuple(map(float, zooms)))


def _real():
    return [_coarser(name, sides) for name, several in _STRUCTURAL.items() for sides in several]


def _coarser(name, sides):
    image = open_image(FOLDER / name)
    shape = [round(count * min(1.0, zoom / side)) for count, zoom, side in zip(image.shape, image.zooms, sides)]
    zooms = [zoom * old / new for zoom, old, new in zip(image.zooms, image.shape, shape)]
    return fine(f"{name} at {' × '.join(f'{zoom:.2g}' for zoom in zooms)} mm", resampled(image.frame(0), shape), zooms)


def with_shares(scans, share):
    """Let scans give this share of the patches, in proportion to the cube root of their voxels: list of Fine."""
    sizes = np.cbrt([scan.data.size for scan in scans])
    return [dataclasses.replace(scan, share=float(share * size / sizes.sum())) for scan, size in zip(scans, sizes)]
