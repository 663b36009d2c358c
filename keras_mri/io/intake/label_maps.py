"""Tell label maps, masks and fields of vectors from scans: a network for intensities would make labels that do not exist."""

import numpy as np

from keras_mri.errors import InputError

# NIfTI's codes of intent: 1002 names labels, these name vectors where there are as many numbers as a vector has.
_LABELS = 1002
_VECTORS = {1004, 1005, 1006, 1007, 1010}
_LONGEST_VECTOR = 3
# Different values; parcellations have a few hundred, scans of 8 bits up to 256.
_MOST_LABELS = 1100
# Share of neighbouring voxels that are equal, in the planes where it is lowest. Of real scans it is 0.1 with 256 grey levels, at most 0.37
# with 21; of maps of 50 structures 0.8 with 1 mm voxels, at least 0.47 with 3 mm. By planes: doubled voxels are equal in every second one.
_LEAST_EQUAL = 0.45
_LOWEST = 10  # percent of the planes


def check_scan(volume):
    """Raise InputError if an image holds labels, a mask or vectors instead of intensities.

    Parameters
    ----------
    volume : Volume
        One without a header, from an array, passes: nothing says where it came from.

    Raises
    ------
    InputError
    """
    if volume.header is None:
        return
    intent = int(volume.header["intent_code"])
    way_on = "Name the scan instead; masks and labels go to options such as `mask`."
    if intent == _LABELS:
        raise InputError(
            f"{volume.name} is a label map: the intent code of its header is {_LABELS}. A network would make labels that do not exist. "
            f"{way_on} If it is a scan, set its intent code to 0."
        )
    if intent in _VECTORS and len(volume.header.get_data_shape()) > 4 and volume.n_frames <= _LONGEST_VECTOR:
        raise InputError(
            f"{volume.name} holds a field of vectors: the intent code of its header is {intent}. Expected intensities. Name a scan instead."
        )
    count = count_of_labels(volume.frame(0))
    if count:
        kind = "a mask: it has two values" if count == 2 else f"a label map: it has {count} values, in regions of one value each"
        raise InputError(
            f"{volume.name} looks like {kind}. A network would make values that mean nothing. {way_on} If it is a scan, for example "
            "a phantom without noise, use it in Python as Volume.from_array(data, affine), which takes any values."
        )


def count_of_labels(data):
    """Return how many labels an image has if it looks like a label map or a mask, otherwise 0.

    Parameters
    ----------
    data : ndarray of float32, shape (x, y, z)

    Returns
    -------
    int
    """
    # Most scans show in three slices that they have more values than a label map.
    slices = [np.take(data, data.shape[axis] // 2, axis).ravel() for axis in range(3)]
    if len(np.unique(np.concatenate(slices))) > _MOST_LABELS:
        return 0
    values, counts = np.unique(data, return_counts=True)
    if not 2 <= len(values) <= _MOST_LABELS:
        return 0
    return len(values) if len(values) == 2 or _equal_neighbours(data, values[counts.argmax()]) >= _LEAST_EQUAL else 0


def _equal_neighbours(data, background):
    """Return the share of neighbours outside the background that have one value, in the planes where it is lowest: float."""
    equal, all_pairs = [], []
    for axis in range(3):
        planes = np.moveaxis(data, axis, 0)
        first, second = planes[:-1], planes[1:]
        inside = (first != background) & (second != background)
        equal += list((inside & (first == second)).sum(axis=(1, 2)))
        all_pairs += list(inside.sum(axis=(1, 2)))
    equal, all_pairs = np.array(equal), np.array(all_pairs)
    # Planes at the edge of the head hold too few voxels to tell.
    telling = all_pairs >= max(1, all_pairs.max(initial=0) / 5)
    return float(np.percentile(equal[telling] / all_pairs[telling], _LOWEST)) if telling.any() else 0.0
