"""The tasks of a trained latent diffusion pair: reconstruction, super-resolution, imputation.

A latent loses detail, so no answer is taken from the decoder alone: it is what was given, plus the difference between the decoded
sample and the decoded given. A sample that agrees with what was given changes nothing.
"""

import dataclasses
import logging

import numpy as np

from keras_mri.errors import InputError
from keras_mri.imaging.intensity import fit_image_scaling, fit_scaling
from keras_mri.imaging.kspace import finer_step, resampled
from keras_mri.inference.extremes import as_seen
from keras_mri.inference.restoring import restored, restored_frames
from keras_mri.io.nifti_headers import on_finer_grid
from keras_mri.io.nifti_reading import ConstantImageError, open_image
from keras_mri.systems.ldm.conditions import coarse_shape, condition
from keras_mri.systems.ldm.imputation import best_reach, filled_frame

_LOGGER = logging.getLogger(__name__)
# Of a run, for the scale of its intensities.
_MOST_FRAMES = 16
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


def imputed(space, volume, options, code):
    """Return a scan with its missing voxels filled in; all others are exactly as they were.

    The guess in time is as wide as suits the known frames. What samples change in it counts as much as the same change, made
    where the truth is known, brings that nearer; where no frame can tell, in full.

    Parameters
    ----------
    space : keras_mri.systems.ldm.latent_space.LatentSpace
    volume : Volume
    options : keras_mri.systems.ldm.settings.PredictConfig
        With `missing`, a path or Volume.
    code : int
        Code of the label.

    Returns
    -------
    Volume

    Raises
    ------
    InputError
        If `missing` has another shape, or leaves nothing.
    """
    missing_at = _missing(options.missing, volume)
    some = [t for t in range(volume.n_frames) if not missing_at(t).all()]
    seen = as_seen(volume, missing_at)
    known = [seen.volume.frame(t)[~missing_at(t)] for t in some[:: -(-len(some) // _MOST_FRAMES)]]
    # What stands in the missing voxels, often 0 or an artefact, must not set the scale.
    scaling = fit_scaling(np.concatenate(known), space.config.scaling)
    # Guesses look at many frames.
    frames = [scaling.apply(seen.volume.frame(t)) for t in range(volume.n_frames)]
    reach = best_reach(frames.__getitem__, missing_at, volume.n_frames)

    def attempt(t, missing_at):
        given = filled_frame(frames.__getitem__, missing_at, volume.n_frames, t, reach)
        return given, _change(space, given, ~missing_at(t), False, options, code)

    share = _proved_share(attempt, frames, missing_at)

    def run(t):
        given, change = attempt(t, missing_at)
        return given + share * change

    result = restored(volume, scaling, run, missing_at, seen)
    # A report marks the gap: what stands there in the scan was not measured, or is wrong.
    result.facts["missing"] = missing_at
    return result


def _proved_share(attempt, frames, missing_at):
    """Return how much of a change is worth having, 0 … 1, by least squares over frames that are known where others are not."""
    products = squares = 0.0
    for s, hole in _rehearsals(missing_at, len(frames)):
        given, change = attempt(s, lambda t, s=s, hole=hole: missing_at(t) | hole if t == s else missing_at(t))
        products += np.sum(((frames[s] - given) * change)[hole], dtype=np.float64)
        squares += np.sum(change[hole] ** 2, dtype=np.float64)
    share = np.float32(np.clip(products / squares, 0, 1) if squares else 1)
    _LOGGER.info("imputation: %d %% of what samples change is kept", round(100 * share))
    return share


def _rehearsals(missing_at, n_frames):
    """Yield numbers of frames and holes that they do not have, but the nearest of a few damaged frames."""
    damaged = [t for t in range(n_frames) if missing_at(t).any()]
    for t in damaged[:: max(1, -(-len(damaged) // _REHEARSALS))]:
        whole = [s for s in range(n_frames) if not (missing_at(s) & missing_at(t)).any()]
        if whole:
            yield min(whole, key=lambda s: abs(s - t)), missing_at(t)


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


def _missing(path, volume):
    """Return a function from the number of a frame to its mask of missing voxels."""
    try:
        mask = open_image(path)
    except ConstantImageError as error:
        raise InputError(f"{path} must be 0 where voxels are known and another number where they are missing; all are alike.") from error
    if mask.shape not in (volume.shape, volume.shape[:3]):
        shapes = f"{volume.shape}" + (f" or {volume.shape[:3]}" if len(volume.shape) == 4 else "")
        raise InputError(f"{mask.name} must have the image's shape, {shapes}, not 0 where voxels are missing. Received: {mask.shape}.")
    missing = mask.data != 0
    if missing.all():
        raise InputError(f"{mask.name} marks every voxel as missing. There is nothing to start from.")
    return lambda t: missing[..., t] if missing.ndim == 4 else missing
