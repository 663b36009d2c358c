"""What a scan lacks: a mask that the user names, or damage that is found in a run."""

import numpy as np

from keras_mri.errors import InputError, remark
from keras_mri.imaging.run_repair.damage import find_damage
from keras_mri.imaging.run_repair.slice_changes import LEAST_FRAMES
from keras_mri.io.grids import check_same_grid
from keras_mri.io.nifti_reading import ConstantImageError, open_image

# The word that stands for a search instead of a mask.
AUTO = "auto"
# Sentences on damaged frames.
_MOST_SENTENCES = 12


def missing_voxels(named, volume):
    """Return what each frame lacks.

    Parameters
    ----------
    named : str, path-like, nibabel image or Volume
        A mask, not 0 where voxels are missing; or "auto".
    volume : Volume

    Returns
    -------
    missing_at : callable
        From the number of a frame to an ndarray of bool, shape (x, y, z).
    facts : dict
        For a side-car: what was found.

    Raises
    ------
    InputError
        If the mask has another shape, lies elsewhere, or leaves nothing; if nothing is damaged, or the run is too short for a search.
    """
    if isinstance(named, str) and named == AUTO:
        return _found(volume)
    missing = _mask(named, volume)
    return (missing.__getitem__ if len(missing) > 1 else lambda t: missing[0]), {}


def _found(volume):
    if volume.n_frames < LEAST_FRAMES:
        raise InputError(
            f"`missing` auto compares each frame with those around and needs a run of {LEAST_FRAMES} frames or more. "
            f"Received: {volume.name}, shape {volume.shape}. Name a mask instead."
        )
    damage = find_damage(volume, _slice_axis(volume))
    if not damage.slices:
        raise InputError(
            f"nothing damaged was found in {volume.name}: no slice and no frame stands out from those around. "
            "Nothing was written. To fill voxels all the same, name a mask of them as `missing`."
        )
    if all(damage.missing(t).all() for t in range(volume.n_frames)):
        raise InputError(f"all frames of {volume.name} look damaged. There is nothing to start from.")
    sentences = damage.sentences()
    if len(sentences) > _MOST_SENTENCES:
        sentences = [*sentences[: _MOST_SENTENCES - 1], f"and {len(sentences) - _MOST_SENTENCES + 1} more frames with damaged slices"]
    for sentence in sentences:
        remark(volume.name, f"damaged, and filled in: {sentence}")
    return damage.missing, damage.facts()


def _slice_axis(volume):
    """Return the axis along which slices are stacked: what the header says, or the last."""
    stated = volume.header.get_dim_info()[2] if volume.header is not None else None
    return 2 if stated is None else int(stated)


def _mask(named, volume):
    """Return the missing voxels of all frames, or of one that stands for all: ndarray of bool, shape (frames, x, y, z)."""
    try:
        mask = open_image(named)
    except ConstantImageError as error:
        raise InputError(f"{named} must be 0 where voxels are known and another number where they are missing; all are alike.") from error
    if mask.shape not in (volume.shape, volume.shape[:3]):
        shapes = f"{volume.shape}" + (f" or {volume.shape[:3]}" if len(volume.shape) == 4 else "")
        raise InputError(f"{mask.name} must have the image's shape, {shapes}, not 0 where voxels are missing. Received: {mask.shape}.")
    check_same_grid(volume, mask, "the mask of missing voxels must lie on the grid of the image")
    missing = np.stack([frame != 0 for frame in mask.frames()])
    if missing.all():
        raise InputError(f"{mask.name} marks every voxel as missing. There is nothing to start from.")
    return missing
