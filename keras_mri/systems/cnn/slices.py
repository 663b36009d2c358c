"""Slices of scans as a data set: cut, scaled, made noisy, and split without leaks."""

import dataclasses
import logging
import typing

import numpy as np

from keras_mri.errors import InputError
from keras_mri.imaging.foreground import patch_foreground
from keras_mri.imaging.intensity import fit_image_scaling
from keras_mri.imaging.noise import add_gaussian_noise, add_rician_noise

_LOGGER = logging.getLogger(__name__)
_HELD_OUT_SHARE = 0.2
# Slices of which less than this share is tissue teach nothing; frames looked at to tell tissue.
_LEAST_TISSUE, _FRAMES_SEEN = 0.05, 8


@dataclasses.dataclass(frozen=True)
class Slices:
    """Slices of one or more scans, all of one shape.

    Parameters
    ----------
    clean : ndarray of float32, shape (slices, x, y)
        In network units.
    sigma : ndarray of float32, shape (slices,)
        Noise SD of each noisy slice, in network units.
    noisy : ndarray of float32, shape (slices, x, y), optional
        Given where the noise came with the data; else `with_noise` draws it.
    places : ndarray of int32, shape (slices, 3), optional
        Number of the scan, position and frame of each slice; None if unknown.
    zooms : tuple of tuple of float
        Voxel sides of each scan, mm; empty if unknown.
    axis : int, optional
        The voxel axis across which scans were cut.
    percentiles : tuple of float, optional
        Those between which intensities were scaled and clipped.
    scans : tuple of Volume
        The scans that were cut; empty for a data set from elsewhere.
    """

    clean: np.ndarray
    sigma: np.ndarray
    noisy: np.ndarray | None = None
    places: np.ndarray | None = None
    zooms: tuple = ()
    axis: int | None = None
    percentiles: tuple | None = None
    scans: tuple = ()

    def __len__(self):
        return len(self.clean)


class Cut(typing.NamedTuple):
    """How scans are cut into slices.

    Parameters
    ----------
    axis : int
        The voxel axis across which scans are cut.
    slices : int or None
        Central slices of each scan; None takes all that show tissue.
    time_points : int
        The first frames of a run, at most this many.
    percentiles : pair of float or None
        Intensities are scaled by these percentiles and clipped to [0, 1]; None scales them by a robust maximum.
    """

    axis: int
    slices: int | None
    time_points: int
    percentiles: tuple[float, float] | None


def cut_slices(volumes, cut, factor, noise_range, seed):
    """Cut scans into slices, scaled and of one shape.

    Parameters
    ----------
    volumes : sequence of Volume
        3D or 4D. Where they differ in size, the middle of each slice is taken.
    cut : Cut
    factor : int
        The sides of a slice are multiples of this.
    noise_range : pair of float
        Lowest and highest noise SD, in network units.
    seed : int
        Shuffles the noise SDs.

    Returns
    -------
    Slices
        Ordered by scan, frame and position; the noise SDs are spread evenly over `noise_range`, in random order.

    Raises
    ------
    InputError
        If a scan has too few slices, or they are too small.
    """
    rest = [tuple(side for axis, side in enumerate(volume.shape[:3]) if axis != cut.axis) for volume in volumes]
    shape = _common_shape(rest, factor)
    parts, places = [], []
    for number, volume in enumerate(volumes):
        positions = _positions(volume, cut)
        frames = min(cut.time_points, volume.n_frames)
        scaling = fit_image_scaling(volume, cut.percentiles or "percentile")
        window = _middle(rest[number], shape)
        part = np.empty((frames, len(positions), *shape), np.float32)
        for t in range(frames):
            part[t] = scaling.apply(np.moveaxis(volume.frame(t), cut.axis, 0)[positions][window])
        parts.append(part.reshape(-1, *shape))
        places += [(number, position, t) for t in range(frames) for position in positions]
        seen = f"{len(positions)} slices ({positions[0]} … {positions[-1]} along axis {cut.axis}) of {frames} time point(s)"
        _LOGGER.info("%s: %s, %d × %d pixels", volume.name, seen, *shape)
    clean = np.concatenate(parts)
    if cut.percentiles:
        np.clip(clean, 0, 1, out=clean)
    low, high = noise_range
    shares = (np.random.default_rng([seed, 1]).permutation(len(clean)) + 0.5) / len(clean)
    sigma = (low + (high - low) * shares).astype(np.float32)
    zooms = tuple(volume.zooms for volume in volumes)
    return Slices(clean, sigma, None, np.array(places, np.int32), zooms, cut.axis, cut.percentiles, tuple(volumes))


def with_noise(slices, rows, model, seed, clip=False):
    """Return the noisy slices: those that came with the data, or one draw of the noise, the same whenever it is asked for.

    Parameters
    ----------
    slices : Slices
    rows : sequence of int
        Which slices.
    model : {"gaussian", "rician"}
    seed : int
    clip : bool
        Clip noisy intensities to [0, 1].

    Returns
    -------
    ndarray of float32, shape (rows, x, y)
    """
    if slices.noisy is not None:
        return slices.noisy[np.asarray(rows)]
    noisy = np.empty((len(rows), *slices.clean.shape[1:]), np.float32)
    for number, row in enumerate(rows):
        # A generator for each slice: any part of the data set can be drawn by itself.
        rng = np.random.default_rng([seed, 2, int(row)])
        clean, sigma = slices.clean[row], float(slices.sigma[row])
        if model == "rician":
            noisy[number] = add_rician_noise(np.maximum(clean, 0), sigma, rng)
        else:
            noisy[number] = add_gaussian_noise(clean, sigma, rng)
    return np.clip(noisy, 0, 1, out=noisy) if clip else noisy


def split_slices(slices, split, seed):
    """Divide slices into those that train and those that validate.

    By position: in every scan a block of a fifth of the positions is held out at all time points, with one unused slice on
    either side where there are enough, so that no anatomy that validates has trained. At random, as published, other time
    points of the same slices train.

    Parameters
    ----------
    slices : Slices
    split : {"position", "random"}
    seed : int
        Used at random only.

    Returns
    -------
    training, held_out : ndarray of int
        Rows.

    Raises
    ------
    InputError
        If there are too few slices for both.
    """
    if split == "random":
        rows = np.random.default_rng([seed, 3]).permutation(len(slices))
        count = round(_HELD_OUT_SHARE * len(slices))
        training, held_out = rows[count:], rows[:count]
    elif slices.places is None:
        # Nothing is known of a data set from elsewhere but its order: neighbours stay together.
        count = round(_HELD_OUT_SHARE * len(slices))
        training, held_out = np.split(np.arange(len(slices)), [len(slices) - count])
        _LOGGER.warning("the data set has no places of its slices: its last fifth validates, and may show anatomy that trains")
    else:
        training, held_out = _by_position(slices.places)
    if not len(training) or not len(held_out):
        raise InputError(
            "slices that train and slices that are held out need at least two positions, or five slices. "
            f"Received: {len(slices)} slice(s). Use more slices (`slices`), or `split` random."
        )
    return training, held_out


def fitting_slices(slices, factor):
    """Return slices whose sides are multiples of `factor`: the middle of each slice.

    Parameters
    ----------
    slices : Slices
    factor : int

    Returns
    -------
    Slices
    """
    sides = slices.clean.shape[1:]
    window = _middle(sides, _common_shape([sides], factor))
    noisy = None if slices.noisy is None else slices.noisy[window]
    return dataclasses.replace(slices, clean=slices.clean[window], noisy=noisy)


def _positions(volume, cut):
    """List the slices that are used: the central ones, or all with tissue."""
    side = volume.shape[cut.axis]
    if cut.slices is not None:
        if cut.slices > side:
            raise InputError(f"`slices` must not exceed the {side} slices of {volume.name} along axis {cut.axis}. Received: {cut.slices}.")
        first = (side - cut.slices) // 2
        return list(range(first, first + cut.slices))
    tissue = np.moveaxis(patch_foreground(volume.sample_frames(_FRAMES_SEEN).mean(axis=-1)), cut.axis, 0)
    shares = tissue.mean(axis=(1, 2))
    return [int(position) for position in np.flatnonzero(shares >= min(_LEAST_TISSUE, shares.max()))]


def _by_position(places):
    held_out, unused = np.zeros(len(places), bool), np.zeros(len(places), bool)
    for scan in np.unique(places[:, 0]):
        here = places[:, 0] == scan
        positions = np.unique(places[here, 1])
        count = max(1, round(_HELD_OUT_SHARE * len(positions))) if len(positions) > 1 else 0
        # Not the last slices, which show less brain, if there are others: the fourth fifth.
        start = len(positions) - count - (count if len(positions) >= 5 else 0)
        block = positions[start : start + count]
        held_out |= here & np.isin(places[:, 1], block)
        if len(positions) >= 5:
            unused |= here & np.isin(places[:, 1], [positions[start - 1], positions[start + count]])
    return np.flatnonzero(~held_out & ~unused), np.flatnonzero(held_out)


def _common_shape(shapes, factor):
    """Return the largest sides, multiples of `factor`, that fit every slice."""
    sides = np.min(shapes, axis=0)
    shape = tuple(int(side) // factor * factor for side in sides)
    if 0 in shape:
        raise InputError(
            f"slices must have at least {factor} × {factor} pixels. Received: {' × '.join(map(str, sides))}. Choose another `axis`."
        )
    return shape


def _middle(sides, shape):
    """Return the indices (slice, x, y) that cut the middle out of a stack of slices."""
    return (slice(None), *(slice((side - size) // 2, (side - size) // 2 + size) for side, size in zip(sides, shape)))
