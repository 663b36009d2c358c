"""From thin scans to the batches of a network of thick slices."""

import math

import numpy as np

from keras_mri.data.patches import check_patch_fits, fitting_patch, foreground_corners
from keras_mri.data.pipelines import Batches, PatchSource, listed_patches, random_patches, with_random_flips
from keras_mri.imaging.intensity import fit_scaling
from keras_mri.systems.sr.augmentation import corrupted_pairs, with_quarter_turns, with_thick_slices
from keras_mri.systems.sr.data import (
    SAME_SIDE,
    STEPS_PER_EPOCH,
    VALIDATION_PATCHES,
    Scan,
    as_many,
    divided,
    in_brain,
    near_brain,
    thick_enough,
)
from keras_mri.systems.sr.settings import PATCH_SHAPE
from keras_mri.systems.sr.stacks import along_last, context_of, drawn_stacks, ratios_of, slicing_axes
from keras_mri.training.clock import in_time


def slice_data(parts, config, factor):
    """Make the batches that train and validate a network of thick slices.

    Parameters
    ----------
    parts : keras_mri.systems.sr.pairs.PairSplit
        Of pairs whose source is their target.
    config : keras_mri.systems.sr.settings.Config
    factor : int
        The sides of a patch are multiples of this.

    Returns
    -------
    keras_mri.data.pipelines.Batches
        Elements (source, target): float32, shapes (batch, x, y, z, 2) and (batch, x, y, z, 1), slices along z.

    Raises
    ------
    InputError
        If a patch does not fit a scan, or a scan's own voxels are too coarse.
    """
    pairs = [*parts.training, *parts.validation]
    ratios = ratios_of(pairs, config.thick_slices)
    held_out, scans = _scans(parts.validation), _scans(parts.training)
    training = parts.training[: len(scans)]
    scans, held_out = divided(scans, [pair.subject for pair in training]) if parts.slabs else (scans, held_out)
    held_out = _turned(held_out, training if parts.slabs else parts.validation, config, factor)
    scans = _turned(scans, training, config, factor)
    patch_shape = config.patch_shape or fitting_patch(PATCH_SHAPE, [scan.data for scan, _ in scans], factor)
    for scan, _ in scans:
        check_patch_fits(patch_shape, scan.data.shape)
    rng = np.random.default_rng(config.seed)
    patches = _random(scans, patch_shape, ratios, config, rng)
    plane = patch_shape[0] == patch_shape[1] and all(max(pair.zooms) <= (1 + SAME_SIDE) * min(pair.zooms) for pair in training)
    if config.turns and plane:
        patches = with_quarter_turns(patches, config.seed, (0, 1))
    held_shape = fitting_patch(patch_shape, [scan.data for scan, _ in held_out], factor)
    validation = _listed(held_out, held_shape, ratios, config, rng)
    batch = min(config.batch_size, VALIDATION_PATCHES)
    return Batches(
        corrupted_pairs(patches, config.batch_size, config.seed),
        corrupted_pairs(validation, batch, config.seed).cache(),
        config.steps_per_epoch or STEPS_PER_EPOCH,
    )


def _scans(pairs):
    frames = ((pair.target.frame(0), pair.brain) for pair in in_time(pairs, [pair.target.name for pair in pairs]))
    return [Scan(fit_scaling(frame).apply(frame)[..., None], brain) for frame, brain in frames]


def _turned(scans, pairs, config, factor):
    """Return each scan once for every axis that can be cut into slices, with that axis last, and its subject."""
    turned = []
    for scan, pair in zip(scans, pairs):
        for axis in slicing_axes(pair.zooms, config.thick_slices[0]):
            along = Scan(*(along_last(part, axis, 0) for part in scan))
            turned.append((thick_enough(along, factor), pair.subject))
    return turned


def _surrounded(scans, patch_shape, context):
    """Return scans with surroundings along the last axis, cut to what patches reach, and the voxels that a patch reads."""
    window = (*patch_shape[:2], patch_shape[2] + 2 * context)
    padded = [Scan(along_last(scan.data, 2, context), np.pad(scan.mask, [(0, 0), (0, 0), (context, context)])) for scan, _ in scans]
    return [near_brain(scan, window) for scan in padded], window


def _random(scans, patch_shape, ratios, config, rng):
    cut, window = _surrounded(scans, patch_shape, context_of(ratios))
    corners = as_many([foreground_corners(scan.mask, window) for scan in cut], [subject for _, subject in scans])
    patches = random_patches([PatchSource(scan.data, places) for scan, places in zip(cut, corners)], window, 1, config.seed)
    patches = with_random_flips(patches, config.seed, (0, 1, 2))
    return with_thick_slices(patches, config.seed, drawn_stacks(patch_shape[2], ratios, rng), config.noise)


def _listed(scans, patch_shape, ratios, config, rng):
    cut, window = _surrounded(scans, patch_shape, context_of(ratios))
    chosen = [in_brain(scan, window, math.ceil(VALIDATION_PATCHES / len(cut)), rng) for scan in cut]
    return with_thick_slices(listed_patches(chosen, window, 1), config.seed, drawn_stacks(patch_shape[2], ratios, rng), config.noise)
