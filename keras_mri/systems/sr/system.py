"""Super-resolution: a 3D U-Net that makes a 7T-like scan of a 3T one, or a fine of a coarse one, against a 3D PatchGAN.

References
----------
Isola et al., CVPR 2017. arXiv:1611.07004
"""

import dataclasses
import functools
import logging
import math

import keras

from keras_mri.errors import InputError, remark
from keras_mri.imaging.intensity import fit_scaling, fit_zscore
from keras_mri.imaging.kspace import finer_step, resampled
from keras_mri.imaging.noise import estimate_sigma
from keras_mri.inference.extremes import as_seen
from keras_mri.inference.fitting_precision import FittingPrecision, Trial
from keras_mri.inference.restoring import restored, restored_frames
from keras_mri.inference.tiles import predictor
from keras_mri.inference.timing import affordable_box, expect_pictures
from keras_mri.io.grids import bounding_box, mirror_axes
from keras_mri.io.nifti_headers import on_finer_grid
from keras_mri.io.nifti_reading import open_image
from keras_mri.networks.backends import check_trains
from keras_mri.networks.precision import hidden_layers_in, in_float32
from keras_mri.networks.unet3d import check_patch
from keras_mri.systems.records import Outcome, System
from keras_mri.systems.sr.networks import discriminator_of, generator, shape_of_generator
from keras_mri.systems.sr.option_checks import check_channels, check_options
from keras_mri.systems.sr.pair_sources import open_pairs
from keras_mri.systems.sr.pairs import Pair, brain_of, split_pairs
from keras_mri.systems.sr.settings import SETTINGS, SPLIT, inference
from keras_mri.systems.sr.slice_network import first_network
from keras_mri.systems.sr.stacks import stack_shown
from keras_mri.systems.sr.thick_slices import VOXEL, refine
from keras_mri.training.pace import Pace

__all__ = ["SYSTEM", "outcome", "predict", "prepare", "settle", "train"]

_LOGGER = logging.getLogger(__name__)
_EPSILON = 1e-8
# Voxels by which neighbouring tiles go on beyond their share. The network's reach is longer, but beyond this its output
# hardly changes, and halos of the full reach would be more than nine tenths of the work.
_OVERLAP = 12


def settle(config):
    """Return the options with the weight of the adversarial loss: none for thick slices, where nothing is to be invented.

    Parameters
    ----------
    config : Config

    Returns
    -------
    Config
    """
    if config.adversarial_weight is not None:
        return config
    return dataclasses.replace(config, adversarial_weight=0.0 if config.thick_slices else 1.0)


def prepare(images, config):
    """Open the pairs and divide them by subject.

    Parameters
    ----------
    images : sequence of str, path-like or Pair
        As `keras_mri.systems.sr.pair_sources.open_pairs` takes them, or what it returned.
    config : Config

    Returns
    -------
    keras_mri.systems.sr.pairs.PairSplit

    Raises
    ------
    InputError
        If the images cannot be used, or come from too few subjects.
    """
    pairs = images if images and all(isinstance(image, Pair) for image in images) else open_pairs(images, config)
    return split_pairs(pairs, config.seed)


def train(data, config, callbacks=()):
    """Train on pairs of scans: on the mean absolute error, then against the discriminator as well.

    Parameters
    ----------
    data : keras_mri.systems.sr.pairs.PairSplit
        From `prepare`.
    config : Config
    callbacks : sequence of keras.callbacks.Callback
        Added to every fit.

    Returns
    -------
    keras.Model
        Functional, float32, from (batch, x, y, z, 1) to the same, in network units; the epoch with the best held-out error. Of thick
        slices, from (batch, x, y, z, 2).

    Raises
    ------
    InputError
        If the images cannot be used, a patch does not fit, or training diverges.
    """
    check_trains()
    # Only here: they need TensorFlow, and using a network does not.
    from keras_mri.systems.sr.data import pair_data
    from keras_mri.systems.sr.slice_data import slice_data
    from keras_mri.training.adversarial import AdversarialModel, Rules, discriminator_losses
    from keras_mri.training.two_phases import NewOptimizers, fit_in_two_phases

    start = first_network(config)
    levels, normalization = shape_of_generator(config, start)
    if config.patch_shape:
        check_patch(config.patch_shape, levels, normalization)
    keras.utils.set_random_seed(config.seed)
    batches = (slice_data if config.thick_slices else pair_data)(data, config, factor=2**levels)
    check_patch(batches.patch_shape, levels, normalization)
    pace = Pace(config.epochs * batches.steps, config.time_budget)
    with hidden_layers_in(config.precision) as precision:
        network = generator(config, start)
        discriminator = discriminator_of(config, batches.patch_shape)
    _LOGGER.info(
        "%d parameters, discriminator %d, patches of %s voxels, %s",
        network.count_params(), discriminator.count_params(), batches.patch_shape, precision,
    )  # fmt: skip
    rules = Rules(1, config.l1_weight, config.adversarial_weight, config.conditional)
    model = AdversarialModel(network, discriminator, discriminator_losses(config.adversarial_loss), rules, config.seed)
    new = NewOptimizers(
        functools.partial(_adam, config, config.beta_1, config.learning_rate),
        functools.partial(_adam, config, config.discriminator_beta_1, config.discriminator_learning_rate),
    )
    expect_pictures(network, math.prod(_shown(data).target.shape[:3]))
    fit_in_two_phases(model, batches, pace, config, new, callbacks)
    return in_float32(network)


def predict(checkpoint, images, options):
    """Restore a scan, every voxel of it, on its own grid or a finer one; with a network of thick slices see `thick_slices.refine`.

    Parameters
    ----------
    checkpoint : keras_mri.saving.checkpoints.Checkpoint
    images : sequence of one str, path-like or Volume
        3D, any shape; for a network of thick slices also 4D.
    options : PredictConfig

    Returns
    -------
    Volume
        In the input's unit: what the network says, a z-score, by the mean and SD that the input has in its brain. For a
        network trained on pairs of two scanners that is the target's contrast in the source's unit, since the target's own
        unit is arbitrary.

    Raises
    ------
    InputError
        If the image cannot be used, or an option belongs to another kind of network.
    """
    volume, stored = open_image(images[0]), checkpoint.inference
    check_options(options, stored.get("slices"))
    check_channels(checkpoint.network, stored.get("slices"))
    if stored.get("slices"):
        return _refined(checkpoint, volume, options)
    if volume.n_frames > 1:
        raise InputError(f"this network restores 3D volumes. Received: {volume.name} of shape {volume.shape}. Split it.")
    factors, simulated = options.upsample or (1, 1, 1), stored.get("simulate")
    if options.upsample and simulated and any((f > 1) != (g > 1) for f, g in zip(factors, simulated)):
        trained, asked = " × ".join(f"{factor:g}" for factor in simulated), " × ".join(map(str, factors))
        coarser = f"the network was trained on scans {trained} times coarser along their voxel axes"
        remark(volume.name, f"{coarser}, and is asked for {asked}: it sharpens the former only")
    shape = tuple(side * factor for side, factor in zip(volume.shape, factors))
    seen = as_seen(volume)
    mask = brain_of(seen.volume, options.mask) if stored["scaling"] == "mask" or options.mask is not None else None
    scaling = fit_zscore(seen.volume.frame(0), mask)
    facts = {}
    fitting = FittingPrecision(checkpoint.network, options.precision, math.prod(shape), volume.name, facts)
    tile, axes = options.tile or stored.get("tile"), mirror_axes(volume.affine, options.mirror)

    def sharpened(t):
        # Zero-filled in k-space, as simulated sources are: no blur is added that was absent in training.
        data = scaling.apply(resampled(seen.volume.frame(t), shape))[..., None]
        network = fitting.network(lambda: Trial(data, estimate_sigma(seen.volume.frame(t)) / scaling.scale))
        return _predictor(network, shape, tile, axes, progress=True)(data)

    if options.upsample is None:
        result = restored(volume, scaling, sharpened, seen=seen)
    else:
        result = on_finer_grid(volume, shape, finer_step(factors), restored_frames(volume, scaling, sharpened, seen=seen))
    # Filled while the frame is computed.
    result.facts = facts
    return result


def _refined(checkpoint, volume, options):
    """Restore a scan with a network of thick slices."""
    voxel, facts = VOXEL if options.voxel is None else options.voxel, {}
    voxels = volume.n_frames * math.prod(side * max(1.0, zoom / voxel) for side, zoom in zip(volume.shape, volume.zooms))
    fitting = FittingPrecision(checkpoint.network, options.precision, voxels, volume.name, facts)

    def predictor_of(shape, axes, sigma):
        def run(data):
            network = fitting.network(lambda: Trial(data, sigma))
            return predictor(network, shape, options.tile, axes, progress=True)(data)

        return run

    result = refine(volume, checkpoint.inference["slices"], options, predictor_of)
    facts.update(result.facts)
    result.facts = facts
    return result


def outcome(checkpoint, data, config):
    """Show what the network does to the brain of a subject it has not seen, if there is one, and write which subject served for what.

    Parameters
    ----------
    checkpoint : keras_mri.saving.checkpoints.Checkpoint
    data : keras_mri.systems.sr.pairs.PairSplit
    config : Config

    Returns
    -------
    keras_mri.systems.records.Outcome
    """
    pair = _shown(data)
    make = _panels_of_slices if config.thick_slices else _panels_of_pair
    return Outcome(make(checkpoint, pair, config, "test" if data.test else "partly trained on"), {SPLIT: data.table()}, pair.target.affine)


def _panels_of_pair(checkpoint, pair, config, part):
    images, mask = pair.z_scores(config.scaling)
    images = images[bounding_box(mask)]
    images = images[affordable_box(images.shape[:3])]
    restored = _predictor(checkpoint.network, images.shape[:3], inference(config, {})["tile"])(images[..., :1])
    # Panels are drawn from black at 0: the darkest voxel of the target.
    dark = images[..., 1].min()
    return {f"source ({part})": images[..., 0] - dark, "restored": restored - dark, "target": images[..., 1] - dark}


def _panels_of_slices(checkpoint, pair, config, part):
    image = pair.target.frame(0)
    image = fit_scaling(image).apply(image)[bounding_box(pair.brain)]
    shown = stack_shown(image[affordable_box(image.shape)], pair, config.thick_slices, functools.partial(predictor, checkpoint.network))
    return {f"slices ({part})": shown.pop("slices"), **shown}


def _shown(data):
    """Return the pair that the picture beside the network shows."""
    return (data.test or data.validation or data.training)[0]


def _predictor(network, shape, tile=None, axes=(), progress=None):
    # A network that normalises over space must see the statistics of a training patch: its file names the tile.
    return predictor(network, shape, tile, axes, _OVERLAP, progress)


def _adam(config, beta_1, learning_rate):
    from keras_mri.training import optimizers

    return optimizers.Adam(learning_rate, beta_1=beta_1, beta_2=config.beta_2, epsilon=_EPSILON, global_clipnorm=config.clip_norm)


SYSTEM = System(settings=SETTINGS, train=train, predict=predict, outcome=outcome, settle=settle, prepare=prepare)
