"""Repetitions of one scan, brought together: same grid, same place, same intensity, and noise of their own."""

import logging
import typing

import numpy as np

from keras_mri.errors import InputError
from keras_mri.masks import brain_mask
from keras_mri.nifti import as_volume, load_mask
from keras_mri.registration import estimate_rigid, remaining_motion, resample_rigid, similarity
from keras_mri.volumes import Volume, check_same_grid

_LOGGER = logging.getLogger(__name__)
# Two repetitions that differ by less than this share of their mean have no noise of their own: SNR above 1000 does not occur.
_COPY = 1e-3
# Voxels looked at for that.
_MOST_COMPARED = 100_000
# Correlation in the mask, after smoothing, below which two images do not show the same thing.
_LEAST_SIMILARITY = 0.5
# Voxels by which parts of the brain may still be displaced after a rigid correction.
_MOST_REMAINING = 0.5


class Repetitions(typing.NamedTuple):
    """Aligned and matched repetitions.

    Parameters
    ----------
    data : ndarray of float32, shape (repetitions, x, y, z, frames)
        In the unit of the first one.
    mask : ndarray of bool, shape (x, y, z)
    estimated : bool
        Whether the mask was estimated.
    reference : Volume
        Grid, header and shape of what comes out: (x, y, z) or (x, y, z, frames).
    """

    data: np.ndarray
    mask: np.ndarray
    estimated: bool
    reference: Volume

    @property
    def average(self):
        """The average of the repetitions: ndarray of float32, shape (x, y, z, frames)."""
        return self.data.mean(axis=0, dtype=np.float64).astype(np.float32)


def bring_together(images, options, match="mean"):
    """Load repetitions, check them, and mend motion and intensity between them.

    Parameters
    ----------
    images : sequence of str, path-like or Volume
        Two or more of one shape, or one 4D image whose volumes are the repetitions.
    options : object
        With the fields `mask`, `repetitions`, `align` and `align_above` of `keras_mri.settings.n2a`.
    match : {"mean", "mean and SD"}
        What is made equal inside the mask.

    Returns
    -------
    Repetitions

    Raises
    ------
    InputError
        If there are fewer than two repetitions, they are copies of one another, or no rigid motion relates them.
    GridMismatchError
        If they lie on different grids.
    """
    volumes = [as_volume(image) for image in images]
    names, data, reference = _gather(volumes, options.repetitions)
    if options.mask:
        mask = load_mask(options.mask, reference)
    else:
        mask = brain_mask(np.abs(data).mean(axis=(0, 4)), reference.zooms)
    data = _matched(data, names, mask, match)
    _check_noise(data, names, mask)
    if options.align:
        data = _matched(_aligned(data, names, mask, reference, options.align_above), names, mask, match)
    return Repetitions(data, mask, not options.mask, reference)


def _gather(volumes, mode):
    """Return the repetitions' names, their data (repetitions, x, y, z, frames), and a Volume shaped like the result."""
    first = volumes[0]
    if mode == "volumes" and len(volumes) > 1:
        raise InputError(f"--repetitions volumes takes one 4D image. Received: {len(volumes)} images. Name one, or merge them.")
    if len(volumes) == 1 and mode != "images":
        if first.n_frames < 2:
            raise InputError(
                f"Noise2Average needs two or more repetitions of a scan. Received: one, {first.name} of shape {first.shape}. "
                "To denoise a single image, train wgan."
            )
        names = [f"{first.name}, volume {t}" for t in range(first.n_frames)]
        data = np.stack([frame[..., None] for frame in first.frames()])
        return names, data, Volume(first.frame, first.shape[:3], first.affine, first.header, first.name)
    if len(volumes) == 1:
        raise InputError(f"Noise2Average needs two or more repetitions of a scan. Received: one image, {first.name}.")
    for other in volumes[1:]:
        check_same_grid(first, other, "the repetitions must lie on one grid")
        if other.n_frames != first.n_frames:
            raise InputError(
                f"repetitions must have as many frames as one another. Received: {first.name} with {first.n_frames}, "
                f"{other.name} with {other.n_frames}."
            )
    data = np.stack([np.stack(list(volume.frames()), axis=-1) for volume in volumes])
    return [volume.name for volume in volumes], data, first


def _matched(data, names, mask, match):
    """Bring every repetition to the first one's mean (and SD) inside the mask."""
    means, spreads = data[:, mask].mean(axis=(1, 2), dtype=np.float64), data[:, mask].std(axis=(1, 2), dtype=np.float64)
    for name, mean in zip(names, means):
        if not mean > 0:
            raise InputError(f"{name} has a mean of {mean:.3g} inside the mask. Expected magnitude data, brighter than 0 in the brain.")
    factors = spreads[0] / np.maximum(spreads, 1e-12) if match == "mean and SD" else means[0] / means
    for name, mean in zip(names[1:], means[1:]):
        if abs(mean / means[0] - 1) > 0.01:
            _LOGGER.info(
                "%s is %.1f %% %s than the first; matched",
                name,
                100 * abs(mean / means[0] - 1),
                "brighter" if mean > means[0] else "darker",
            )
    shape = (-1, 1, 1, 1, 1)
    return ((data - means.reshape(shape)) * factors.reshape(shape) + means[0]).astype(np.float32)


def _check_noise(data, names, mask):
    inside = data[:, mask].reshape(len(data), -1)
    inside = inside[:, :: max(1, inside.shape[1] // _MOST_COMPARED)].astype(np.float64)
    centred = inside - inside.mean(axis=1, keepdims=True)
    # var(a − b) = var a + var b − 2 cov(a, b), for all pairs at once.
    covariance = centred @ centred.T / centred.shape[1]
    variance = np.diag(covariance)
    differences = np.sqrt(np.maximum(variance[:, None] + variance - 2 * covariance, 0))
    for first, second in np.argwhere(np.triu(differences < _COPY * inside.mean(), k=1)):
        raise InputError(
            f"{names[second]} is a copy of {names[first]}: they differ by {differences[first, second]:.2g}, so there is no independent "
            "noise to tell from the anatomy. Give repetitions that were measured one after the other."
        )


def _aligned(data, names, mask, reference, threshold):
    aligned = data.copy()
    smallest = min(reference.zooms)
    for number in range(1, len(data)):
        for t in range(data.shape[4]):
            name = names[number] + (f", frame {t}" if data.shape[4] > 1 else "")
            fixed, moving = data[0, ..., t], data[number, ..., t]
            transform = estimate_rigid(fixed, moving, mask, reference.affine)
            distance = transform.displacement(mask, reference.affine) / smallest
            mend = distance > threshold
            if mend:
                aligned[number, ..., t] = resample_rigid(moving, transform, reference.affine)
            _LOGGER.info(
                "%s against the first: %s, up to %.2f voxels: %s",
                name,
                transform.describe(),
                distance,
                "corrected" if mend else "left alone",
            )
            _check_alignment(fixed, aligned[number, ..., t], mask, reference, name)
    return aligned


def _check_alignment(fixed, moving, mask, reference, name):
    alike = similarity(fixed, moving, mask)
    if alike < _LEAST_SIMILARITY:
        raise InputError(
            f"{name} does not show what the first repetition shows, even after a rigid correction: their correlation in the mask is "
            f"{alike:.2f}. Expected repetitions of one scan; register them first, or use --no-align if they are right as they are."
        )
    remaining = remaining_motion(fixed, moving, mask, reference.affine) / min(reference.zooms)
    if remaining > _MOST_REMAINING:
        _LOGGER.warning(
            "%s: parts of the brain are still displaced by %.1f voxels, which no rigid motion can mend; the result will be blurred there. "
            "Register it non-linearly, or leave it out.",
            name,
            remaining,
        )
