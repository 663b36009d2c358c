"""The tasks of a trained latent diffusion pair: reconstruction, super-resolution, imputation.

A latent loses detail, so no answer is taken from the decoder alone: it is what was given, plus the difference between the decoded
sample and the decoded given. A sample that agrees with what was given changes nothing.
"""

import dataclasses
import logging

import numpy as np

from keras_mri.imaging.intensity import fit_image_scaling, fit_scaling
from keras_mri.imaging.kspace import finer_step, resampled
from keras_mri.imaging.run_repair.guess import RunGuess
from keras_mri.imaging.run_repair.space import moved_holes
from keras_mri.inference.extremes import as_seen
from keras_mri.inference.restoring import restored, restored_frames
from keras_mri.io.frame_store import FrameStore
from keras_mri.io.nifti_headers import on_finer_grid
from keras_mri.systems.ldm.conditions import coarse_shape, condition
from keras_mri.systems.ldm.missing import missing_voxels

_LOGGER = logging.getLogger(__name__)
# Of a run, for the scale of its intensities.
_MOST_FRAMES = 16
# Of a network that cannot say the mean of all samples in one step.
_STEPS = 50
# Known frames on which imputation proves itself before it counts.
_REHEARSALS = 4


def reconstructed(space, volume):
    """Send a scan through the autoencoder and back.

    Parameters
    ----------
    space : keras_mri.systems.ldm.latent_space.LatentSpace
    volume : Volume

    Returns
    -------
    Volume
    """
    seen = as_seen(volume)
    scaling = fit_image_scaling(seen.volume, space.config.scaling)

    def run(t):
        data = scaling.apply(seen.volume.frame(t))
        return space.decode(space.encode(data), data.shape)

    return restored(volume, scaling, run, seen=seen)


def super_resolved(space, volume, grid, options, code):
    """Return a coarse scan or run on a finer grid: its own frequencies as measured, sampled ones beyond.

    The frequency at the edge, which only coarse grids of even sides have, is known in part and may change.

    Parameters
    ----------
    space : keras_mri.systems.ldm.latent_space.LatentSpace
    volume : Volume
    grid : keras_mri.systems.ldm.labelled_runs.Grid or None
        The fine one; None for a network of any grid, which makes voxels smaller by the factors it was trained for.
    options : keras_mri.systems.ldm.settings.PredictConfig
    code : int
        Code of the label.

    Returns
    -------
    Volume

    Raises
    ------
    GridMismatchError
        If the scan is not a coarse one of that grid.
    """
    few = volume.shape[:3]
    if grid is not None:
        few = coarse_shape(grid.shape, space.config.coarse)
        grid.check(volume, few)
    fine = grid.shape if grid else tuple(round(side * factor) for side, factor in zip(few, space.config.coarse))
    seen = as_seen(volume)
    scaling = fit_image_scaling(seen.volume, space.config.scaling)

    def run(t):
        given = scaling.apply(resampled(seen.volume.frame(t), fine))
        change = _change(space, given, np.ones(fine, bool), True, options, code)
        # Frequencies that the coarse grid has measured are not changed.
        change -= resampled(resampled(change, few), fine)
        return given + change

    step = finer_step([many / side for many, side in zip(fine, few)])
    return on_finer_grid(volume, (*fine, *volume.shape[3:]), step, restored_frames(volume, scaling, run, seen=seen))


def coarsened(volume, factors):
    """Return a scan or run as a coarser grid would have measured it, to try super-resolution on.

    Parameters
    ----------
    volume : Volume
    factors : sequence of float
        How many times larger the voxels become along each axis.

    Returns
    -------
    Volume
    """
    few = coarse_shape(volume.shape[:3], factors)
    step = finer_step([side / many for side, many in zip(few, volume.shape)])
    return on_finer_grid(volume, (*few, *volume.shape[3:]), step, lambda t: resampled(volume.frame(t), few))


def imputed(space, volume, options, code, helps=True):
    """Return a scan with its missing voxels filled in; all others are exactly as they were.

    The guess comes from the run itself. What samples change in it counts as much as the same change, made where the truth is known,
    brings that nearer; where nothing can tell, not at all.

    Parameters
    ----------
    space : keras_mri.systems.ldm.latent_space.LatentSpace
    volume : Volume
    options : keras_mri.systems.ldm.settings.PredictConfig
        With `missing`: a path or Volume, or "auto".
    code : int
        Code of the label.
    helps : bool
        Whether the network takes volumes of this grid; if not, the guess stands alone.

    Returns
    -------
    Volume

    Raises
    ------
    InputError
        If `missing` has another shape or grid, leaves nothing, or finds nothing.
    """
    missing_at, found = missing_voxels(options.missing, volume)
    count, some = volume.n_frames, [t for t in range(volume.n_frames) if not missing_at(t).all()]
    seen = as_seen(volume, missing_at)
    known = [seen.volume.frame(t)[~missing_at(t)] for t in some[:: -(-len(some) // _MOST_FRAMES)]]
    # What stands in the missing voxels, often 0 or an artefact, must not set the scale.
    scaling = fit_scaling(np.concatenate(known), space.config.scaling)
    # Guesses look at many frames, many times.
    frames = FrameStore(volume.shape[:3], count)
    for t in range(count):
        frames.write(t, scaling.apply(seen.volume.frame(t)))
    guess = RunGuess(frames.frame, missing_at, count)

    def change(given, hole):
        return _change(space, given, ~hole, False, options, code)

    share = _proved_share(guess, change, frames.frame, missing_at, count) if helps else np.float32(0)

    def run(t):
        given = guess.filled(t)
        return given + share * change(given, missing_at(t)) if share else given

    result = restored(volume, scaling, run, missing_at, seen)
    # A report marks the gap: what stands there in the scan was not measured, or is wrong.
    result.facts |= {"missing": missing_at} | ({"damage": found} if found else {})
    return result


def _proved_share(guess, change, read_frame, missing_at, n_frames):
    """Return how much of a change is worth having, 0 … 1, by least squares where voxels are known."""
    products = squares = 0.0
    for s, hole, always in _rehearsals(missing_at, n_frames):
        given = guess.filled(s, hole, always)
        changed = change(given, missing_at(s) | hole)[hole]
        products += np.sum((read_frame(s) - given)[hole] * changed, dtype=np.float64)
        squares += np.sum(changed**2, dtype=np.float64)
    share = np.float32(np.clip(products / squares, 0, 1) if squares else 0)
    _LOGGER.info("imputation: %d %% of what samples change is kept", round(100 * share))
    return share


def _rehearsals(missing_at, n_frames):
    """Yield trials: a frame, a hole in what it knows, and whether the hole counts in all frames.

    They are the nearest frames that know what a few damaged frames do not, or, where no frame does, the same frame with the hole moved.
    """
    damaged = [t for t in range(n_frames) if missing_at(t).any()]
    for t in damaged[:: max(1, -(-len(damaged) // _REHEARSALS))]:
        whole = [s for s in range(n_frames) if not (missing_at(s) & missing_at(t)).any()]
        if whole:
            yield min(whole, key=lambda s: abs(s - t)), missing_at(t), False
        elif moved := moved_holes(missing_at(t)):
            yield t, moved[len(moved) // 2], True


def _change(space, given, known, coarse, options, code):
    """Return the mean over samples of what a sample has that its condition has not, both decoded."""
    latent = space.encode(given)
    view = condition(latent, space.padded(known), coarse)
    if options.steps is None:
        # One step from noise alone says what all samples are on average, if the network has learnt that.
        options = dataclasses.replace(options, steps=1 if space.config.one_step else _STEPS)
    samples = space.sample(given.shape, options.samples, options, code, view)
    before = space.decode(latent, given.shape)
    return sum(space.decode(sample, given.shape) - before for sample in samples) / np.float32(len(samples))
