"""Frames as latents: their mean and SD, and what the denoiser learns from."""

import functools
import logging

import numpy as np

from keras_mri.systems.ldm.conditions import coarse_view, condition, damaged_view
from keras_mri.systems.ldm.crops import cut, drawn_crops, positions
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
    """Encode every frame, and with conditions a coarse view and some damaged ones of it.

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
    """
    frames, clock = sum(run.shape[3] for run in data.runs), Clock(seconds) if seconds else None
    damaged, done = min(max(1, _DAMAGED_VIEWS // frames), _MOST_OF_A_FRAME), []
    for number, (run, numbers) in enumerate(zip(data.runs, data.codes), start=1):
        views = _Views(space, run, rng, damaged) if space.config.condition else None
        for count, t in enumerate(np.random.default_rng(number).permutation(run.shape[3]) if clock else range(run.shape[3])):
            if clock and count and clock.elapsed() * (1 + 1 / len(done)) > seconds * number / len(data.runs):
                break
            done.append((space.encode(run[..., t]), numbers[t], views.of_frame(t) if views else None))
    if len(done) < frames:
        _LOGGER.warning("warning: `time_budget`: %d of %d frames are encoded for the denoiser", len(done), frames)
    clean, codes, seen = zip(*done)
    return Latents(np.stack(clean), np.array(codes, np.int32), np.array(seen, np.float32) if space.config.condition else None)


def encoded_crops(space, data, rng, seconds=None):
    """Encode crops of frames on any grid, as large as a sample, and with conditions a coarse view and damaged ones of each.

    Parameters and result are those of `encoded`; the result has positions too.
    """
    shape = tuple(side + -side % space.factor for side in data.grid.shape)
    count = sum(min(run.shape[3], _CROPS_OF_A_RUN) for run in data.runs)
    crops, clock = drawn_crops(data.runs, shape, count, rng), Clock(seconds) if seconds else None
    damaged = min(max(1, _DAMAGED_VIEWS // len(crops)), _MOST_OF_A_FRAME)
    views = functools.cache(lambda number: _Views(space, data.runs[number], rng, damaged) if space.config.condition else None)
    done = []
    for number in rng.permutation(len(crops)) if clock else range(len(crops)):
        if clock and done and clock.elapsed() * (1 + 1 / len(done)) > seconds:
            break
        run, t, corner = crops[number]
        whole = data.runs[run]
        places = positions([side // space.cell for side in shape], space.cell, data.zooms[run], whole.shape[:3], corner)
        seen = views(run).of_frame(t, corner, shape) if space.config.condition else None
        done.append((space.encode(cut(whole[..., t], corner, shape)), data.codes[run][t], seen, places))
    if len(done) < len(crops):
        _LOGGER.warning("warning: `time_budget`: %d of %d crops are encoded for the denoiser", len(done), len(crops))
    clean, codes, seen, places = zip(*done)
    seen = np.array(seen, np.float32) if space.config.condition else None
    return Latents(np.stack(clean), np.array(codes, np.int32), seen, np.stack(places))


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

    def of_frame(self, t, corner=(0, 0, 0), shape=None):
        """Return the views of a frame, or of a crop of it: list of ndarray."""
        shape = shape or self.run.shape[:3]
        run, coarse = (cut(part, corner, shape) for part in (self.run, coarse_view(self.run[..., t], self.space.config.coarse)))
        seen = [(coarse, np.ones(shape, bool)), *(damaged_view(run, t, self.rng, self.reach) for _ in range(self.damaged))]
        return [condition(self.space.encode(view), self.space.padded(known), k == 0) for k, (view, known) in enumerate(seen)]
