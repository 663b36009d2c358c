"""Denoise a run with the network of runs, in memory that does not grow with the number of frames.

Frames are copied to a temporary file; its slabs are turned into maps, each map is denoised, and slabs of maps are turned back into frames.
"""

import functools
import math

import numpy as np
from scipy import ndimage

from keras_mri.errors import InputError, remark
from keras_mri.imaging.foreground import patch_foreground
from keras_mri.imaging.runs.inspection import inspect_run
from keras_mri.imaging.runs.noise import estimate_run_noise_by_slabs
from keras_mri.imaging.runs.temporal_basis import USUAL_REPETITION_TIME, TemporalCovariance, temporal_basis
from keras_mri.inference.extremes import as_seen
from keras_mri.inference.fitting_precision import FittingPrecision, Trial
from keras_mri.inference.restoring import lowest_intensity
from keras_mri.inference.tiles import predictor
from keras_mri.inference.volume_bar import volume_bar
from keras_mri.io.frame_store import FrameStore
from keras_mri.io.grids import mirror_axes
from keras_mri.systems.wgan.run_channels import (
    CHANNELS,
    LEAST_FRAMES,
    activity,
    channels_of,
    inverse,
    local_contrast,
    noise_gains,
)
from keras_mri.systems.wgan.run_response import TestActivation

# Values of a slab.
_SLAB_VALUES = 6_000_000


def denoised_run(checkpoint, volume, options, mask=None):
    """Denoise a run; the work is done when the first frame is asked for.

    Parameters
    ----------
    checkpoint : keras_mri.saving.checkpoints.Checkpoint
        Of a network of runs.
    volume : Volume
        Ten frames or more.
    options : PredictConfig
    mask : ndarray of bool, shape (x, y, z), optional
        Where frames are denoised; elsewhere they stay exactly as measured.

    Returns
    -------
    Volume
        On the same grid, with the same header, in the same unit. Its `facts` are filled with its first frame: `inspection`,
        `noise_correlation`, `keep_trained`, `keep_measured`, `spread`.

    Raises
    ------
    InputError
        If the network has another number of channels, the run is too short, or it is unclear which frames belong together.
    """
    check_network(checkpoint.network, volume)
    seen = as_seen(volume)
    inspection = look_at(seen.volume)
    facts = {**volume.facts, "keep_trained": checkpoint.inference.get("keep")}
    fitting = FittingPrecision(checkpoint.network, options.precision, math.prod(volume.shape), volume.name, facts)
    lowest, frames_of = lowest_intensity(seen.volume), functools.cache(lambda: _denoised(fitting, seen.volume, inspection, options, facts))

    def frame(t):
        if t in inspection.unlike:
            return volume.frame(t)
        denoised, varies = frames_of()[t]
        # What is exactly 0 in most frames has no noise, and stays as it is.
        return np.where(varies if mask is None else varies & mask, seen.put_back(t, np.maximum(denoised(), lowest)), volume.frame(t))

    return volume.with_frames(frame, facts)


def look_at(volume):
    """Inspect a run and report what was found; raise InputError if its frames cannot be told apart.

    Parameters
    ----------
    volume : Volume

    Returns
    -------
    RunInspection

    Raises
    ------
    InputError
    """
    inspection = inspect_run(volume.frames(), repetition_time=volume.repetition_time, zooms=volume.zooms)
    sentences = inspection.sentences()
    if not any(len(frames) >= LEAST_FRAMES for frames in inspection.conditions):
        raise InputError(
            f"{volume.name} has no {LEAST_FRAMES} frames of one kind. Found: {'; '.join(sentences) or f'{volume.n_frames} frames'}. "
            "Leave out damaged frames, or use a network of single volumes (`frames` 1)."
        )
    volume.facts["inspection"] = inspection.facts()
    if volume.repetition_time is None:
        sentences.append(f"no repetition time in its header; {USUAL_REPETITION_TIME:g} s are assumed; state another with `tr`")
    for sentence in sentences:
        remark(volume.name, sentence)
    return inspection


def remark_if_smoothed(noise, name):
    """Warn where the correlation of a run's noise is above what scanners leave.

    Parameters
    ----------
    noise : keras_mri.imaging.runs.noise.RunNoise
    name : str
        Of the run.
    """
    if noise.smoothed_beforehand:
        along = ", ".join(f"{r:.2f}" for r in noise.correlation)
        smoothed = f"was smoothed or resampled before (correlation of neighbouring voxels {along})"
        remark(name, f"{smoothed}; it is used all the same, but better denoise first, then smooth")


def spaced(repetition_time, frames):
    """Return the time between successive frames of a condition, s: twice the repetition time where two conditions alternate.

    Parameters
    ----------
    repetition_time : float or None
    frames : sequence of int
        Two or more.

    Returns
    -------
    float or None
    """
    return repetition_time and repetition_time * (frames[-1] - frames[0]) / (len(frames) - 1)


def is_of_runs(network):
    """Return whether a network takes maps of a run; those of single volumes and of windows of frames have other names."""
    return network.name == "run_unet"


def check_network(network, volume):
    """Raise InputError unless a network takes a run's channels and the run is long enough."""
    if network.input_shape[-1] != CHANNELS:
        raise InputError(f"a network of runs sees {CHANNELS} channels. Received: one of {network.input_shape[-1]}. Train it anew.")
    if volume.n_frames < LEAST_FRAMES:
        raise InputError(
            f"this network denoises runs of {LEAST_FRAMES} frames or more. Received: {volume.name} with {volume.n_frames}. "
            "Use a network of single volumes (trained with `frames` 1), e.g. epi."
        )


def _denoised(fitting, volume, inspection, options, facts):
    """Return, by frame, the function that reads it denoised, and where it has noise: ndarray of bool, shape (x, y, z)."""
    readers = {}
    # The longest last: it is the one that the verdict is on.
    for frames in sorted(inspection.conditions, key=len):
        condition = _Condition(fitting, volume, frames, options)
        facts.update(condition.facts)
        readers.update({t: (functools.partial(condition.store.frame, k), condition.sigma > 0) for k, t in enumerate(frames)})
    return readers


class _Condition:
    """The frames of one condition, denoised as a run of their own in a temporary file, `store`."""

    def __init__(self, fitting, volume, frames, options):
        self.volume, self.frames, self.options = volume, frames, options
        self.store = FrameStore(volume.shape[:3], len(frames))
        for k, t in enumerate(frames):
            self.store.write(k, volume.frame(t))
        self._measure()
        self._to_maps()
        self._denoise(fitting)
        self._to_frames()

    def _slabs(self):
        """Return the first slices and the ends of slabs."""
        x, y, depth = self.store.shape
        thickness = max(1, _SLAB_VALUES // (x * y * len(self.frames)))
        return [(first, min(first + thickness, depth)) for first in range(0, depth, thickness)]

    def _measure(self):
        """Measure noise, mean and the basis of time courses."""
        store, count = self.store, len(self.frames)
        (_, thickness), *_ = self._slabs()
        noise = estimate_run_noise_by_slabs(store.slab, store.shape[2], thickness=thickness)
        remark_if_smoothed(noise, self.volume.name)
        self.sigma, self.weight, self.lags = noise.sigma, inverse(noise.sigma), noise.lags
        self.mean = (sum(store.frame(k).astype(np.float64) for k in range(count)) / count).astype(np.float32)
        self.tissue = patch_foreground(self.mean) & (self.sigma > 0)
        covariance = TemporalCovariance(self.tissue)
        for k in range(count):
            covariance.add((store.frame(k) - self.mean) * self.weight)
        self.basis = temporal_basis(covariance.matrix(), spaced(self.volume.repetition_time, self.frames))
        self.facts = {"noise_correlation": [round(r, 3) for r in noise.correlation]}

    def _to_maps(self):
        """Turn frames into maps; the last place of the store, where there is no map, becomes zero."""
        square = np.hstack([self.basis, np.zeros((len(self.frames), 1), np.float32)])
        for first, last in self._slabs():
            scaled = (self.store.slab(first, last) - self.mean[:, :, first:last, None]) * self.weight[:, :, first:last, None]
            self.store.write_slab(first, scaled @ square)

    def _denoise(self, fitting):
        """Denoise every map, in the box around the voxels that vary."""
        box = ndimage.find_objects((self.sigma > 0).astype(int))
        if not box:
            return
        contrast, gains = local_contrast(self.mean)[box[0]], noise_gains(self.lags)
        active = activity((self.store.frame(k)[box[0]] for k in range(self.basis.shape[1])), gains)

        def channels(values):
            return channels_of(values, gains, contrast, active)

        # The first map has most signal; the noise of every map is 1.
        network = fitting.network(lambda: Trial(channels(self.store.frame(0)[box[0]]), 1.0))
        run = predictor(network, contrast.shape, self.options.tile, mirror_axes(self.volume.affine, self.options.mirror))

        def denoised(values):
            return run(channels(values))

        test, known = TestActivation((self.mean * self.weight)[box[0]], self.tissue[box[0]], self.basis), {}
        with volume_bar(contrast.shape, self.basis.shape[1], shown=True) as advance:
            for k in range(self.basis.shape[1]):
                whole = self.store.frame(k)
                before = whole[box[0]].copy()
                whole[box[0]] = after = denoised(before)
                self.store.write(k, whole)
                if k in test.maps:
                    known[k] = before, after
                advance(1)
        self.facts |= test.response(denoised, known)

    def _to_frames(self):
        """Turn denoised maps back into frames."""
        square = np.hstack([self.basis, np.zeros((len(self.frames), 1), np.float32)])
        for first, last in self._slabs():
            fluctuations = self.store.slab(first, last) @ square.T
            self.store.write_slab(first, self.mean[:, :, first:last, None] + fluctuations * self.sigma[:, :, first:last, None])
