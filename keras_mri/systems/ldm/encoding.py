"""Frames as latents: their mean and SD, and what the denoiser learns from."""

import functools
import logging

import numpy as np

from keras_mri.systems.ldm.conditions import coarse_view, condition, damaged_view
from keras_mri.systems.ldm.crops import Crop, cut, drawn_crops, positions
from keras_mri.systems.ldm.data import Latents
from keras_mri.systems.ldm.imputation import best_reach
from keras_mri.training.clock import Clock

_LOGGER = logging.getLogger(__name__)
# Frames whose latents tell what mean and SD are.
MOMENT_FRAMES = 64
# Damaged views that the denoiser learns imputation from: in all about as many as this, of every frame at least one, at most four.
_DAMAGED_VIEWS, _MOST_OF_A_FRAME = 200, 4
# With any grid, crops of one run that the denoiser learns from; frames of a run are alike.
_CROPS_OF_A_RUN = 24


def moments(space, runs, frames=MOMENT_FRAMES):
    """Return mean and SD per channel of the latents of many frames, spread over all runs.

    Parameters
    ----------
    space : LatentSpace
    runs : sequence of ndarray of float32, shape (x, y, z, t)
    frames : int
        About so many in all.

    Returns
    -------
    mean, deviation : ndarray of float32, shape (channels,)
        The SD of a constant channel is returned as 1, so that scaling leaves it unchanged.
    """
    count, total, squares = 0, 0.0, 0.0
    for run in runs[:: max(1, len(runs) // frames)]:
        for t in range(0, run.shape[3], max(1, run.shape[3] * len(runs) // frames)):
            latent = space.encode(run[..., t]).reshape(-1, space.config.latent_channels).astype(np.float64)
            count, total, squares = count + len(latent), total + latent.sum(axis=0), squares + (latent**2).sum(axis=0)
    mean = total / count
    deviation = np.sqrt(np.maximum(squares / count - mean**2, 0))
    return mean.astype(np.float32), np.where(deviation > 1e-6, deviation, 1).astype(np.float32)


def encoded(space, data, rng, seconds=None):
    """Encode frames, or with `any_grid` crops of frames as large as a sample; with conditions a coarse view and damaged ones of each.

    Parameters
    ----------
    space : LatentSpace
    data : keras_mri.systems.ldm.labelled_runs.LabelledRuns
    rng : numpy.random.Generator
    seconds : float, optional
        About as long this may take: frames spread over the runs are encoded until then, one in any case.

    Returns
    -------
    keras_mri.systems.ldm.data.Latents
        With `any_grid` they have positions.
    """
    shape = tuple(side + -side % space.factor for side in data.grid.shape) if space.config.any_grid else None
    crops, clock = _crops_of(data.runs, shape, rng), Clock(seconds) if seconds else None
    frames = sum(map(len, crops))
    damaged, done = min(max(1, _DAMAGED_VIEWS // frames), _MOST_OF_A_FRAME), []
    for number, own in enumerate(crops):
        # One run at a time: guesses look at many of its frames.
        views = _Views(space, data.runs[number], rng, damaged) if space.config.condition else None
        for k in np.random.default_rng(number + 1).permutation(len(own)) if clock else range(len(own)):
            if clock and done and clock.elapsed() * (1 + 1 / len(done)) > seconds * (number + 1) / len(crops):
                break
            done.append(_example(space, data, views, own[k], shape))
    if len(done) < frames:
        _LOGGER.warning("warning: `time_budget`: %d of %d frames are encoded for the denoiser", len(done), frames)
    clean, codes, seen, places = zip(*done)
    seen = np.array(seen, np.float32) if space.config.condition else None
    return Latents(np.stack(clean), np.array(codes, np.int32), seen, np.stack(places) if shape else None)


def _crops_of(runs, shape, rng):
    """Return the crops of each run, or without a shape all its frames whole: list of list of Crop."""
    if shape is None:
        return [[Crop(number, t, (0, 0, 0)) for t in range(run.shape[3])] for number, run in enumerate(runs)]
    crops = drawn_crops(runs, shape, sum(min(run.shape[3], _CROPS_OF_A_RUN) for run in runs), rng)
    return [[crop for crop in crops if crop.run == number] for number in range(len(runs))]


def _example(space, data, views, crop, shape):
    """Return the latent of a crop, its label's code, its views, and where its cells lie; the last two None where they are not wanted."""
    number, t, corner = crop
    run, shape = data.runs[number], shape or data.runs[number].shape[:3]
    latent = space.encode(cut(run[..., t], corner, shape))
    seen = views.of_frame(t, corner, shape) if views else None
    if not space.config.any_grid:
        return latent, data.codes[number][t], seen, None
    places = positions(latent.shape[:3], space.cell, data.zooms[number], run.shape[:3], corner)
    return latent, data.codes[number][t], seen, places


class _Views:
    """The conditions of each frame of a run: the coarse view, then the damaged ones."""

    def __init__(self, space, run, rng, damaged):
        # Frame after frame in memory, because guesses look at many.
        self.run = np.moveaxis(np.ascontiguousarray(np.moveaxis(run, 3, 0)), 0, 3)
        self.space, self.rng, self.damaged = space, rng, damaged
        self.nothing = np.zeros(run.shape[:3], bool)

    @functools.cached_property
    def reach(self):
        """As imputation will choose it for a run like this."""
        return best_reach(lambda s: self.run[..., s], lambda s: self.nothing, self.run.shape[3])

    def of_frame(self, t, corner, shape):
        """Return the views of a crop of a frame: list of ndarray."""
        run, coarse = (cut(part, corner, shape) for part in (self.run, coarse_view(self.run[..., t], self.space.config.coarse)))
        seen = [(coarse, np.ones(shape, bool)), *(damaged_view(run, t, self.rng, self.reach) for _ in range(self.damaged))]
        return [condition(self.space.encode(view), self.space.padded(known), k == 0) for k, (view, known) in enumerate(seen)]
