"""Latent diffusion: an autoencoder makes volumes small, a denoiser makes new ones there, from a label or from what is known.

References
----------
Rombach et al., CVPR 2022. arXiv:2112.10752
"""

import dataclasses
import logging

import keras
import numpy as np

from keras_mri.errors import InputError, remark
from keras_mri.io.nifti_reading import open_image
from keras_mri.io.volumes import Volume
from keras_mri.networks.backends import check_trains
from keras_mri.networks.latent_diffusion import assembled, parts
from keras_mri.networks.volume_autoencoder import latent_scale
from keras_mri.saving import checkpoints
from keras_mri.systems.ldm.labelled_runs import Grid, labelled_runs
from keras_mri.systems.ldm.labels import codes
from keras_mri.systems.ldm.latent_space import LatentSpace
from keras_mri.systems.ldm.settings import SETTINGS, SamplingOptions, shorter
from keras_mri.systems.ldm.stored import Inference
from keras_mri.systems.ldm.tasks import coarsened, imputed, reconstructed, super_resolved
from keras_mri.systems.records import Outcome, System, stored_inference
from keras_mri.training.clock import current

# Sampling steps of the sample in the picture; with a short time budget fewer.
_SAMPLING_STEPS, _LEAST_SAMPLING_STEPS = 50, 8
__all__ = ["SYSTEM", "facts", "generate", "outcome", "predict", "prepare", "settle", "train"]


_LOGGER = logging.getLogger(__name__)


def settle(config):
    """Take over what the autoencoder to start from decides, if there is one.

    Parameters
    ----------
    config : Config

    Returns
    -------
    Config

    Raises
    ------
    InputError
        If the file to start from holds no network of this system.
    """
    if config.stage != "diffusion":
        return config
    start = checkpoints.inspect(config.initial)
    if start["system"] != "ldm":
        raise InputError(f"`initial` must be a network of ldm. Received: {config.initial}, a network of {start['system']}.")
    inference = stored_inference(start, SETTINGS)
    decided = {name: inference[name] for name in ("scaling", "latent_channels", "filters")}
    # For the record only: what these options made is in the weights.
    recorded = {name: start["config"][name] for name in ("latent", "depth", "shortcut", "codes") if name in start["config"]}
    taken = {name: tuple(value) if isinstance(value, list) else value for name, value in {**decided, **recorded}.items()}
    return dataclasses.replace(config, **taken)


def prepare(images, config):
    """Load the scans and label their volumes.

    Parameters
    ----------
    images : sequence of str, path-like or Volume
        3D or 4D, on one grid, or with `any_grid` on any.
    config : Config

    Returns
    -------
    keras_mri.systems.ldm.labelled_runs.LabelledRuns

    Raises
    ------
    InputError
        If the images lie on different grids, or labels and volumes do not belong together.
    """
    return labelled_runs(images, config)


def train(data, config, callbacks=()):
    """Train the autoencoder, then the denoiser on its latents; or one of them.

    Parameters
    ----------
    data : keras_mri.systems.ldm.labelled_runs.LabelledRuns
        From `prepare`.
    config : Config
        From `settle`.
    callbacks : sequence of keras.callbacks.Callback
        Added to every fit.

    Returns
    -------
    keras.Model
        Functional, float32, made of the parts that `keras_mri.networks.latent_diffusion.parts` gives back.

    Raises
    ------
    InputError
        If the images cannot be used, a patch does not fit, or training diverges.
    """
    check_trains()
    # Only here: it needs TensorFlow, and using a network does not.
    from keras_mri.systems.ldm.training import fit_autoencoder, fit_denoiser
    from keras_mri.training.fit import NoticesInterruption, remember_interruption

    noticed = NoticesInterruption()
    callbacks = [*callbacks, noticed]
    keras.utils.set_random_seed(config.seed)
    training, held_out = data.divided()
    if config.stage == "diffusion":
        start = parts(checkpoints.load(config.initial, "ldm").network)._replace(denoiser=None)
    else:
        start = fit_autoencoder(training, held_out, config, callbacks)
    if config.stage == "autoencoder":
        return assembled(*start)
    if not noticed.interrupted:
        try:
            return assembled(*start._replace(denoiser=fit_denoiser(start, training, held_out, config, callbacks)))
        except KeyboardInterrupt:
            if config.stage == "diffusion":
                raise
            remember_interruption(callbacks)
    # What the first stage has learned is not lost.
    _LOGGER.warning("the network has no denoiser yet: train it with `stage` diffusion, and this one as `initial`")
    return assembled(*start)


def predict(checkpoint, images, options):
    """Send a scan through the autoencoder and back, make it finer, or fill in what it lacks.

    Parameters
    ----------
    checkpoint : keras_mri.saving.checkpoints.Checkpoint
    images : sequence of one str, path-like or Volume
    options : PredictConfig

    Returns
    -------
    Volume
        In the input's unit. On the input's grid; for super-resolution on the training's, or on a finer one, for coarsening a coarser one.

    Raises
    ------
    InputError
        If the image is not on the grid that the task needs, or the network was not trained for the task.
    """
    volume = open_image(images[0])
    if options.task == "coarsening":
        return coarsened(volume, stored_inference(vars(checkpoint), SETTINGS)["coarse"])
    space, code = _space(checkpoint, options, volume.affine, needs_denoiser=options.task != "reconstruction")
    if options.task != "reconstruction" and not space.config.condition:
        raise InputError(f"this network was trained without `condition` and cannot do {options.task}. Train one with that option.")
    grid = None if space.config.any_grid or not space.config.grid else Grid.from_json(space.config.grid)
    if options.task == "super-resolution":
        return super_resolved(space, volume, grid, options, code)
    if options.task == "imputation":
        helps = grid is None or grid.holds(volume)
        if not helps:
            remark(volume.name, "is not on the grid of this network's training: missing voxels are filled from the scan alone")
        return imputed(space, volume, options, code, helps)
    if grid:
        grid.check(volume)
    return reconstructed(space, volume)


def generate(checkpoint, count, options):
    """Draw volumes that no scanner has seen.

    Parameters
    ----------
    checkpoint : keras_mri.saving.checkpoints.Checkpoint
    count : int
    options : GenerateConfig

    Yields
    ------
    Volume
        On the training's grid, in the mean unit of its images.

    Raises
    ------
    InputError
        If the label is unknown, there are more steps than the schedule has, or the network has no denoiser.
    """
    stored = Inference.from_json(checkpoint.inference)
    if not stored.generates:
        raise InputError(
            "this network was trained to restore (`condition_drop` 0) and generates nothing. Expected one that has also learnt from "
            "volumes of which nothing is known, such as ldm_heads, or one that you train on runs of your own."
        )
    grid = Grid.from_json(stored.grid)
    space, code = _space(checkpoint, options, grid.affine, needs_denoiser=True)
    offset, scale = space.config.intensity
    # All at once, so that a sample does not depend on how many are looked at; the decoder takes them one by one.
    for number, latent in enumerate(space.sample(grid.shape, count, options, code), start=1):
        data = offset + scale * space.decode(latent, grid.shape)
        data = np.maximum(data, 0) if offset == 0 else data
        yield Volume.from_array(data, grid.affine, name=f"sample {number}")


def facts(network, data, config):
    """Return the facts of the training that its file records besides the options.

    Parameters
    ----------
    network : keras.Model
        From `train`.
    data : keras_mri.systems.ldm.labelled_runs.LabelledRuns
    config : Config

    Returns
    -------
    dict
        grid, labels (in order of their codes), scaling (offset and scale of network units), and the latent's mean and scale per channel,
        which encoder and decoder have built in.
    """
    mean, deviation = latent_scale(parts(network).encoder)
    return {
        "grid": data.grid.to_json(),
        "labels": list(data.names),
        "scaling": [data.scaling.offset, data.scaling.scale],
        "latent_mean": mean.tolist(),
        "latent_scale": deviation.tolist(),
    }


def outcome(checkpoint, data, config):
    """Show a held-out frame, its reconstruction by the autoencoder, and, if there is a denoiser, a sample with its label.

    Parameters
    ----------
    checkpoint : keras_mri.saving.checkpoints.Checkpoint
    data : keras_mri.systems.ldm.labelled_runs.LabelledRuns
    config : Config

    Returns
    -------
    keras_mri.systems.records.Outcome
    """
    held_out = data.divided()[1]
    frame, code = held_out.runs[-1][..., -1], int(held_out.codes[-1][-1])
    affine = np.diag([*held_out.zooms[-1], 1.0]) if config.any_grid else data.grid.affine
    pair = parts(checkpoint.network)
    # Runs of any grid are turned already.
    space = LatentSpace(pair, config, len(data.names))
    panels = {"through the latent (held out)": space.decode(space.encode(frame), frame.shape), "measured": frame}
    if pair.denoiser is None or config.condition and not config.condition_drop:
        return Outcome(panels, affine=affine)
    steps = shorter(_SAMPLING_STEPS, _LEAST_SAMPLING_STEPS, config.time_budget) if current() else _SAMPLING_STEPS
    options = SamplingOptions(steps=min(steps, config.diffusion_steps), seed=config.seed)
    sample = space.decode(space.sample(frame.shape, 1, options, code)[0], frame.shape)
    return Outcome({"sample": sample, **panels}, affine=affine)


def _space(checkpoint, options, affine, needs_denoiser):
    """Return the latent space of a network, and the code of the label that was asked for."""
    pair, stored = parts(checkpoint.network), Inference.from_json(checkpoint.inference)
    if needs_denoiser and pair.denoiser is None:
        raise InputError(
            "this network holds an autoencoder only, which generates nothing. "
            "Train its denoiser with `stage` diffusion, and this file as `initial`."
        )
    # A reconstruction takes no label.
    label = options.label if needs_denoiser else None
    return LatentSpace(pair, stored, len(stored.labels), affine), int(codes([label], stored.labels)[0])


SYSTEM = System(
    settings=SETTINGS, train=train, predict=predict, outcome=outcome, settle=settle, prepare=prepare, facts=facts, generate=generate
)
