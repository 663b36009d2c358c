"""Known activations for a real run: places, shapes and time courses, drawn from a seed."""

import dataclasses
import math

import numpy as np
from scipy import ndimage

RADII = (1, 2, 3, 4)
DESIGNS = ("block", "event", "own")
# Amplitudes at the peak, as a share of the local mean.
AMPLITUDES = (0.005, 0.03)
# Frames on and off of the block design; gaps between events.
_BLOCK, _GAPS = 12, (6, 13)
# Voxels between two places, so that each has shells of its own.
_APART = 2
# Draws of a place before its kind is given up for a smaller number of places.
_TRIES = 150
# Steps of a sequence of two dimensions without gaps (of the plastic number).
_STEPS = (0.7548776662, 0.5698402910)
# A Gaussian's tail below this share of its peak may reach another place's surroundings.
_SEEN = 0.1


@dataclasses.dataclass(frozen=True)
class Place:
    """One activated place.

    Parameters
    ----------
    shape : {"sphere", "gaussian", "sheet"}
    radius : int
        Voxels.
    design : {"block", "event", "own"}
    corner : tuple of int
        First voxel of the box that holds `profile`.
    profile : ndarray of float32, shape of the box
        Amplitude as a share of the local mean.
    course : ndarray of float64, shape (t,)
        Time course, peak 1.
    """

    shape: str
    radius: int
    design: str
    corner: tuple
    profile: np.ndarray
    course: np.ndarray

    @property
    def box(self):
        """Slices of the box in the volume."""
        return _box(self.corner, self.profile)


def haemodynamic_response(repetition_time):
    """Return the canonical response to an event of no length, sampled at each frame: double gamma, peaks at 5 and 15 s."""
    t = np.arange(0, 32, repetition_time)
    response = t**5 * np.exp(-t) / math.gamma(6) - t**15 * np.exp(-t) / math.gamma(16) / 6
    return response / response.max()


def block_course(n_frames, repetition_time):
    """Return the response to blocks of 12 frames, rest first; peak 1."""
    return _response((np.arange(n_frames) // _BLOCK % 2).astype(float), repetition_time)


def event_course(n_frames, repetition_time, rng):
    """Return the response to single events 6 to 12 frames apart; peak 1."""
    events = np.zeros(n_frames)
    t = int(rng.integers(2, _GAPS[0]))
    while t < n_frames:
        events[t] = 1
        t += int(rng.integers(*_GAPS))
    return _response(events, repetition_time)


def _response(stimulus, repetition_time):
    course = np.convolve(stimulus, haemodynamic_response(repetition_time))[: len(stimulus)]
    return course / np.abs(course).max()


def draw_places(mean, mask, n_frames, repetition_time, seed=0, most=140):
    """Draw places that do not meet: spheres and Gaussians of radius 1 to 4, and sheets along the borders of the mean image.

    Parameters
    ----------
    mean : ndarray of float32, shape (x, y, z)
        Temporal mean of the run.
    mask : ndarray of bool, shape (x, y, z)
    n_frames : int
    repetition_time : float
        s.
    seed : int
    most : int
        Places, as far as they fit.

    Returns
    -------
    list of Place
    """
    rng = np.random.default_rng(seed)
    shared = {"block": block_course(n_frames, repetition_time), "event": event_course(n_frames, repetition_time, rng)}
    border, points = cortex_like(mean, mask), np.argwhere(ndimage.binary_erosion(mask))
    taken, places = ~mask, []
    # Sheets have the width of two radii, so that they are drawn as often as each size of sphere.
    kinds = [(shape, radius) for radius in RADII for shape in ("sphere", "gaussian", "sheet") if shape != "sheet" or radius > 2]
    phase = rng.random()
    for number in range(most):
        (shape, radius), turn = kinds[number % len(kinds)], number // len(kinds)
        design = DESIGNS[turn % 2] if turn % 4 < 3 or shape != "sphere" or radius == 1 else "own"
        drawn = _free_place(shape, radius, points, border, taken, rng)
        if drawn is None:
            continue
        corner, profile = drawn
        wide = np.zeros_like(mask)
        wide[_box(corner, profile)] = profile > _SEEN
        taken |= ndimage.binary_dilation(wide, iterations=_APART + 1)
        # Evenly spread over the places of each kind, and over the kinds of each turn.
        share = (phase + _STEPS[0] * (turn // 2) + _STEPS[1] * (number % len(kinds))) % 1
        amplitude = AMPLITUDES[0] + (AMPLITUDES[1] - AMPLITUDES[0]) * share
        course = event_course(n_frames, repetition_time, rng) if design == "own" else shared[design]
        places.append(Place(shape, radius, design, corner, (amplitude * profile).astype(np.float32), course))
    return places


def cortex_like(mean, mask):
    """Return where the mean image has its steeper borders, as grey matter has: ndarray of bool, shape (x, y, z)."""
    steepness = ndimage.gaussian_gradient_magnitude(mean, 1.0)
    inner = ndimage.binary_erosion(mask, iterations=2)
    low, high = np.quantile(steepness[inner], [0.55, 0.9])
    return inner & (steepness > low) & (steepness < high)


def _free_place(shape, radius, points, border, taken, rng):
    """Return corner and profile of a place that meets no other one; None if there is no room."""
    for centre in points[rng.integers(len(points), size=_TRIES)]:
        drawn = _profile(shape, radius, centre, border, taken.shape)
        if drawn is not None and not (taken[_box(*drawn)] & (drawn[1] > _SEEN)).any():
            return drawn
    return None


def _box(corner, profile):
    return tuple(slice(low, low + side) for low, side in zip(corner, profile.shape))


def _profile(shape, radius, centre, border, sides):
    """Return the first voxel of a box and the profile in it, peak 1; None where there is no place."""
    reach = radius if shape == "sphere" else 2 * radius if shape == "gaussian" else radius + 2
    low = np.maximum(centre - reach, 0)
    high = np.minimum(centre + reach + 1, sides)
    box = tuple(slice(a, b) for a, b in zip(low, high))
    squares = sum(
        (np.arange(a, b).reshape([-1 if k == axis else 1 for k in range(3)]) - c) ** 2
        for axis, (a, b, c) in enumerate(zip(low, high, centre))
    )
    if shape == "gaussian":
        # Half of the peak at the radius.
        profile = np.where(squares <= reach**2, np.exp(-math.log(2) * squares / radius**2), 0.0)
    elif shape == "sphere":
        profile = (squares <= radius**2 + 0.5).astype(float)
    else:
        labels, _ = ndimage.label(border[box] & (squares <= reach**2))
        at = labels[tuple(centre - low)]
        profile = (labels == at).astype(float) if at else np.zeros(labels.shape)
        # A piece of a sheet, neither a crumb nor a ball.
        if not 0.1 < profile.sum() / (4 / 3 * math.pi * reach**3) < 0.6:
            return None
    return tuple(int(v) for v in low), profile


def add_activations(run, places):
    """Return the run with the activations of the places, as shares of its temporal mean: ndarray of float32, shape (x, y, z, t)."""
    mean, result = run.mean(axis=3), run.copy()
    for place in places:
        result[place.box] += (place.profile * mean[place.box])[..., None] * place.course.astype(np.float32)
    return result
