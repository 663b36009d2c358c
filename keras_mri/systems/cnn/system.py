"""Denoise slice by slice: a small 2D autoencoder, trained from one scan, or from slices in an `.npz` file."""

import functools
import logging

import keras
import numpy as np

from keras_mri.errors import InputError
from keras_mri.imaging import metrics
from keras_mri.imaging.intensity import fit_image_scaling
from keras_mri.inference.central_part import central_part
from keras_mri.inference.extremes import as_seen
from keras_mri.inference.restoring import restored
from keras_mri.io.grids import mirror_axes
from keras_mri.io.mask_files import load_mask
from keras_mri.io.nifti_reading import open_image
from keras_mri.networks.backends import check_trains
from keras_mri.networks.precision import hidden_layers_in, in_float32, with_hidden_layers_in
from keras_mri.networks.residual_unet import residual_slice_unet
from keras_mri.networks.slice_autoencoder import slice_autoencoder
from keras_mri.report import figures
from keras_mri.systems.cnn.settings import EXAMPLES, SETTINGS, PredictConfig
from keras_mri.systems.cnn.slice_files import save_slices
from keras_mri.systems.cnn.slice_prediction import slice_predictor
from keras_mri.systems.cnn.slices import Cut, Slices, cut_slices, fitting_slices, split_slices, with_noise
from keras_mri.systems.records import Outcome, System
from keras_mri.training.callbacks import FollowPace, KeepBest, StopOnNonFinite
from keras_mri.training.clock import current
from keras_mri.training.pace import Pace

__all__ = ["SYSTEM", "outcome", "predict", "prepare", "train"]

_LOGGER = logging.getLogger(__name__)
# Held-out slices that are scored at the end: SSIM takes some 10 ms each.
_MOST_SCORED, _LEAST_SCORED = 100, 5
# Of a time budget, what follows the training, and its least, s.
_FOLLOWING, _LEAST_FOLLOWING = 0.03, 4.0


def prepare(images, config):
    """Cut the scans into slices, once, for all that follows.

    Parameters
    ----------
    images : sequence of str, path-like or Volume, or of one Slices
    config : Config

    Returns
    -------
    keras_mri.systems.cnn.slices.Slices

    Raises
    ------
    InputError
        If the images cannot be used, or a data set was scaled in another way than the options say.
    """
    if isinstance(images[0], Slices):
        _check_scaling(images[0], config)
        return fitting_slices(images[0], _factor(config))
    return cut_slices(
        [as_seen(open_image(image)).volume for image in images], _cut(config), _factor(config), config.noise_range, config.seed
    )


def train(data, config, callbacks=()):
    """Train a denoiser of slices.

    Parameters
    ----------
    data : keras_mri.systems.cnn.slices.Slices
        From `prepare`.
    config : Config
    callbacks : sequence of keras.callbacks.Callback
        Added to the fit.

    Returns
    -------
    keras.Model
        Functional, float32, from (batch, x, y, 1) to the same, in network units.

    Raises
    ------
    InputError
        If the images cannot be used, or training diverges.
    """
    check_trains()
    # Only here: they need TensorFlow, and using a network does not.
    from keras_mri.systems.cnn.data import slice_data
    from keras_mri.training import optimizers
    from keras_mri.training.fit import fit, keeping_best

    keras.utils.set_random_seed(config.seed)
    batches, held_out = slice_data(data, config)
    with hidden_layers_in(config.precision) as precision:
        network = _network(config)
    _LOGGER.info("%s: %d parameters, %s", network.name, network.count_params(), precision)
    optimizer = optimizers.Adam(config.learning_rate, beta_2=config.beta_2, clipnorm=config.clip_norm)
    network.compile(optimizer, loss="mse", metrics=[keras.metrics.MeanSquaredError(name="error")], jit_compile=False)
    best = KeepBest(network)
    if clock := current():
        # Scores, examples and verdict follow.
        clock.following = max(_LEAST_FOLLOWING, _FOLLOWING * clock.budget)
    pace = Pace(config.epochs * batches.steps, config.time_budget)
    schedule = [(optimizer, config.learning_rate)] if config.anneal else []
    with keeping_best(best, callbacks):
        fit(network, batches, [FollowPace(pace, 1.0, schedule), StopOnNonFinite(best), best, *callbacks])
    network = in_float32(network)
    _log_scores(network, data, held_out, config)
    return network


def predict(checkpoint, images, options):
    """Denoise a scan slice by slice, and frame by frame only when a frame is asked for.

    Parameters
    ----------
    checkpoint : keras_mri.saving.checkpoints.Checkpoint
    images : sequence of one str, path-like or Volume
        3D or 4D, any shape.
    options : PredictConfig

    Returns
    -------
    Volume
        On the same grid, with the same header, in the same unit.

    Raises
    ------
    InputError
        If an option does not apply.
    """
    if options.tile:
        raise InputError(f"this network sees whole slices. Received: `tile` {' '.join(map(str, options.tile))}. Leave it out.")
    volume = open_image(images[0])
    stored = checkpoint.inference
    seen = as_seen(volume)
    scaling = fit_image_scaling(seen.volume, stored["percentiles"] or "percentile")
    axis = stored["axis"] if options.axis is None else options.axis
    # Slices are done in seconds: by itself, nothing is changed for the sake of speed.
    network = with_hidden_layers_in(checkpoint.network, "float32" if options.precision == "auto" else options.precision)
    run = slice_predictor(network, axis, mirror_axes(volume.affine, options.mirror, across=axis), progress=volume.n_frames == 1)

    def denoised(t):
        data = scaling.apply(seen.volume.frame(t))
        # The output of the published network lies between 0 and 1: the part of an intensity beyond that is added again.
        inputs = np.clip(data, 0, 1) if stored["clip"] else data
        return run(inputs) + (data - inputs)

    return restored(volume, scaling, denoised, load_mask(options.mask, volume) if options.mask is not None else None, seen)


def outcome(checkpoint, data, config):
    """Denoise slices that were held out: one for the figure beside the network, `config.examples` for a figure of their own.

    Parameters
    ----------
    checkpoint : keras_mri.saving.checkpoints.Checkpoint
    data : keras_mri.systems.cnn.slices.Slices
    config : Config

    Returns
    -------
    keras_mri.systems.records.Outcome
        With `config.save_dataset`, its files hold the slices as well.
    """
    scan = data.scans[-1] if data.scans else None
    affine = None if scan is None else scan.affine
    panels = _examples(checkpoint.network, data, config, 1)[0]
    rows = _examples(checkpoint.network, data, config, config.examples)
    files = {EXAMPLES: functools.partial(figures.save_examples, examples=rows, affine=affine)}
    if config.save_dataset:
        files["save_dataset"] = functools.partial(save_slices, data, _noisy(data, range(len(data)), config))
    judged = None if scan is None else predict(checkpoint, [central_part(scan)], PredictConfig())
    return Outcome(panels, files, affine, judged)


def _network(config):
    if config.network == "slice_autoencoder":
        return slice_autoencoder(filters=config.filters)
    return residual_slice_unet(filters=config.filters, depths=config.depths, noise_scale=config.noise_scale)


def _factor(config):
    """Return what the sides of a slice are multiples of."""
    return 2 ** (len(config.filters) - 1)


def _cut(config):
    return Cut(config.axis, config.slices, config.time_points, config.percentiles)


def _noisy(slices, rows, config):
    return with_noise(slices, rows, config.noise, config.seed, config.clip)


def _check_scaling(slices, config):
    """Raise if a data set that tells how it was made contradicts the options, by which scans would be scaled in prediction."""
    if slices.axis is None:
        return
    for name in ("axis", "percentiles"):
        theirs, ours = vars(slices)[name], vars(config)[name]
        if theirs != ours:
            remedy = f"Leave out `{name}`" if theirs is None else f"Set `{name}` to {_typed(theirs)}"
            raise InputError(
                f"the slices were cut with `{name}` {_typed(theirs)}. Received: {_typed(ours)}. {remedy}: scans to predict will be "
                "treated as the options say."
            )


def _typed(value):
    """Return an option's value as it is typed."""
    return " ".join(f"{entry:g}" for entry in value) if isinstance(value, tuple) else str(value).lower()


def _examples(network, slices, config, count):
    """Return noisy, denoised and clean for some of the held-out slices, spread over them."""
    held_out = split_slices(slices, config.split, config.seed)[1]
    # The middle of `count` equal parts.
    rows = held_out[((np.arange(count) + 0.5) / count * len(held_out)).astype(int)]
    noisy, clean = _noisy(slices, rows, config), slices.clean[rows]
    denoised = network.predict_on_batch(noisy[..., None])[..., 0]
    examples = []
    for number, row in enumerate(rows):
        scores = [metrics.psnr(clean[number], image[number], data_range=1.0) for image in (noisy, denoised)]
        titles = f"noise of SD {slices.sigma[row]:.2g} added, {scores[0]:.1f} dB", f"denoised, {scores[1]:.1f} dB", "as measured"
        # As a volume of one slice, so that it is drawn upright.
        images = (np.expand_dims(image, config.axis) for image in (noisy[number], denoised[number], clean[number]))
        examples.append(dict(zip(titles, images)))
    return examples


def _log_scores(network, slices, held_out, config):
    """Tell how much better held-out slices become: mean PSNR and SSIM, data range 1, whole slices."""
    most = min(_MOST_SCORED, max(_LEAST_SCORED, int(config.time_budget / 6))) if config.time_budget else _MOST_SCORED
    rows = held_out[np.linspace(0, len(held_out) - 1, min(len(held_out), most)).round().astype(int)]
    noisy, clean = _noisy(slices, rows, config), slices.clean[rows]
    denoised = np.asarray(network.predict(noisy[..., None], batch_size=config.batch_size, verbose=0))[..., 0]
    scores = []
    for images in (noisy, denoised):
        pairs = [(reference[..., None], image[..., None]) for reference, image in zip(clean, images)]
        scores.append([np.mean([score(*pair, data_range=1.0) for pair in pairs]) for score in (metrics.psnr, metrics.ssim)])
    (psnr_noisy, ssim_noisy), (psnr, ssim) = scores
    facts = (len(rows), slices.sigma.min(), slices.sigma.max(), psnr_noisy, psnr, ssim_noisy, ssim)
    _LOGGER.info("%d held-out slices, noise SD %.3g to %.3g: PSNR %.2f -> %.2f dB, SSIM %.4f -> %.4f", *facts)


SYSTEM = System(settings=SETTINGS, train=train, predict=predict, outcome=outcome, prepare=prepare)
