"""Recorrupted copies of a run: pairs of input and target whose noise is independent, made from the noisy run alone.

For noise n like the run's own, y + a n and y - n / a have independent noise, so the mean squared error against the latter is lowest for
the clean signal. To both, simulated activations are added; the input without them shows how the network responds to them.

References
----------
Pang et al., CVPR 2021: Recorrupted-to-Recorrupted. arXiv:2102.02234
"""

import typing

import numpy as np
from scipy import ndimage

from keras_mri.imaging.foreground import patch_foreground
from keras_mri.imaging.runs.noise import estimate_run_noise
from keras_mri.imaging.runs.temporal_basis import TemporalCovariance, temporal_basis
from keras_mri.systems.wgan.run_activations import draw_activations
from keras_mri.systems.wgan.run_channels import WIDTHS, activity, inverse, local_contrast, noise_gains, scores

# a, and the SD of the noise of y + a n in units of the run's own.
_RECORRUPTION = 0.5
_GAIN = (1 + _RECORRUPTION**2) ** 0.5
# Variance of the noise of targets, in units of that of inputs: the mean squared error of a perfect network.
TARGET_NOISE = (1 + _RECORRUPTION**-2) / _GAIN**2
# Frames and values of the part of a run that trains; tissue's box is grown by some voxels.
MOST_FRAMES, _MOST_VALUES, _MARGIN = 300, 12_000_000, 4


class Copy(typing.NamedTuple):
    """A recorrupted copy of a run in the basis of its own time courses.

    Parameters
    ----------
    maps, without, targets : ndarray of float32, shape (components, x, y, z)
        Input, the input without activations, and target: in units of the input's noise.
    scores, scores_without : ndarray of float32, shape (components, x, y, z, 2)
        Smoothed maps of the first two, as the network sees them.
    contrast, active, active_without : ndarray of float32, shape (x, y, z)
        Local contrast of the mean; activity of the inputs.
    labels : ndarray of int32, shape (x, y, z)
        The activation that each voxel belongs to, 0 for none.
    tissue : ndarray of bool, shape (x, y, z)
    power : ndarray of float64, shape (components,)
        Share of the activations' power in each map.
    """

    maps: np.ndarray
    without: np.ndarray
    targets: np.ndarray
    scores: np.ndarray
    scores_without: np.ndarray
    contrast: np.ndarray
    active: np.ndarray
    active_without: np.ndarray
    labels: np.ndarray
    tissue: np.ndarray
    power: np.ndarray

    def thickened(self, least):
        """Return the copy with its outermost voxels repeated where a side is shorter than `least`."""
        missing = [(0, max(0, least - side)) for side in self.tissue.shape]
        if not any(after for _, after in missing):
            return self
        maps = [np.pad(array, [(0, 0), *missing], mode="edge") for array in self[:3]]
        guides = [np.pad(array, [(0, 0), *missing, (0, 0)], mode="edge") for array in self[3:5]]
        volumes = [np.pad(array, missing, mode="edge") for array in self[5:10]]
        return Copy(*maps, *guides, *volumes, self.power)


class TrainingRun(typing.NamedTuple):
    """A part of a run in units of its noise.

    Parameters
    ----------
    scaled : ndarray of float32, shape (x, y, z, t)
        The run over the SD of its noise; 0 where that is 0.
    noise : keras_mri.imaging.runs.noise.RunNoise
    tissue : ndarray of bool, shape (x, y, z)
    contrast : ndarray of float32, shape (x, y, z)
    repetition_time : float or None
        s.
    """

    scaled: np.ndarray
    noise: object
    tissue: np.ndarray
    contrast: np.ndarray
    repetition_time: float | None


def training_run(run, repetition_time=None):
    """Measure a run's noise and bring the part that trains to its units.

    Parameters
    ----------
    run : ndarray of float32, shape (x, y, z, t)
        Frames of one condition.
    repetition_time : float, optional
        s.

    Returns
    -------
    TrainingRun
    """
    run = run[..., :MOST_FRAMES]
    tissue = patch_foreground(run.mean(axis=3))
    box = _box(tissue, most=_MOST_VALUES // run.shape[3])
    run, tissue = run[box], tissue[box]
    noise = estimate_run_noise(run)
    tissue = tissue & (noise.sigma > 0)
    return TrainingRun(run * inverse(noise.sigma)[..., None], noise, tissue, local_contrast(run.mean(axis=3)), repetition_time)


def recorrupted_copy(part, rng):
    """Make one copy.

    Parameters
    ----------
    part : TrainingRun
    rng : numpy.random.Generator
        Draws noise and activations.

    Returns
    -------
    Copy
    """
    y, n_frames = part.scaled, part.scaled.shape[3]
    drawn = part.noise.draw(y.shape, rng) * (part.noise.sigma > 0)[..., None]
    activations = draw_activations(y.mean(axis=3), part.tissue, n_frames, part.repetition_time, rng)
    with_noise = _fluctuations(y + np.float32(_RECORRUPTION) * drawn)
    basis = _basis_of(activations.added_to(with_noise) / np.float32(_GAIN), part)
    without = (with_noise @ basis) / np.float32(_GAIN)
    del with_noise
    maps = activations.added_to(without * np.float32(_GAIN), basis) / np.float32(_GAIN)
    noise_of_target = _fluctuations(y - drawn / np.float32(_RECORRUPTION)) @ basis
    targets = activations.added_to(noise_of_target, basis) / np.float32(_GAIN)
    power = ((maps - without)[part.tissue] ** 2).sum(axis=0, dtype=np.float64)
    maps, without, targets = (np.ascontiguousarray(np.moveaxis(array, 3, 0)) for array in (maps, without, targets))
    gains = noise_gains(part.noise.lags)
    guides = [_scores(maps, gains), _scores(without, gains), part.contrast, activity(maps, gains), activity(without, gains)]
    return Copy(
        maps,
        without,
        targets,
        *guides,
        activations.labels,
        part.tissue,
        _shares(power),
    )


def _scores(maps, gains):
    result = np.empty((*maps.shape, len(WIDTHS)), np.float32)
    for k, values in enumerate(maps):
        for channel, score in enumerate(scores(values, gains)):
            result[k, ..., channel] = score
    return result


def _shares(power):
    """Return shares of the power of each component; even ones where there is none."""
    return power / power.sum() if power.sum() > 0 else np.full(len(power), 1 / len(power))


def _fluctuations(run):
    return run - run.mean(axis=3, keepdims=True)


def _basis_of(fluctuations, part):
    covariance = TemporalCovariance(part.tissue)
    for t in range(fluctuations.shape[3]):
        covariance.add(fluctuations[..., t])
    return temporal_basis(covariance.matrix(), part.repetition_time)


def _box(tissue, most):
    """Return the slices of the box around tissue; where that has too many voxels, of its slices with most tissue."""
    found = ndimage.find_objects(tissue.astype(int))
    box = list(found[0] if found else map(slice, [0] * 3, tissue.shape))
    box = [slice(max(0, s.start - _MARGIN), min(side, s.stop + _MARGIN)) for s, side in zip(box, tissue.shape)]
    axis = int(np.argmin([s.stop - s.start for s in box]))
    area = np.prod([s.stop - s.start for k, s in enumerate(box) if k != axis])
    thick = int(max(16, most // area))
    if thick < box[axis].stop - box[axis].start:
        profile = tissue[tuple(box)].sum(axis=tuple(k for k in range(3) if k != axis))
        first = int(np.argmax(np.convolve(profile, np.ones(thick), "valid")))
        box[axis] = slice(box[axis].start + first, box[axis].start + first + thick)
    return tuple(box)
