"""Read a mask, for example one drawn by hand, and check that it lies on the grid of its volume."""

import numpy as np

from keras_mri.errors import InputError
from keras_mri.io.grids import check_same_grid
from keras_mri.io.nifti_reading import ConstantImageError, name_of, open_image


def load_mask(mask, volume):
    """Load a mask that lies on the grid of `volume`.

    Parameters
    ----------
    mask : str, path-like, nibabel image or Volume
        3D; 0 outside, one other value inside.
    volume : Volume

    Returns
    -------
    ndarray of bool, shape (x, y, z)

    Raises
    ------
    InputError
        If the mask is empty, not binary, or not 3D.
    GridMismatchError
        If it lies on another grid.
    """
    name = name_of(mask)
    try:
        mask = open_image(mask)
    except ConstantImageError as error:
        raise InputError(f"the mask {name} is empty, or full: all its voxels have one value. Expected 0 outside and 1 inside.") from error
    if mask.n_frames > 1:
        raise InputError(f"the mask {mask.name} must be 3D. Received: shape {mask.shape}.")
    check_same_grid(volume, mask, "the mask must lie on the grid of the image")
    data = mask.frame(0)
    values = np.unique(data)
    if len(values) != 2 or values[0] != 0:
        shown = ", ".join(f"{value:g}" for value in values[:5]) + ", …" * (len(values) > 5)
        raise InputError(f"the mask {mask.name} must be binary: 0 outside, one other value inside. Received the values {shown}.")
    return data != 0
