"""Denoise a scan from its repetitions: a residual network whose target is, again and again, the denoised average.

References
----------
Li et al., Proc ISMRM 2022 (Noise2Average).
Lehtinen et al., ICML 2018 (Noise2Noise). arXiv:1803.04189
"""

import dataclasses
import functools
import logging
import math

import keras
import numpy as np

from keras_mri.errors import InputError, remark
from keras_mri.imaging.intensity import Scaling, fit_scaling
from keras_mri.inference.central_part import central_part
from keras_mri.inference.fitting_precision import FittingPrecision, trial_of
from keras_mri.inference.tiles import predictor
from keras_mri.io.grids import bounding_box, mirror_axes
from keras_mri.networks.backends import check_trains
from keras_mri.networks.geometry import geometry
from keras_mri.networks.munet import munet, munet_diffusion
from keras_mri.networks.precision import hidden_layers_in, in_float32, with_hidden_layers_in
from keras_mri.saving import checkpoints, pretrained
from keras_mri.systems.n2a import published_munet
from keras_mri.systems.n2a.expected_time import OVERLAP, expect_outcome, mirror_in_time
from keras_mri.systems.n2a.repetitions import align_repetitions
from keras_mri.systems.n2a.settings import DENOISED, SETTINGS, inference
from keras_mri.systems.records import Outcome, System, visible_factor, with_inference
from keras_mri.training.callbacks import KeepBest
from keras_mri.training.clock import current

__all__ = ["SYSTEM", "outcome", "predict", "prepare", "settle", "train"]

_LOGGER = logging.getLogger(__name__)
_DEFAULT_FILTERS = {"munet": 16, "munet_diffusion": 64}
# What a training without a gain writes.
_AVERAGE = "their average: the average is the result, and training ends here"
_MIRRORED = {"none": "", "left-right": " and its mirror image", "all": " and its mirror images along all axes: eight times the work of one"}
# Voxels of surroundings that a network without a bounded reach is shown.
_SURROUNDINGS = 16


def settle(config):
    """Return the options with what the initial network decides: network, filters, noise scale and scaling are its own.

    Parameters
    ----------
    config : Config

    Returns
    -------
    Config

    Raises
    ------
    InputError
        If the initial network cannot be used, or is not the one the options name.
    """
    if config.initial == "none":
        return dataclasses.replace(config, filters=config.filters or _DEFAULT_FILTERS[config.network])
    start = _start(config)
    filters, theirs = start.network.get_layer("c1_1").filters, start.inference
    if config.filters not in (None, filters):
        raise InputError(f"{config.initial} has {filters} filters. Received: `filters` {config.filters}. Use `initial` none.")
    return dataclasses.replace(
        config, network=start.network.name, filters=filters, noise_scale=theirs.get("noise_scale"), scaling=theirs["scaling"]
    )


def prepare(images, config):
    """Bring the repetitions together once, for all that follows.

    Parameters
    ----------
    images : sequence of str, path-like or Volume
        Two or more images of one shape, or one 4D image.
    config : Config

    Returns
    -------
    keras_mri.systems.n2a.repetitions.Repetitions

    Raises
    ------
    InputError
        If the images do not fit together.
    """
    return _together(images, config, _match(config.scaling))


def train(data, config, callbacks=()):
    """Train on the repetitions themselves.

    Parameters
    ----------
    data : keras_mri.systems.n2a.repetitions.Repetitions
        From `prepare`.
    config : Config
        From `settle`.
    callbacks : sequence of keras.callbacks.Callback
        Added to every fit.

    Returns
    -------
    keras.Model
        Functional, float32, from (batch, x, y, z, channels) to the same, in network units.

    Raises
    ------
    InputError
        If the initial network cannot be used, or training diverges.
    """
    check_trains()
    # Only here: they need TensorFlow, and using a network does not.
    from keras_mri.systems.n2a.data import BlockOptions, RepetitionBlocks
    from keras_mri.systems.n2a.iterations import WEAK_NOISE, EndWithoutGain, NothingToGainError, iterate, restore_nothing
    from keras_mri.training.fit import keeping_best

    keras.utils.set_random_seed(config.seed)
    scan, scaling = data, _scaling(data, config.scaling)
    with hidden_layers_in(config.precision) as precision:
        network = _network(config, scan.data.shape[-1])
    blocks = RepetitionBlocks(scaling.apply(scan.data), scan.mask, network.input_shape[-1], BlockOptions.of(config, scan.reference.affine))
    facts = (len(scan.data), scan.mask.shape, network.count_params(), blocks.shape, len(blocks.held_out), precision)
    _LOGGER.info("%d repetitions of %s voxels, %d parameters, blocks of %s voxels, %d held out, %s", *facts)

    as_seen = dataclasses.replace(scan, unseen=(), pedestal=0.0)

    def denoised():
        # A target need not be the best there is: no mirror images.
        return scaling.apply(_denoised(network, as_seen, inference(config, {}), "none").data.reshape(scan.average.shape))

    expect_outcome(network, scan, config)
    best = KeepBest(network, "val_loss")
    with keeping_best(best, callbacks):
        name, noise = scan.reference.name, scan.noise
        early = [EndWithoutGain(network, best, blocks)] if noise < WEAK_NOISE else []
        try:
            if iterate(network, blocks, best, config, [*callbacks, *early], denoised):
                return in_float32(network)
            remark(name, "on the held-out blocks no network was better than the average, so this one restores nothing; train longer")
        except NothingToGainError:
            remark(
                name,
                f"the repetitions differ by so little (noise SD {100 * noise:.2g} % of the range) that no network improves on {_AVERAGE}",
            )
        restore_nothing(network, best)
    return in_float32(network)


def predict(checkpoint, images, options):
    """Denoise repetitions: their average, or each of them before they are averaged, as the network was trained for.

    Parameters
    ----------
    checkpoint : keras_mri.saving.checkpoints.Checkpoint
    images : sequence of str, path-like or Volume
        The repetitions, as in training.
    options : PredictConfig

    Returns
    -------
    Volume
        On the first repetition's grid, with its header, in its unit. Outside the mask it is the average.

    Raises
    ------
    InputError
        If the repetitions do not fit together, or the network sees another number of frames.
    """
    stored = checkpoint.inference
    scan = _together(images, options, _match(stored["scaling"]))
    facts, channels = {}, checkpoint.network.input_shape[-1]
    voxels = math.prod(scan.average.shape) * (len(scan.data) if stored["restore"] == "each" else 1)
    fitting = FittingPrecision(checkpoint.network, options.precision, voxels, scan.reference.name, facts)
    network = fitting.network(lambda: trial_of(_scaling(scan, stored["scaling"]).apply(scan.average[..., :channels])))
    result = _denoised(network, scan, stored, options.mirror or stored["mirror"], options.tile)
    result.facts = {**result.facts, **facts}
    return result


def outcome(checkpoint, data, config):
    """Denoise the repetitions themselves: the file that training writes, and pictures of it.

    Parameters
    ----------
    checkpoint : keras_mri.saving.checkpoints.Checkpoint
    data : keras_mri.systems.n2a.repetitions.Repetitions
    config : Config

    Returns
    -------
    keras_mri.systems.records.Outcome
    """
    mirror = mirror_in_time(data, config, current() and current().following)
    if not _restores_nothing(checkpoint.network):
        _LOGGER.info("restoring the %s%s", "repetitions" if config.restore == "each" else "average", _MIRRORED[mirror])
    network = with_hidden_layers_in(checkpoint.network, config.precision)
    denoised = _denoised(network, data, inference(config, {}), mirror)
    average, first = data.average[..., 0], denoised.frame(0)
    removed = np.abs(average - first)
    times = visible_factor(removed[data.mask], average[data.mask])
    panels = {
        "first repetition": data.data[0, ..., 0],
        f"average of {len(data.data)}": average,
        "mask (estimated)" if data.estimated else "mask (given)": np.where(data.mask, average, 0.25 * average),
        f"removed × {times}": times * removed,
        "denoised": first,
    }
    # Where nothing was restored there is nothing to judge.
    judged = None if _restores_nothing(checkpoint.network) else central_part(denoised)
    return Outcome(panels, {DENOISED: denoised}, data.reference.affine, judged)


def _start(config):
    """Load the initial network as a checkpoint: the pre-trained one, one of ours, or one of the original's."""
    path = pretrained.path_of("n2a_t1w.h5") if config.initial == "pretrained" else config.initial
    if published_munet.is_published_munet(path):
        return published_munet.load_checkpoint(path)
    return with_inference(checkpoints.load(path, "n2a"), SETTINGS)


def _network(config, frames):
    """Build the network that the settled options name, with its initial weights, in the precision at hand."""
    if config.initial == "none":
        if config.network == "munet_diffusion":
            return munet_diffusion(frames, config.filters)
        return munet(1, config.filters, config.noise_scale)
    initial = _start(config).network
    if initial.input_shape[-1] not in (1, frames):
        raise InputError(
            f"{config.initial} sees {initial.input_shape[-1]} frames together. Received: repetitions of {frames}. Use `initial` none."
        )
    return with_hidden_layers_in(initial, config.precision)


def _together(images, options, match):
    return align_repetitions(images, options.align_above if options.align else None, options.mask, options.repetitions, match)


def _match(scaling):
    return "mean and SD" if scaling in ("zscore", "zscore-each") else "mean"


def _scaling(scan, policy):
    if policy in ("zscore", "zscore-each"):
        # All repetitions have the first one's mean and SD by now; their average has less noise, and so a smaller SD.
        inside = (scan.data[0] if policy == "zscore-each" else scan.average)[scan.mask]
        return Scaling(float(inside.mean()), float(inside.std()) or 1.0)
    return fit_scaling(scan.average)


def _denoised(network, scan, stored, mirror, tile=None):
    """Return the denoised scan, frame by frame when asked for: restored inside the mask, the average outside."""
    average, scaling, channels = scan.average, _scaling(scan, stored["scaling"]), network.input_shape[-1]
    if average.shape[-1] % channels:
        raise InputError(f"this network sees {channels} frames together. Received: repetitions of {average.shape[-1]} frame(s).")
    each = stored["restore"] == "each"
    reach = geometry(network).reach
    # No wider around the mask than between tiles.
    box = bounding_box(scan.mask, tuple(min(side, OVERLAP) for side in reach) if reach else (_SURROUNDINGS,) * 3)
    mirrored = mirror_axes(scan.reference.affine, mirror)
    run = predictor(network, average[box].shape[:3], tile, mirrored, OVERLAP, scan.reference.n_frames == 1)

    # Of a scan of one frame, picture, verdict and file are one computation.
    @functools.lru_cache(maxsize=2)
    def restored_frame(frame):
        first = frame // channels * channels
        members = scan.data if each else [average]
        restored = np.mean([scaling.invert(run(scaling.apply(member[box][..., first : first + channels]))) for member in members], axis=0)
        restored = restored if channels == 1 else restored[..., frame - first]
        restored = np.maximum(restored, 0) if scan.magnitude else restored
        whole = average[..., frame].copy()
        whole[box] = np.where(scan.mask[box], restored, whole[box])
        return scan.put_back(frame, whole)

    # What is restored is the average, not the first repetition: a report compares with it.
    measured = scan.reference.with_frames(lambda frame: scan.put_back(frame, average[..., frame]))
    return measured.with_frames(measured.frame if _restores_nothing(network) else restored_frame)


def _restores_nothing(network):
    """Tell a network that gives back what it gets, because a training found nothing better: bool."""
    return not any(np.any(weight) for weight in network.get_layer("residual").get_weights())


SYSTEM = System(settings=SETTINGS, train=train, predict=predict, outcome=outcome, settle=settle, prepare=prepare)
