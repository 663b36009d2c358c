"""The heads that the networks are tested on: persons that took no part in training, nor chose between tries.

group   heads                                                                        scored with
T1w     adi-t1t2, philips-3t, clinical head05, head06, head07                        wgan_t1w, wgan_any
EPI     mean of forrest-bold, of philips-3t, of ge-seepi 1–3; mean b0 of cabi-dti    wgan_epi, wgan_any
other   T2w of adi-t1t2, head02, head03, head06, head07; FLAIR of head06, head07     wgan_any

Of each a crop of 56 × 48 × 24 voxels, of the fine thick slices of head06 and head07 88 × 48 × 16: the middle of the head along the
second and third axis; along the first one from six voxels outside the head inwards, so that there is air. Its maximum is 1. BM4D
takes eight seconds for one, and there are 300.
A measured scan is a truth with noise of its own, up to 2 %; the means of runs have less. Who removes that too is marked down at 1 %.
"""

import typing

import numpy as np
from scipy import ndimage

from experiments.data import FOLDER
from keras_mri.io.nifti_reading import open_image

SHAPE, _FINE = (56, 48, 24), (88, 48, 16)
GROUPS = ("T1w", "EPI", "other")
# Voxels between the crop's border and the head.
_AIR = 6
_FOREGROUND = 10 / 255


class Source(typing.NamedTuple):
    """Where a head comes from: its group, files and frames whose mean it is, the crop, and at which end of the first axis air is shown."""

    group: str
    files: tuple
    frames: tuple = (0, 1)
    shape: tuple = SHAPE
    end: bool = False


_SOURCES = {
    "adi-t1t2": Source("T1w", ("adi-t1t2/T1w_defaced.nii.gz",), end=True),
    "philips-3t": Source("T1w", ("philips-3t/T1w_defaced.nii.gz",)),
    "head05": Source("T1w", ("clinical/head05_t1w.nii.gz",)),
    "head06": Source("T1w", ("clinical/head06_t1w.nii.gz",), shape=_FINE),
    "head07": Source("T1w", ("clinical/head07_t1w.nii.gz",), shape=_FINE),
    "forrest-bold": Source("EPI", ("forrest-bold/bold.nii.gz",), (0, 156)),
    "philips-3t EPI": Source("EPI", ("philips-3t/bold.nii.gz",), (5, 75)),
    "ge-seepi": Source("EPI", ("ge-seepi/series7_4rep.nii.gz",), (1, 4)),
    "cabi-dti b0": Source("EPI", ("cabi-dti/dev_rep1.nii.gz", "cabi-dti/dev_rep2.nii.gz")),
    "adi-t1t2 T2w": Source("other", ("adi-t1t2/T2w_defaced.nii.gz",)),
    "head02 T2w": Source("other", ("clinical/head02_t2w.nii.gz",)),
    "head03 T2w": Source("other", ("clinical/head03_t2w.nii.gz",)),
    "head06 T2w": Source("other", ("clinical/head06_t2w.nii.gz",), shape=_FINE),
    "head07 T2w": Source("other", ("clinical/head07_t2w.nii.gz",), shape=_FINE),
    "head06 FLAIR": Source("other", ("clinical/head06_flair.nii.gz",), shape=_FINE),
    "head07 FLAIR": Source("other", ("clinical/head07_flair.nii.gz",), shape=_FINE),
}
NAMES = tuple(_SOURCES)


class Head(typing.NamedTuple):
    """A crop of a clean scan.

    Parameters
    ----------
    name, group : str
    clean : ndarray of float32, shape (x, y, z)
        Maximum 1, not negative.
    affine : ndarray of float64, shape (4, 4)
    region, air, flat : ndarray of bool, shape (x, y, z)
        Above 10/255, where PSNR and SSIM are taken; more than two voxels from that; the quarter of the region that is flattest.
    """

    name: str
    group: str
    clean: np.ndarray
    affine: np.ndarray
    region: np.ndarray
    air: np.ndarray
    flat: np.ndarray


def load(name):
    """Load one of `NAMES` as a Head."""
    source = _SOURCES[name]
    images = [open_image(FOLDER / file) for file in source.files]
    whole = np.mean([image.frame(t) for image in images for t in range(*source.frames)], axis=0, dtype=np.float64)
    box = crop(np.maximum(whole, 0), source.shape, source.end)
    affine = images[0].affine.copy()
    affine[:3, 3] += affine[:3, :3] @ [part.start for part in box]
    return head(name, source.group, whole[box], affine)


def group_of(name):
    """Return the group of one of `NAMES`."""
    return _SOURCES[name].group


def head(name, group, data, affine):
    """Make a Head of a crop: ndarray, shape (x, y, z), any unit."""
    data = np.maximum(data, 0)
    clean = (data / data.max()).astype(np.float32)
    region = clean > _FOREGROUND
    slope = ndimage.gaussian_gradient_magnitude(clean, 1.0)
    flat = region & (slope <= np.quantile(slope[region], 0.25))
    return Head(name, group, clean, affine, region, ~ndimage.binary_dilation(region, iterations=2), flat)


def crop(data, shape=SHAPE, end=False):
    """Return where the crop lies: tuple of three slices; `end` takes the head's last voxels along the first axis."""
    bright = ndimage.uniform_filter(data, 3) > 0.1 * np.percentile(data[data > 0], 95)
    parts = [slice(None)] * 3
    for axis in (2, 1):
        inside = np.flatnonzero(bright.any(axis=tuple(a for a in range(3) if a != axis)))
        parts[axis] = _part((inside[0] + inside[-1] + 1 - shape[axis]) // 2, shape[axis], data.shape[axis])
    # Of the slab that is shown, voxels of noise and ears left out.
    inside = np.flatnonzero(bright[tuple(parts)].mean(axis=(1, 2)) > 0.05)
    parts[0] = _part(inside[-1] + 1 + _AIR - shape[0] if end else inside[0] - _AIR, shape[0], data.shape[0])
    return tuple(parts)


def _part(start, length, side):
    start = int(np.clip(start, 0, max(0, side - length)))
    return slice(start, min(side, start + length))
