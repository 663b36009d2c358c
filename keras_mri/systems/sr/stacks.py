"""Training for thick slices: thin scans along each of their axes, and stacks of slices drawn by chance, as linear maps on a patch."""

import typing

import numpy as np

from keras_mri.errors import InputError
from keras_mri.imaging.acquisition.slice_profiles import distance_to_slices, interpolation_matrix, profile_matrix
from keras_mri.systems.sr.thick_slices import COARSE, DISTANCE, MOST, Refinement, moved, network_input, refined

# Stacks to choose from, and the thinnest slices in their spacings.
_STACKS, _THINNEST = 200, 0.5
# Beyond so many spacings a slice and its spline matter no more.
_FAR = 3.0


class Stacks(typing.NamedTuple):
    """Stacks of thick slices across a patch and its surroundings, many to choose from.

    Parameters
    ----------
    blur : ndarray of float32, shape (stacks, side, side + 2 · context)
        From fine voxels to those of slices that were measured and interpolated. Rows sum to one.
    spread : ndarray of float32, shape (stacks, side, slices)
        From the noise of slices to that of voxels.
    distance : ndarray of float32, shape (stacks, side)
        Of each voxel from the nearest slice, as the network sees it.
    """

    blur: np.ndarray
    spread: np.ndarray
    distance: np.ndarray


def context_of(ratios):
    """Return how many voxels beyond a patch its slices depend on: int; `ratios` as for `drawn_stacks`."""
    return int(np.ceil(_FAR * max(ratios)))


def drawn_stacks(side, ratios, rng):
    """Draw stacks of slices: spacing, thickness, profile and place.

    Parameters
    ----------
    side : int
        Voxels of a patch along the last axis.
    ratios : pair of float
        Lowest and highest spacing of the slices, in voxels.
    rng : numpy.random.Generator

    Returns
    -------
    Stacks
    """
    context = context_of(ratios)
    drawn = [_drawn(side, context, ratios, rng) for _ in range(_STACKS)]
    most = max(spread.shape[1] for _, spread, _ in drawn)
    spreads = [np.pad(spread, [(0, 0), (0, most - spread.shape[1])]) for _, spread, _ in drawn]
    parts = [blur for blur, *_ in drawn], spreads, [distance for *_, distance in drawn]
    return Stacks(*(np.array(part, np.float32) for part in parts))


def slicing_axes(zooms, spacing):
    """Return the axes along which a scan is thin enough to teach what thick slices lack: tuple of int; `spacing` the lowest one, mm."""
    return tuple(axis for axis in range(3) if zooms[axis] * COARSE <= spacing)


def ratios_of(pairs, spacings):
    """Return the range of the slices' distances in voxels of the training.

    Parameters
    ----------
    pairs : sequence of keras_mri.systems.sr.pairs.Pair
    spacings : pair of float
        mm.

    Returns
    -------
    (float, float)

    Raises
    ------
    InputError
        If a scan has no axis with voxels much smaller than the lowest distance.
    """
    for pair in pairs:
        if not slicing_axes(pair.zooms, spacings[0]):
            sides = " × ".join(f"{side:.3g}" for side in pair.zooms)
            raise InputError(
                f"`thick_slices` {spacings[0]:g} {spacings[1]:g} needs scans with voxels of {spacings[0] / COARSE:.2g} mm or less. "
                f"Received: {pair.target.name} with {sides} mm."
            )
    voxel = np.median([pair.zooms[axis] for pair in pairs for axis in slicing_axes(pair.zooms, spacings[0])])
    low, high = (min(MOST, max(COARSE, spacing / voxel)) for spacing in spacings)
    return float(low), float(high)


def along_last(data, axis, context):
    """Turn an axis of a scan to the last place, and repeat its outermost voxels along it.

    Parameters
    ----------
    data : ndarray, shape (x, y, z, …)
    axis : int
    context : int
        Voxels that are added at both ends.

    Returns
    -------
    ndarray, same type
    """
    turned = np.moveaxis(data, axis, 2)
    return np.pad(turned, [(context, context) if a == 2 else (0, 0) for a in range(data.ndim)], mode="edge")


def stack_shown(image, pair, spacings, make_run):
    """Make the picture of what a network does to thick slices of a scan.

    Parameters
    ----------
    image : ndarray of float32, shape (x, y, z)
        In network units.
    pair : keras_mri.systems.sr.pairs.Pair
        Where the image comes from.
    spacings : pair of float
        Range of the slices' distances, mm: one from its middle is shown.
    make_run : callable
        `make_run(shape)` returns the network, from (x, y, z, 2) to (x, y, z).

    Returns
    -------
    dict of str to ndarray of float32, shape (x, y, z)
        Interpolated slices, restored, and target.
    """
    axis = slicing_axes(pair.zooms, spacings[0])[-1]
    side, zoom = image.shape[axis], pair.zooms[axis]
    slices = max(2, round(side * zoom / np.sqrt(np.prod(spacings))))
    spacing = side * zoom / slices
    step = Refinement(axis, slices, side, spacing, spacing, "gaussian")
    thick = (np.moveaxis(image, axis, -1) @ step.matrix.T).astype(np.float32)
    interpolated = np.moveaxis(network_input(thick, side)[..., 0], -1, axis)
    restored = refined(np.moveaxis(thick, -1, axis), step, make_run(tuple(moved(image.shape, axis))))
    return {"slices": interpolated, "restored": restored, "target": image}


def _drawn(side, context, ratios, rng):
    window = side + 2 * context
    ratio = rng.uniform(*ratios)
    slices = int(np.ceil(window / ratio)) + 2
    # A field of view of whole voxels and whole slices, longer than the window, which lies anywhere in it.
    voxels = max(window, round(slices * ratio))
    spacing, first = voxels / slices, rng.integers(voxels - window + 1)
    thickness, profile = spacing * rng.uniform(_THINNEST, 1.0), rng.choice(["box", "gaussian"])
    spread = interpolation_matrix(voxels, slices)
    inner = slice(first + context, first + context + side)
    blur = (spread @ profile_matrix(voxels, slices, 1.0, spacing, thickness, profile))[inner, first : first + window]
    return blur / blur.sum(axis=1, keepdims=True), spread[inner], distance_to_slices(voxels, slices)[inner] / DISTANCE
