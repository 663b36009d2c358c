"""Whether a scan is like those a network was trained on: kind of scan, what it shows, voxel size, contrast and noise."""

import functools
import math

import numpy as np

from keras_mri.imaging.foreground import otsu_foreground
from keras_mri.imaging.intensity import POLICIES, fit_image_scaling, some_of
from keras_mri.imaging.noise import estimate_sigma
from keras_mri.imaging.recognition.heads import why_no_head
from keras_mri.inference.extremes import as_seen
from keras_mri.io.bids.names import kind_of

# A tenth more or less is still the same: estimates of noise err by as much.
_TOLERANCE = 0.1
# Successive frames of a run from which its noise is estimated.
_FRAMES = 10
# What a training's scans show, in its record; and how many times darker or brighter than all of them tissue is far outside.
_HEADS, _FAR = "heads", 1.5


def trained_zooms(training):
    """Return the voxel sides a network was trained on.

    Parameters
    ----------
    training : dict
        The file's record of its training data.

    Returns
    -------
    ndarray of float64, shape (scans, 3)
        mm, each row from the smallest side to the largest; empty if the file has no record.
    """
    return np.sort(_numbers(training.get("zooms"), (-1, 3)), axis=1)


def trained_sigma(training):
    """Return the lowest and the highest noise SD of a training, in network units; None if the file has no record."""
    sigma = _numbers(training.get("sigma"), (2,))
    return (float(sigma[0]), float(sigma[1])) if len(sigma) else None


def trained_contrast(training):
    """Return the lowest and the highest `contrast_of` in a training; None if the file has no record."""
    contrast = _numbers(training.get("contrast"), (2,))
    return (float(contrast[0]), float(contrast[1])) if len(contrast) else None


def facts_of_heads(volumes):
    """Return what to record of a training on heads, so that a scan without one, or of another contrast, is told.

    Parameters
    ----------
    volumes : iterable of Volume
        Scans of the training, or draws of it; each is looked at once.

    Returns
    -------
    dict
        `shows` and `contrast`: a part of the file's record of its training data, for JSON.
    """
    contrasts = [contrast_of(volume) for volume in volumes]
    return {"shows": _HEADS, "contrast": [round(min(contrasts), 4), round(max(contrasts), 4)]}


def contrast_of(volume):
    """Return how bright tissue is in the middle, as a share of its robust maximum, which is 1 in network units.

    Parameters
    ----------
    volume : Volume
        3D or 4D, any unit; of a run one frame is looked at.

    Returns
    -------
    float
        Median of what is brighter than air: 0.2 to 0.7 in scans of heads; 0 where all voxels are equal.
    """
    return _contrast_seen(as_seen(volume).volume)


def modalities_in(training):
    """Return the kinds of scans a network was trained on.

    Parameters
    ----------
    training : dict
        The file's record of its training data.

    Returns
    -------
    list of str
        Suffixes of BIDS, the most frequent first; empty if the file has no record.
    """
    recorded = training.get("modalities")
    return [name for name in recorded if isinstance(name, str) and name.isalnum()] if isinstance(recorded, list) else []


def differences_from_training(volume, training, config, averaged=1):
    """List the differences between a scan and those of the training.

    Parameters
    ----------
    volume : Volume
    training : dict
        The record in the network's file: `modalities`, `shows`, `zooms`, `contrast` and `sigma`.
    config : dict
        The settings of the training; only those of the intensity scale are used.
    averaged : int
        Number of repetitions, if this is one of them and the network restores their average.

    Returns
    -------
    list of str
        One sentence for each difference, without a full stop; empty if there is none, or the file has no record.
    """
    # Looked at once, and only if a record asks for it.
    seen = functools.cache(lambda: as_seen(volume).volume)
    remarks = (
        _modality_remark(volume, training),
        _head_remark(seen, training),
        _zooms_remark(volume, training, config),
        _contrast_remark(seen, training),
        _sigma_remark(seen, training, config, averaged),
    )
    return [remark for remark in remarks if remark]


def _modality_remark(volume, training):
    trained, kind = modalities_in(training), kind_of(volume.name)
    if not trained or kind is None or kind in trained:
        return None
    return f"is a {kind} image by its name; the network was trained on {', '.join(trained)}, and is applied all the same"


def _head_remark(seen, training):
    why = why_no_head(_telling_frame(seen()), seen().affine) if training.get("shows") == _HEADS else None
    return why and f"shows no head, as far as can be seen: {why}; the network was trained on heads, and is applied all the same"


def _contrast_remark(seen, training):
    trained = trained_contrast(training)
    if trained is None:
        return None
    here = _contrast_seen(seen())
    if trained[0] / _FAR <= here <= trained[1] * _FAR:
        return None
    return (
        f"its contrast is unlike that of the training: tissue has {here:.2g} of the highest intensity in the middle, "
        f"{range_of(trained)} there; the network is applied all the same"
    )


def _contrast_seen(seen):
    """Return `contrast_of` a scan that is as networks see it."""
    frame, scaling = _telling_frame(seen), fit_image_scaling(seen)
    if frame.min() == frame.max():
        return 0.0
    values = some_of(frame)
    return float(np.median(scaling.apply(values[otsu_foreground(values)])))


def _telling_frame(seen):
    """Return a frame from the middle of a run; the first that is not blank, if that one is."""
    middle = seen.frame(seen.n_frames // 2)
    return middle if middle.min() < middle.max() else next((frame for frame in seen.frames() if frame.any()), middle)


def _zooms_remark(volume, training, config):
    zooms = trained_zooms(training)
    # A system that works on one grid checks the grid of a scan itself; a network of thick slices was trained on what it makes of them.
    if not len(zooms) or "grid" in training or config.get("slices"):
        return None
    here, low, high = np.sort(volume.zooms), zooms.min(axis=0), zooms.max(axis=0)
    # Sides are compared by size: which axis is which differs from scan to scan.
    if (here >= low * (1 - _TOLERANCE)).all() and (here <= high * (1 + _TOLERANCE)).all():
        return None
    return f"its voxels are {_sides(here)} mm; the network was trained on {range_of_sides(zooms)} mm, and is applied all the same"


def _sigma_remark(seen, training, config, averaged):
    trained, policy = trained_sigma(training), config.get("percentiles") or config.get("scaling")
    if trained is None or policy is None or (isinstance(policy, str) and policy not in POLICIES):
        return None
    volume = seen()
    frames = np.stack([volume.frame(t) for t in range(min(_FRAMES, volume.n_frames))], axis=-1)
    # Averaging n repetitions divides the SD of their noise by the root of n.
    sigma = estimate_sigma(frames) / fit_image_scaling(volume, policy).scale / math.sqrt(averaged)
    if sigma == 0 or trained[0] * (1 - _TOLERANCE) <= sigma <= trained[1] * (1 + _TOLERANCE):
        return None
    consequence = "some of it will stay" if sigma > trained[1] else "it will be smoothed more than it needs"
    trained_on = f"the network was trained on {range_of(trained)}"
    return f"its noise has an estimated SD of {sigma:.3g} of the intensity range; {trained_on}: {consequence}"


def range_of(limits):
    """Write two numbers, the lower one first, as a range: "0 to 0.2", or "0.1" where they are equal."""
    return f"{limits[0]:.3g}" if limits[0] == limits[1] else f"{limits[0]:.3g} to {limits[1]:.3g}"


def range_of_sides(zooms):
    """Write voxel sides, shape (scans, 3), as a range: "1 × 1 × 1 to 2 × 2 × 2.2"."""
    low, high = _sides(zooms.min(axis=0)), _sides(zooms.max(axis=0))
    return low if low == high else f"{low} to {high}"


def _sides(zooms):
    return " × ".join(f"{side:.3g}" for side in zooms)


def _numbers(values, shape):
    """Return a value of the file as an array of this shape; an empty one if it is missing or something else."""
    empty = np.empty((0, *shape[1:]))
    try:
        array = np.array(values if values is not None else [], np.float64)
    except (TypeError, ValueError):
        return empty
    fits = array.ndim == len(shape) and all(wanted in (-1, side) for wanted, side in zip(shape, array.shape))
    return array if fits and array.size and np.isfinite(array).all() else empty
