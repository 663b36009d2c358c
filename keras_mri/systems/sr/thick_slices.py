"""Scans with thick slices on a finer grid: one axis after the other, the coarsest first, each as a stack of slices along the last axis.

A network of thick slices sees the slices, interpolated along their axis, beside the distance of each voxel from the nearest slice. What it
returns is changed as little as possible so that averaging over the profile of the slices gives what was measured, but for part of its
noise: exact agreement would bring the noise back, and with it any error of the profile (experiments/08_super_resolution). Frames of a run
whose k-space was cut are kept exactly: that amplifies no noise, which is part of what is tested over time.
"""

import typing

import numpy as np

from keras_mri.errors import InputError, remark
from keras_mri.imaging.acquisition.slice_profiles import distance_to_slices, interpolation_matrix, kept, profile_matrix
from keras_mri.imaging.intensity import fit_image_scaling
from keras_mri.imaging.kspace import finer_step
from keras_mri.imaging.noise import estimate_sigma
from keras_mri.inference.extremes import as_seen
from keras_mri.inference.restoring import lowest_intensity, restored_frames
from keras_mri.io.grids import mirror_axes
from keras_mri.io.nifti_headers import on_finer_grid
from keras_mri.systems.sr.slice_facts import slice_axis, thickness_of

# Voxel side that is reached where nobody says another, mm.
VOXEL = 1.0
# Fine voxels that are one unit of the distance that the network sees.
DISTANCE = 4.0
# An axis is coarse from this many target voxels on, and can be refined up to so many.
COARSE, MOST = 1.1, 8.0
# Zooms are written in float32.
_ROUNDED = 1e-4
# Share of the SD of the slices' noise by which the result may differ from them, and of the robust maximum from which on tissue counts.
_OF_NOISE, _TISSUE = 0.5, 0.1


class Refinement(typing.NamedTuple):
    """One axis of a scan and what becomes of it.

    Parameters
    ----------
    axis : int
    slices, voxels : int
        Along it, before and after.
    spacing, thickness : float
        Of the slices, mm.
    profile : {"box", "gaussian", "kspace"}
    """

    axis: int
    slices: int
    voxels: int
    spacing: float
    thickness: float
    profile: str

    @property
    def matrix(self):
        """How the slices are measured: ndarray of float64, shape (slices, voxels)."""
        fine = self.slices * self.spacing / self.voxels
        return profile_matrix(self.voxels, self.slices, fine, self.spacing, self.thickness, self.profile)


def refinements_of(volume, voxel=VOXEL, profile=None, upsample=None):
    """Plan how a scan is brought to a finer grid.

    Parameters
    ----------
    volume : Volume
    voxel : float
        Side of the voxels to reach, mm. An axis whose voxels exceed it by a tenth or less stays as it is.
    profile : {"box", "gaussian", "kspace"}, optional
        Of the slices. By default "gaussian" along the axis of thick slices, and "kspace" along axes that are coarse together.
    upsample : tuple of int, (x, y, z), optional
        How many times more voxels to reach along each axis, instead of `voxel`.

    Returns
    -------
    list of Refinement
        The coarsest axis first.

    Raises
    ------
    InputError
        If an axis is too coarse, holds a single slice, or nobody knows how far apart its slices are.
    """
    zooms, plan = volume.zooms, []
    across = slice_axis(zooms)
    for axis in sorted(range(3), key=lambda axis: -zooms[axis]):
        slices, spacing = volume.shape[axis], zooms[axis]
        voxels = slices * upsample[axis] if upsample else round(slices * spacing / voxel)
        if voxels <= slices or (not upsample and spacing <= COARSE * voxel):
            continue
        _check(volume, spacing, slices, spacing * slices / voxels if upsample else voxel)
        stack = axis == across
        chosen = profile or ("gaussian" if stack else "kspace") if stack or across is None else "kspace"
        plan.append(Refinement(axis, slices, voxels, spacing, thickness_of(volume, axis) if stack else spacing, chosen))
    return plan


def refine(volume, trained, options, predictor):
    """Bring a scan to a finer grid.

    Parameters
    ----------
    volume : Volume
        3D or 4D.
    trained : dict
        What the network was trained on, as its file says: the ranges `voxel` and `spacing`, mm.
    options : PredictConfig
        `voxel` or `upsample`, `slice_profile` and `mirror`.
    predictor : callable
        `predictor(shape, axes, sigma)` returns what maps an ndarray of float32, shape (x, y, z, 2), to one of shape (x, y, z), averaged
        over mirror images along `axes`; `sigma` is the SD of the noise in network units.

    Returns
    -------
    Volume
        In the unit of the scan, over the same field of view. The scan itself where no axis is coarse.

    Raises
    ------
    InputError
        As `refinements_of`.
    """
    voxel = VOXEL if options.voxel is None else options.voxel
    plan = refinements_of(volume, voxel, options.slice_profile, options.upsample)
    if not plan:
        sides = " × ".join(f"{side:.3g}" for side in volume.zooms)
        remark(volume.name, f"its voxels of {sides} mm are not coarser than the {voxel:g} mm to reach: it is returned as it is")
        return volume.with_frames(volume.frame, {"unchanged": True})
    _say_what_is_unknown(volume, plan, trained)
    if volume.n_frames > 1:
        remark(volume.name, f"its {volume.n_frames} frames are brought to the finer grid one by one")
    seen = as_seen(volume)
    scaling = fit_image_scaling(seen.volume, "percentile")
    lowest = scaling.apply(lowest_intensity(seen.volume))
    sigma = estimate_sigma(seen.volume.frame(0)) / scaling.scale
    runs, shape = [], list(volume.shape[:3])
    for step in plan:
        shape[step.axis] = step.voxels
        order = moved(range(3), step.axis)
        axes = [order.index(axis) for axis in mirror_axes(volume.affine, options.mirror)]
        runs.append(predictor(tuple(moved(shape, step.axis)), axes, sigma))

    def finer(t):
        image = scaling.apply(seen.volume.frame(t))
        for step, run in zip(plan, runs):
            exactly = volume.n_frames > 1 and step.profile == "kspace"
            image = refined(image, step, run, lowest, 0.0 if exactly else _OF_NOISE * sigma)
        return image

    frames = restored_frames(volume, scaling, finer, seen=seen)
    factors = [after / before for before, after in zip(volume.shape, shape)]
    return on_finer_grid(volume, (*shape, *volume.shape[3:]), finer_step(factors), lambda t: _with_zeros(frames(t), volume.frame(t), plan))


def refined(image, step, run, lowest=-np.inf, tolerance=0.0):
    """Refine one axis of an image.

    Parameters
    ----------
    image : ndarray of float32, shape (x, y, z)
        In network units.
    step : Refinement
    run : callable
        The network, from (x, y, z, 2) to (x, y, z), with the axis as the last one.
    lowest : float
        No voxel of the result falls below it.
    tolerance : float
        RMS difference from the slices that may stay.

    Returns
    -------
    ndarray of float32, shape (x, y, z) with more voxels along the axis
    """
    slices, matrix = np.ascontiguousarray(np.moveaxis(image, step.axis, -1)), step.matrix
    result = np.maximum(run(network_input(slices, step.voxels)), lowest)
    result = kept(result, slices, matrix, tolerance, np.abs(slices) > _TISSUE)
    return np.moveaxis(np.maximum(result, lowest), -1, step.axis)


def network_input(slices, voxels):
    """Make what a network of thick slices sees.

    Parameters
    ----------
    slices : ndarray of float32, shape (x, y, slices)
    voxels : int
        Of the fine grid along the last axis.

    Returns
    -------
    ndarray of float32, shape (x, y, voxels, 2)
        The slices, interpolated by cubic splines, and the distance of each voxel from the nearest slice, in four voxels.
    """
    count = slices.shape[-1]
    channels = np.empty((*slices.shape[:-1], voxels, 2), np.float32)
    channels[..., 0] = slices @ interpolation_matrix(voxels, count).T.astype(np.float32)
    channels[..., 1] = distance_to_slices(voxels, count) / np.float32(DISTANCE)
    return channels


def moved(sides, axis):
    """Return a sequence of three in which the entry of an axis is the last one, as `numpy.moveaxis` moves axes: list."""
    return [side for other, side in enumerate(sides) if other != axis] + [list(sides)[axis]]


def _check(volume, spacing, slices, voxel):
    if spacing > (1 + _ROUNDED) * MOST * voxel:
        least = np.ceil(100 * spacing / MOST - _ROUNDED) / 100
        raise InputError(
            f"`voxel` can be {MOST:g} times finer than the slices at most. Received: {voxel:g} mm for {volume.name}, whose voxels are "
            f"{spacing:.3g} mm long. Use {least:g} or more."
        )
    if slices < 2:
        raise InputError(
            f"{volume.name} has a single slice along the axis of its {spacing:.3g} mm voxels, shape {volume.shape[:3]}. "
            "Expected at least two."
        )


def _say_what_is_unknown(volume, plan, trained):
    """Remark on voxels and distances of slices that the network was not trained on."""
    reached = [step.slices * step.spacing / step.voxels for step in plan]
    spacings = [step.spacing for step in plan]
    for name, values, words in (("voxel", reached, "the voxels to reach are {} mm"), ("spacing", spacings, "its slices are {} mm apart")):
        low, high = trained[name]
        outside = [value for value in values if not low / COARSE <= value <= high * COARSE]
        if outside:
            said = words.format(f"{outside[0]:.3g}")
            remark(volume.name, f"{said}; the network was trained on {low:g} to {high:g} mm, and is applied all the same")


def _with_zeros(result, measured, plan):
    """Return a result that is exactly 0 wherever the slices on both sides are."""
    zero = measured == 0
    if not zero.any():
        return result
    for step in plan:
        places = (np.arange(step.voxels) + 0.5) * step.slices / step.voxels - 0.5
        below, above = (np.clip(side(np.round(places, 6)), 0, step.slices - 1).astype(int) for side in (np.floor, np.ceil))
        zero = np.take(zero, below, axis=step.axis) & np.take(zero, above, axis=step.axis)
    return np.where(zero, np.zeros((), result.dtype), result)
