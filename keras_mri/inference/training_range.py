"""Whether a scan is like those a network was trained on: kind of scan, voxel size and noise."""

import math

import numpy as np

from keras_mri.imaging.intensity import POLICIES, fit_image_scaling
from keras_mri.imaging.noise import estimate_sigma
from keras_mri.inference.extremes import as_seen
from keras_mri.io.bids.names import kind_of

# A tenth more or less is still the same: estimates of noise err by as much.
_TOLERANCE = 0.1
# Successive frames of a run from which its noise is estimated.
_FRAMES = 10


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
        The record in the network's file: `zooms` and `sigma`.
    config : dict
        The settings of the training; only those of the intensity scale are used.
    averaged : int
        Number of repetitions, if this is one of them and the network restores their average.

    Returns
    -------
    list of str
        One sentence for each difference, without a full stop; empty if there is none, or the file has no record.
    """
    zooms = _zooms_remark(volume, training, config)
    remarks = (_modality_remark(volume, training), zooms, _sigma_remark(volume, training, config, averaged))
    return [remark for remark in remarks if remark]


def _modality_remark(volume, training):
    trained, kind = modalities_in(training), kind_of(volume.name)
    if not trained or kind is None or kind in trained:
        return None
    return f"is a {kind} image by its name; the network was trained on {', '.join(trained)}, and is applied all the same"


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


def _sigma_remark(volume, training, config, averaged):
    trained, policy = trained_sigma(training), config.get("percentiles") or config.get("scaling")
    if trained is None or policy is None or (isinstance(policy, str) and policy not in POLICIES):
        return None
    volume = as_seen(volume).volume
    frames = np.stack([volume.frame(t) for t in range(min(_FRAMES, volume.n_frames))], axis=-1)
    # Averaging n repetitions divides the SD of their noise by the root of n.
    sigma = estimate_sigma(frames) / fit_image_scaling(volume, policy).scale / math.sqrt(averaged)
    if sigma == 0 or trained[0] * (1 - _TOLERANCE) <= sigma <= trained[1] * (1 + _TOLERANCE):
        return None
    consequence = "some of it will stay" if sigma > trained[1] else "it will be smoothed more than it needs"
    trained_on = f"{trained[0]:.3g}" if trained[0] == trained[1] else f"{trained[0]:.3g} to {trained[1]:.3g}"
    return f"its noise has an estimated SD of {sigma:.3g} of the intensity range; the network was trained on {trained_on}: {consequence}"


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
