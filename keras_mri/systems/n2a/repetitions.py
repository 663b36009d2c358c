"""Repetitions of one scan, aligned and matched: same grid, position and intensity, independent noise."""

import dataclasses
import logging

import numpy as np

from keras_mri.errors import InputError, remark
from keras_mri.imaging.brain_mask import brain_mask
from keras_mri.imaging.intensity import fit_scaling
from keras_mri.imaging.registration import estimate_rigid, remaining_motion, similarity
from keras_mri.imaging.rigid import in_view, resample_rigid
from keras_mri.inference.extremes import as_seen
from keras_mri.io.grids import check_same_grid
from keras_mri.io.mask_files import load_mask
from keras_mri.io.nifti_reading import open_image
from keras_mri.io.volumes import Volume
from keras_mri.systems.n2a.gradients import check_frames_repeat, check_volumes_repeat, remark_on_rotation

_LOGGER = logging.getLogger(__name__)
# Two repetitions that differ by less than this share of their mean have no noise of their own: SNR above 1000 does not occur.
_COPY = 1e-3
# Voxels looked at for that.
_MOST_COMPARED = 100_000
# Differences of mean intensity above this share are reported.
_REPORTED_GAIN = 0.01
# Correlation in the mask, after smoothing, below which two images do not show the same thing.
_LEAST_SIMILARITY = 0.5
# Voxels by which parts of the brain may still be displaced after a rigid correction.
_MOST_REMAINING = 0.5


@dataclasses.dataclass(frozen=True, eq=False)
class Repetitions:
    """Aligned and matched repetitions.

    Parameters
    ----------
    data : ndarray of float32, shape (repetitions, x, y, z, frames)
        In the unit of the first one, without what networks do not see.
    mask : ndarray of bool, shape (x, y, z)
    estimated : bool
        Whether the mask was estimated.
    magnitude : bool
        Whether nothing was measured below 0.
    reference : Volume
        Grid, header and shape of what comes out: (x, y, z) or (x, y, z, frames).
    unseen : sequence of (ndarray of bool, shape (x, y, z), ndarray of float, shape (voxels,))
        For each frame, where a repetition is extreme or all are exactly 0, and the average there as measured.
    pedestal : float
        Of the first repetition.
    """

    data: np.ndarray
    mask: np.ndarray
    estimated: bool
    magnitude: bool
    reference: Volume
    unseen: tuple = ()
    pedestal: float = 0.0

    @property
    def average(self):
        """The average of the repetitions: ndarray of float32, shape (x, y, z, frames)."""
        return self.data.mean(axis=0, dtype=np.float64).astype(np.float32)

    @property
    def noise(self):
        """SD of the noise of one repetition inside the mask, as a share of the average's robust maximum: float."""
        inside = self.data[:, self.mask]
        # Unbiased over the repetitions: differences between them are noise, and what the alignment left.
        return float(np.sqrt(inside.var(axis=0, ddof=1, dtype=np.float64).mean()) / fit_scaling(self.average).scale)

    def put_back(self, frame, image):
        """Return a frame of the result, shape (x, y, z), with the pedestal and with what networks have not seen as it was measured."""
        result = image + self.pedestal if self.pedestal else image.copy()
        if self.unseen:
            where, values = self.unseen[frame]
            result[where] = values
        return result


def align_repetitions(images, align_above, mask=None, repetitions=None, match="mean"):
    """Load repetitions, check them, and correct motion and intensity differences between them.

    Parameters
    ----------
    images : sequence of str, path-like or Volume
        Two or more of one shape, or one 4D image whose volumes are the repetitions.
    align_above : float or None
        Motion that displaces no voxel of the mask by more than this is left alone, voxels; None corrects none.
    mask : str, path-like or Volume, optional
        Where the brain is; estimated by default.
    repetitions : {"images", "volumes"}, optional
        What repeats: the images, frame by frame, or the volumes of one 4D image; by default the volumes if there is one image.
    match : {"mean", "mean and SD"}
        What is made equal to the first repetition inside the mask.

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
    volumes = [open_image(image) for image in images]
    seen = [as_seen(volume) for volume in volumes]
    names, data, reference = _gather([one.volume for one in seen], repetitions)
    unseen = _unseen(seen, data.shape[0], data.shape[4])
    estimated = mask is None
    brain = brain_mask(np.abs(data).mean(axis=(0, 4)), reference.zooms) if estimated else load_mask(mask, reference)
    magnitude = bool(data.min() >= 0)
    data = _matched(data, names, brain, match)
    _check_noise(data, names, brain)
    if align_above is not None:
        data, in_all, turned = _aligned(data, names, brain, reference, align_above, magnitude)
        data = _matched(data, names, brain & in_all, match)
        # Where another scan ends there is nothing to average.
        data[1:, ~in_all] = data[0, ~in_all]
        _check_noise(data, names, brain)
        if len(volumes) > 1:
            for volume, degrees in zip(volumes, turned, strict=True):
                remark_on_rotation(volume, volumes[0], degrees)
    return Repetitions(data, brain, estimated, magnitude, reference, unseen, seen[0].pedestal)


def _gather(volumes, mode):
    """Return the repetitions' names, their data (repetitions, x, y, z, frames), and a Volume shaped like the result."""
    first = volumes[0]
    if mode == "volumes" and len(volumes) > 1:
        raise InputError(f"`repetitions` volumes takes one 4D image. Received: {len(volumes)} images. Name one, or merge them.")
    if len(volumes) == 1 and mode != "images":
        if first.n_frames < 2:
            raise InputError(
                f"Noise2Average needs two or more repetitions of a scan. Received: one, {first.name} of shape {first.shape}. "
                "For one T1w volume: python -m keras_mri.predict t1w. For one volume of another contrast, train wgan on it."
            )
        check_volumes_repeat(first)
        names = [f"{first.name}, volume {t}" for t in range(first.n_frames)]
        data = np.stack([frame[..., None] for frame in first.frames()])
        return names, data, Volume(first.frame, first.shape[:3], first.affine, first.header, first.name)
    if len(volumes) == 1:
        raise InputError(
            f"Noise2Average needs two or more repetitions of a scan. Received: one image, {first.name}, with `repetitions` images. "
            "Name the others too; or leave `repetitions` out, if the volumes of this image are the repetitions."
        )
    for other in volumes[1:]:
        check_same_grid(first, other, "the repetitions must lie on one grid")
        if other.n_frames != first.n_frames:
            raise InputError(
                f"repetitions must have as many frames as one another. Received: {first.name} with {first.n_frames}, "
                f"{other.name} with {other.n_frames}."
            )
        check_frames_repeat(first, other)
    data = np.stack([np.stack(list(volume.frames()), axis=-1) for volume in volumes])
    return [volume.name for volume in volumes], data, first


def _unseen(seen, repetitions, frames):
    """Return, for each frame, where a repetition is extreme or all are exactly 0, and their average there."""
    result = []
    for frame in range(frames):
        members = [(one, frame) for one in seen] if len(seen) > 1 else [(seen[0], number) for number in range(repetitions)]
        measured = np.stack([one.measured.frame(t) for one, t in members])
        where = (measured == 0).all(axis=0)
        for one, t in members:
            where |= one.extreme(t)
        result.append((where, measured[:, where].mean(axis=0, dtype=np.float64).astype(measured.dtype)))
    return tuple(result)


def _matched(data, names, mask, match):
    """Bring every frame of every repetition to the first one's mean (and SD) inside the mask."""
    inside = data[:, mask]
    means, spreads = inside.mean(axis=1, dtype=np.float64), inside.std(axis=1, dtype=np.float64)
    for number, frame in np.argwhere(~(means > 0)):
        raise InputError(
            f"{names[number]}{_frame(frame, data)} has a mean of {means[number, frame]:.3g} inside the mask. "
            "Expected magnitude data, brighter than 0 in the brain."
        )
    for number, frame in np.argwhere(np.abs(means / means[0] - 1) > _REPORTED_GAIN):
        gain = means[number, frame] / means[0, frame] - 1
        word = "brighter" if gain > 0 else "darker"
        _LOGGER.info("%s%s is %.1f %% %s than the first; matched", names[number], _frame(frame, data), 100 * abs(gain), word)
    if match == "mean":
        factors, offsets = means[0] / means, np.zeros_like(means)
    else:
        factors = spreads[0] / np.maximum(spreads, 1e-12)
        offsets = means[0] - means * factors
    factors, offsets = (values.astype(np.float32)[:, None, None, None] for values in (factors, offsets))
    return data * factors + offsets


def _frame(number, data):
    """Name a frame where there are several."""
    return f", frame {number}," if data.shape[4] > 1 else ""


def _check_noise(data, names, mask):
    """Raise if a frame of one repetition is that of another, but for gain and offset."""
    for frame in range(data.shape[4]):
        inside = data[..., frame][:, mask]
        inside = inside[:, :: max(1, inside.shape[1] // _MOST_COMPARED)].astype(np.float64)
        spread = inside.std(axis=1, keepdims=True)
        standard = (inside - inside.mean(axis=1, keepdims=True)) / np.maximum(spread, 1e-12)
        # SD of the difference once gain and offset are matched: var(a − b) = 2 (1 − correlation) for unit variances.
        correlation = standard @ standard.T / standard.shape[1]
        differences = spread * np.sqrt(np.maximum(2 * (1 - correlation), 0))
        for first, second in np.argwhere(np.triu(differences < _COPY * inside.mean(), k=1)):
            raise InputError(
                f"{names[second]}{_frame(frame, data)} is a copy of {names[first]}: they differ by {differences[first, second]:.2g}, so "
                "there is no independent noise to tell from the anatomy. Give repetitions that were measured one after the other."
            )


def _aligned(data, names, mask, reference, threshold, magnitude):
    """Return the data in the first repetition's place, which voxels all hold, and by how many degrees each was turned at most."""
    aligned, seen, turned = data.copy(), np.ones(mask.shape, bool), np.zeros(len(data))
    smallest = min(reference.zooms)
    for number in range(1, len(data)):
        for frame in range(data.shape[4]):
            name = names[number] + _frame(frame, data).rstrip(",")
            fixed, moving = data[0, ..., frame], data[number, ..., frame]
            transform = estimate_rigid(fixed, moving, mask, reference.affine)
            distance = transform.displacement(mask, reference.affine) / smallest
            if distance > threshold:
                moved = resample_rigid(moving, transform, reference.affine)
                # Splines overshoot.
                aligned[number, ..., frame] = np.maximum(moved, 0) if magnitude else moved
                seen &= in_view(transform, mask.shape, reference.affine)
                turned[number] = max(turned[number], transform.angle())
            done = "corrected" if distance > threshold else "left alone"
            _LOGGER.info("%s against the first: %s, up to %.2f voxels: %s", name, transform.describe(), distance, done)
            _check_alignment(fixed, aligned[number, ..., frame], mask, reference, name)
    return aligned, seen, turned


def _check_alignment(fixed, moving, mask, reference, name):
    alike = similarity(fixed, moving, mask)
    if alike < _LEAST_SIMILARITY:
        raise InputError(
            f"{name} does not show what the first repetition shows, even after a rigid correction: their correlation in the mask is "
            f"{alike:.2f}. Expected repetitions of one scan; register them first, or leave `align` off if they are right as they are."
        )
    remaining = remaining_motion(fixed, moving, mask, reference.affine) / min(reference.zooms)
    if remaining > _MOST_REMAINING:
        displaced = f"parts of the brain are still displaced by {remaining:.1f} voxels, which no rigid motion can correct"
        remark(name, f"{displaced}; the result will be blurred there: register it non-linearly, or leave it out")
