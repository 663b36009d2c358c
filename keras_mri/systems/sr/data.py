"""From pairs of scans to the batches of a super-resolution network: intensities, patches, chance."""

import fractions
import math
import typing

import numpy as np

from keras_mri.data.patches import check_patch_fits, fitting_patch, foreground_corners, thickened
from keras_mri.data.pipelines import Batches, PatchSource, listed_patches, random_patches, with_random_flips
from keras_mri.data.splits import slab_cut
from keras_mri.io.grids import bounding_box, mirror_axes
from keras_mri.systems.sr.augmentation import corrupted_pairs, with_quarter_turns, with_random_gain, with_random_motion
from keras_mri.systems.sr.settings import PATCH_SHAPE
from keras_mri.training.clock import in_time

VALIDATION_PATCHES = 24
STEPS_PER_EPOCH = 100
# Voxel sides that differ by less are as good as equal: heads differ by more.
SAME_SIDE = 0.1


def pair_data(parts, config, factor):
    """Make the batches that train and validate a super-resolution network.

    Parameters
    ----------
    parts : keras_mri.systems.sr.pairs.PairSplit
    config : keras_mri.systems.sr.settings.Config
    factor : int
        The sides of a patch are multiples of this.

    Returns
    -------
    keras_mri.data.pipelines.Batches
        Elements (source, target): float32, shape (batch, x, y, z, 1) twice.

    Raises
    ------
    InputError
        If a patch does not fit a scan, or an image cannot be scaled.
    """
    # First what validates, which is needed in any case: a time budget may leave some of the training's scans out.
    held_out = _scans(parts.validation, config)
    scans = _scans(parts.training, config)
    subjects = [pair.subject for pair in parts.training[: len(scans)]]
    if parts.slabs:
        scans, held_out = divided(scans, subjects)
    scans, held_out = ([thick_enough(scan, factor) for scan in part] for part in (scans, held_out))
    patch_shape = config.patch_shape or fitting_patch(PATCH_SHAPE, [scan.data for scan in scans], factor)
    # A held-out slab may be thinner than a patch; the network takes any shape.
    validation_shape = fitting_patch(patch_shape, [scan.data for scan in held_out], factor)
    for scan in scans:
        check_patch_fits(patch_shape, scan.data.shape)
    rng = np.random.default_rng(config.seed)
    if config.sampling == "fixed":
        fixed = [_anywhere(scan, patch_shape, config.patches_per_volume, rng) for scan in scans]
        patches = listed_patches(fixed, patch_shape, 2, config.seed)
        steps = config.steps_per_epoch or max(1, sum(len(source.corners) for source in fixed) // config.batch_size)
    else:
        scans = [near_brain(scan, patch_shape) for scan in scans]
        corners = as_many([foreground_corners(scan.mask, patch_shape) for scan in scans], subjects)
        patches = random_patches([PatchSource(scan.data, places) for scan, places in zip(scans, corners)], patch_shape, 2, config.seed)
        steps = config.steps_per_epoch or STEPS_PER_EPOCH
    patches = _augmented(patches, parts.training[0], config, patch_shape)
    each = -(-VALIDATION_PATCHES // len(held_out))
    held_out = [near_brain(scan, validation_shape) for scan in held_out]
    chosen = [in_brain(scan, validation_shape, each, rng) for scan in held_out]
    # Fewer held-out patches than a batch would give no batch, and with it no best network.
    batch = min(config.batch_size, sum(len(source.corners) for source in chosen))
    validation = corrupted_pairs(listed_patches(chosen, validation_shape, 2), batch, config.seed)
    training = corrupted_pairs(patches, config.batch_size, config.seed, config.jitter, config.noise)
    return Batches(training, validation.cache(), steps)


def turning_plane(zooms, patch_shape, factors):
    """Return two axes along which scan, patch and loss of resolution are alike, None if there are none.

    Parameters
    ----------
    zooms : sequence of float
        Voxel sides, mm.
    patch_shape : tuple of int
    factors : sequence of float
        How much coarser the source is along each axis.

    Returns
    -------
    (int, int) or None
    """
    for plane in ((0, 1), (0, 2), (1, 2)):
        first, second = ((patch_shape[axis], factors[axis]) for axis in plane)
        sides = [zooms[axis] for axis in plane]
        if first == second and max(sides) <= (1 + SAME_SIDE) * min(sides):
            return plane
    return None


class Scan(typing.NamedTuple):
    """A scan in network units and where its brain is.

    Parameters
    ----------
    data : ndarray of float32, shape (x, y, z, channels)
        Source and target, or the target alone where sources are made of patches.
    mask : ndarray of bool, shape (x, y, z)
    """

    data: np.ndarray
    mask: np.ndarray


def _scans(pairs, config):
    return [Scan(*pair.z_scores(config.scaling)) for pair in in_time(pairs, [pair.target.name for pair in pairs])]


def divided(scans, subjects):
    """Hold out the slices with the last fifth of the brain; of one subject's scans at one plane, so that no copy knows another's.

    Parameters
    ----------
    scans : list of Scan
    subjects : list of str
        Of each scan.

    Returns
    -------
    tuple of list of Scan
        For training, and held out.
    """
    planes, parts = {}, ([], [])
    for scan, subject in zip(scans, subjects):
        if subject not in planes:
            axis, cut = slab_cut(scan.mask)
            planes[subject] = axis, fractions.Fraction(cut, scan.mask.shape[axis])
        axis, share = planes[subject]
        # Grids of one field of view begin at one face; a slice that the plane cuts through belongs to neither side.
        side = scan.mask.shape[axis]
        for part, kept in zip(parts, (slice(0, max(1, math.floor(share * side))), slice(min(side - 1, math.ceil(share * side)), None))):
            window = tuple(kept if a == axis else slice(None) for a in range(3))
            part.append(Scan(scan.data[window], scan.mask[window]))
    return parts


def near_brain(scan, patch_shape):
    """Keep what patches centred in the brain can reach, a third of a usual scan: Scan."""
    if not scan.mask.any():
        return scan
    window = []
    for part, size, side in zip(bounding_box(scan.mask), patch_shape, scan.mask.shape):
        low = max(0, min(part.start - size // 2, side - size))
        window.append(slice(low, min(side, max(part.stop - 1 - size // 2, low) + size)))
    window = tuple(window)
    # Copied, so that the rest can be forgotten.
    return Scan(scan.data[window].copy(), scan.mask[window].copy())


def as_many(corners, subjects):
    """Thin out the corners of each subject's scans to those of the smallest: its coarser copies have fewer, and count as much.

    Parameters
    ----------
    corners : list of ndarray of int32, shape (corners, 3)
    subjects : list of str
        Of each scan.

    Returns
    -------
    list of ndarray
    """
    least = {name: min(len(places) for places, other in zip(corners, subjects) if other == name) for name in set(subjects)}
    return [places[np.linspace(0, len(places) - 1, least[name]).astype(int)] for places, name in zip(corners, subjects)]


def thick_enough(scan, factor):
    """Repeat the outermost voxels of a scan that is thinner than one block of the network: Scan."""
    return Scan(thickened(scan.data, factor), thickened(scan.mask[..., None], factor)[..., 0])


def _augmented(patches, pair, config, patch_shape):
    if config.gain > 0 and pair.simulated:
        patches = with_random_gain(patches, config.seed, config.gain)
    axes = mirror_axes(pair.target.affine, config.mirror_training)
    patches = with_random_flips(patches, config.seed, axes) if axes else patches
    plane = turning_plane(pair.zooms, patch_shape, config.simulate or (1, 1, 1)) if config.turns else None
    patches = with_quarter_turns(patches, config.seed, plane) if plane else patches
    return with_random_motion(patches, config.seed, config.affine) if config.affine > 0 else patches


def _anywhere(scan, patch_shape, count, rng):
    """Choose patches once and for all, wherever they fall: the published sampling."""
    last = np.subtract(scan.data.shape[:3], patch_shape)
    return _source(scan, rng.integers(last + 1, size=(count, 3)))


def in_brain(scan, patch_shape, count, rng):
    """Choose patches centred in the brain once and for all: keras_mri.data.pipelines.PatchSource."""
    corners = foreground_corners(scan.mask, patch_shape)
    return _source(scan, corners[rng.integers(len(corners), size=count)])


def _source(scan, corners):
    return PatchSource(scan.data, np.insert(corners, 3, 0, axis=1).astype(np.int32))
