"""The thin scans of persons that took no part, and how they are made thick: distances of slices along the axis from foot to head."""

import dataclasses

import numpy as np

from experiments.data import FOLDER
from keras_mri.imaging.acquisition.slice_profiles import profile_matrix
from keras_mri.imaging.brain_mask import scan_mask
from keras_mri.imaging.kspace import finer_affine, resampled
from keras_mri.io.grids import bounding_box
from keras_mri.io.mask_files import load_mask
from keras_mri.io.nifti_reading import open_image
from keras_mri.io.volumes import Volume

# Scan, and its mask: a file, None for a scan of the brain alone, "estimated".
TESTED = {
    ("adi-t1t2", "T1w"): ("adi-t1t2/T1w_defaced.nii.gz", "adi-t1t2/T1w_brainmask.nii.gz"),
    ("philips-3t", "T1w"): ("philips-3t/T1w_defaced.nii.gz", "philips-3t/T1w_brainmask.nii.gz"),
    ("clinical 5", "T1w"): ("clinical/head05_t1w.nii.gz", None),
    ("clinical 2", "T2w"): ("clinical/head02_t2w.nii.gz", None),
    ("clinical 3", "T2w"): ("clinical/head03_t2w.nii.gz", "estimated"),
}
# Those that choose between tries.
CHOOSING = {
    ("clinical 1", "T1w"): ("clinical/head01_t1w.nii.gz", None),
    ("clinical 4", "FLAIR"): ("clinical/head04_flair.nii.gz", "estimated"),
}
# Voxels around the brain that stay: the rest of the head takes time and is not scored.
_MARGIN = 10


@dataclasses.dataclass(frozen=True)
class Thick:
    """A thin scan and what thick slices of it would be.

    Attributes
    ----------
    truth : ndarray of float32, shape (x, y, z)
    mask : ndarray of bool, same shape
    slices : Volume
        Fewer along one axis, or along all three.
    voxel : float
        Side of the voxels of the truth along the axis of the slices, mm.
    matrices : dict of int to ndarray of float64, shape (slices, voxels)
        How each axis was measured.
    """

    truth: np.ndarray
    mask: np.ndarray
    slices: Volume
    voxel: float
    matrices: dict


def opened(scan, mask):
    """Return a scan and its brain mask, cut to the brain and a margin: Volume, ndarray of bool."""
    image = open_image(FOLDER / scan)
    data = image.frame(0)
    if mask == "estimated":
        inside = scan_mask(data, image.zooms)
    else:
        inside = data > 0 if mask is None else load_mask(FOLDER / mask, image)
    box = tuple(slice(max(0, part.start - _MARGIN), part.stop + _MARGIN) for part in bounding_box(inside))
    affine = image.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ [part.start for part in box]
    return Volume.from_array(data[box], affine, name=scan), inside[box]


def axial_axis(affine):
    """Return the voxel axis that runs most nearly from foot to head."""
    return int(np.argmax(np.abs(affine[2, :3]) / np.linalg.norm(affine[:3, :3], axis=0)))


def thick(image, mask, spacing, profile):
    """Make the slices of a scan thick: as far apart as thick.

    Parameters
    ----------
    image : Volume
    mask : ndarray of bool, shape (x, y, z)
    spacing : float
        mm, up to rounding to the voxels of the scan.
    profile : {"box", "gaussian", "kspace"}
        "kspace" makes all three axes coarse.

    Returns
    -------
    Thick
    """
    coarse = range(3) if profile == "kspace" else [axial_axis(image.affine)]
    counts = {axis: int(image.shape[axis] * image.zooms[axis] / spacing) for axis in coarse}
    # Fine voxels that so many slices cover.
    part = tuple(slice(round(counts[a] * spacing / image.zooms[a])) if a in counts else slice(None) for a in range(3))
    truth, factors, matrices, slices = image.frame(0)[part], [1.0] * 3, {}, image.frame(0)[part]
    for axis, count in counts.items():
        side = truth.shape[axis]
        factors[axis] = count / side
        length = image.zooms[axis] * side / count
        matrices[axis] = profile_matrix(side, count, image.zooms[axis], length, length, profile)
        slices = np.moveaxis(np.moveaxis(slices, axis, -1) @ matrices[axis].T.astype(np.float32), -1, axis)
    if profile == "kspace":
        slices = resampled(truth, slices.shape)
    volume = Volume.from_array(np.abs(slices), finer_affine(image.affine, factors), name=f"{image.name}, {spacing} mm")
    return Thick(truth, mask[part], volume, float(np.mean([image.zooms[axis] for axis in counts])), matrices)
