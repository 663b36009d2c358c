"""Activations that the network of a run must keep: blobs and pieces of sheets of many sizes, with time courses of many kinds."""

import dataclasses

import numpy as np
from scipy import ndimage

from keras_mri.imaging.runs.temporal_basis import USUAL_REPETITION_TIME, haemodynamic_response

# One blob for so many voxels of tissue, at most so many; radii (voxels) and peak amplitudes (share of the local mean).
_VOXELS_PER_BLOB, MOST_BLOBS = 125, 800
_RADII, _AMPLITUDES = (0.8, 4.5), (0.005, 0.05)
# Time courses that several blobs share, and the share of the blobs that have one of them: a task drives many places at once.
_SHARED_COURSES, _SHARE_SHARED = 12, 0.75
# Borders of the mean along which sheets lie: steeper than this quantile.
_STEEP = 0.5
# A voxel belongs to a blob where it has this share of the blob's peak.
_BELONGS = 0.3


@dataclasses.dataclass(frozen=True)
class Activations:
    """Simulated activations of a run, in factors: activation = spatial @ courses.

    Parameters
    ----------
    boxes : list of tuple of slice
        Where each blob lies.
    profiles : list of ndarray of float32
        Amplitude of each blob in its box, in the unit of `mean`.
    courses : ndarray of float32, shape (blobs, t)
        Time courses without their mean; the peak was 1.
    labels : ndarray of int32, shape (x, y, z)
        The blob (from 1 on) that a voxel belongs to, 0 for none.
    """

    boxes: list
    profiles: list
    courses: np.ndarray
    labels: np.ndarray

    def added_to(self, run, basis=None):
        """Return a run plus the activations, or maps in a basis plus theirs.

        Parameters
        ----------
        run : ndarray of float32, shape (x, y, z, t) or (x, y, z, components)
        basis : ndarray of float32, shape (t, components), optional

        Returns
        -------
        ndarray of float32, same shape
        """
        result = run.copy()
        courses = self.courses if basis is None else self.courses @ basis
        for box, profile, course in zip(self.boxes, self.profiles, courses):
            result[box] += profile[..., None] * course
        return result


def draw_activations(mean, tissue, n_frames, repetition_time, rng):
    """Draw activations at random.

    Parameters
    ----------
    mean : ndarray of float32, shape (x, y, z)
        Temporal mean, in the unit that the activations get.
    tissue : ndarray of bool, shape (x, y, z)
        Where they lie.
    n_frames : int
    repetition_time : float or None
        s.
    rng : numpy.random.Generator

    Returns
    -------
    Activations
    """
    border = ndimage.gaussian_gradient_magnitude(mean, 1.0)
    border = border > np.quantile(border[tissue], _STEEP)
    points, count = np.argwhere(tissue), int(np.clip(tissue.sum() // _VOXELS_PER_BLOB, 1, MOST_BLOBS))
    response = haemodynamic_response(repetition_time or USUAL_REPETITION_TIME)
    shared = [draw_course(n_frames, response, rng) for _ in range(_SHARED_COURSES)]
    boxes, profiles, courses = [], [], []
    labels, strongest = np.zeros(mean.shape, np.int32), np.zeros(mean.shape, np.float32)
    for number in range(1, count + 1):
        box, blob = _draw_blob(points[rng.integers(len(points))], mean.shape, rng)
        blob = blob * border[box] if rng.random() < 0.5 else blob
        own = rng.random() >= _SHARE_SHARED
        course = draw_course(n_frames, response, rng) if own else shared[rng.integers(_SHARED_COURSES)]
        amplitude = np.exp(rng.uniform(*np.log(_AMPLITUDES))) * rng.choice([1, -1], p=[0.75, 0.25])
        profile = (amplitude * blob * tissue[box] * mean[box]).astype(np.float32)
        here = (np.abs(profile) > strongest[box]) & (blob > _BELONGS)
        labels[box][here], strongest[box][here] = number, np.abs(profile)[here]
        boxes.append(box)
        profiles.append(profile)
        courses.append(course - course.mean())
    return Activations(boxes, profiles, np.array(courses, np.float32), labels)


def draw_course(n_frames, response, rng):
    """Draw a time course: blocks, events or slow waves, the first two as a haemodynamic response.

    Parameters
    ----------
    n_frames : int
    response : ndarray of float64, shape (frames,)
        To an event, frame by frame.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of float64, shape (t,)
        Its largest absolute value is 1.
    """
    kind, times = rng.random(), np.arange(n_frames)
    if kind < 0.4:
        period = int(rng.integers(8, 40))
        course = np.convolve((times + rng.integers(period)) % period < period / 2, response)[:n_frames]
    elif kind < 0.8:
        onsets = np.cumsum(rng.integers(4, 16, size=n_frames // 4 + 1))
        course = np.convolve(np.isin(times, onsets - rng.integers(0, 4)), response)[:n_frames]
    else:
        course = ndimage.gaussian_filter1d(rng.standard_normal(n_frames), rng.uniform(1, 4))
    return course / (np.abs(course).max() or 1.0)


def _draw_blob(centre, shape, rng):
    """Return the box of a blob around a voxel, and its profile there, peak 1: an ellipsoid or a Gaussian."""
    radii = np.exp(rng.uniform(*np.log(_RADII))) * rng.uniform(0.8, 1.25, 3)
    sharp = rng.random() < 0.5
    reach = np.ceil(radii * (1 if sharp else 2.2)).astype(int)
    low, high = np.maximum(centre - reach, 0), np.minimum(centre + reach + 1, shape)
    axes = [(np.arange(a, b) - c) / r for a, b, c, r in zip(low, high, centre, radii)]
    squares = axes[0][:, None, None] ** 2 + axes[1][:, None] ** 2 + axes[2] ** 2
    blob = squares <= 1 if sharp else np.exp(-squares)
    return tuple(slice(a, b) for a, b in zip(low, high)), blob.astype(np.float32)
