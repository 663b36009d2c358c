"""Super-resolution: a 3D U-Net that makes a 7T-like scan of a 3T one, or a fine of a coarse one, against a 3D PatchGAN.

References
----------
Isola et al., CVPR 2017. arXiv:1611.07004
"""

import functools
import logging

import keras
import numpy as np

from keras_mri.errors import InputError
from keras_mri.imaging.intensity import fit_zscore
from keras_mri.imaging.kspace import finer_step, resampled
from keras_mri.inference.tiles import predictor
from keras_mri.io.nifti_headers import on_finer_grid
from keras_mri.io.nifti_reading import as_volume
from keras_mri.io.volumes import mirror_axes
from keras_mri.networks import patchgan
from keras_mri.networks.backends import check_trains
from keras_mri.networks.precision import hidden_layers_in, in_float32, with_hidden_layers_in
from keras_mri.networks.residual_unet import residual_unet
from keras_mri.networks.unet3d import check_patch, unet3d
from keras_mri.systems.sr.pair_sources import open_pairs
from keras_mri.systems.sr.pairs import Pair, PairSplit, brain_of, split_pairs
from keras_mri.systems.sr.settings import PATCH_SHAPE, PRESETS, Config, PredictConfig
from keras_mri.training.callbacks import Pace

__all__ = ["PRESETS", "Config", "PredictConfig", "example", "predict", "prepare", "results", "train"]

_LOGGER = logging.getLogger(__name__)
_EPSILON = 1e-8
# Voxels by which neighbouring tiles go on beyond their share. The network's reach is longer, but beyond this its output
# hardly changes, and halos of the full reach would be more than nine tenths of the work.
_OVERLAP = 12
# What a source lacks is about this large, in SDs of its brain.
_DETAIL_SCALE = 0.2


def prepare(images, config):
    """Open the pairs and divide them by subject.

    Parameters
    ----------
    images : sequence of str, path-like or Pair, or PairSplit
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
    if isinstance(images, PairSplit):
        return images
    pairs = images if images and all(isinstance(image, Pair) for image in images) else open_pairs(images, config)
    return split_pairs(pairs, config.seed)


def train(images, config, callbacks=()):
    """Train on pairs of scans: on the mean absolute error, then against the discriminator as well.

    Parameters
    ----------
    images : as for `prepare`
    config : Config
    callbacks : sequence of keras.callbacks.Callback
        Added to every fit.

    Returns
    -------
    keras.Model
        Functional, float32, from (batch, x, y, z, 1) to the same, in network units; the epoch with the best held-out error.

    Raises
    ------
    InputError
        If the images cannot be used, a patch does not fit, or training diverges.
    """
    check_trains()
    # Only here: they need TensorFlow, and using a network does not.
    from keras_mri.systems.sr.data import pair_data
    from keras_mri.training.adversarial import AdversarialModel, discriminator_losses
    from keras_mri.training.two_phases import fit_in_two_phases

    levels, normalization = _shape_of_generator(config)
    if config.patch_shape:
        check_patch(config.patch_shape, levels, normalization)
    keras.utils.set_random_seed(config.seed)
    parts = prepare(images, config)
    data = pair_data(parts, config, factor=2**levels)
    check_patch(data.patch_shape, levels, normalization)
    pace = Pace(config.epochs * data.steps, config.time_budget)
    with hidden_layers_in(config.precision) as precision:
        network = _generator(config)
        discriminator = _discriminator(config, data.patch_shape)
    _LOGGER.info(
        "%d parameters, discriminator %d, patches of %s voxels, %s",
        network.count_params(), discriminator.count_params(), data.patch_shape, precision,
    )  # fmt: skip
    losses = discriminator_losses(config.adversarial_loss)
    model = AdversarialModel(
        network,
        discriminator,
        **losses._asdict(),
        critic_steps=1,
        l1_weight=config.l1_weight,
        adversarial_weight=config.adversarial_weight,
        seed=config.seed,
        conditional=config.conditional,
    )
    adam, of_discriminator = (functools.partial(_adam, config, beta_1) for beta_1 in (config.beta_1, config.discriminator_beta_1))
    fit_in_two_phases(model, data, pace, config, adam, config.discriminator_learning_rate, callbacks, of_discriminator)
    return in_float32(network)


def predict(checkpoint, images, options):
    """Restore a scan, every voxel of it, on its own grid or a finer one.

    Parameters
    ----------
    checkpoint : keras_mri.saving.checkpoints.Checkpoint
    images : sequence of one str, path-like or Volume
        3D, any shape.
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
        If there is not exactly one image, or it is not 3D.
    """
    if len(images) != 1:
        raise InputError(f"this network restores one image at a time. Received: {len(images)} images.")
    volume = as_volume(images[0])
    if volume.n_frames > 1:
        raise InputError(f"this network restores 3D volumes. Received: {volume.name} of shape {volume.shape}. Split it.")
    config = Config.from_json(checkpoint.config)
    factors = options.upsample or (1, 1, 1)
    if options.upsample and config.simulate and any((f > 1) != (g > 1) for f, g in zip(factors, config.simulate)):
        _LOGGER.warning(
            "the network was trained on scans %s times coarser along their voxel axes, and is asked for %s: it sharpens the former only",
            " × ".join(f"{factor:g}" for factor in config.simulate), " × ".join(map(str, factors)),
        )  # fmt: skip
    shape = tuple(side * factor for side, factor in zip(volume.shape, factors))
    mask = brain_of(volume, options.mask) if config.scaling == "mask" or options.mask else None
    scaling = fit_zscore(volume.frame(0), mask)
    network = with_hidden_layers_in(checkpoint.network, options.precision)
    run = _predictor(network, shape, config, options.tile, mirror_axes(volume.affine, options.mirror), progress=True)

    def restored_frame(t):
        # Zero-filled in k-space, as simulated sources are, so that no blur is added that the network has not seen.
        source = resampled(volume.frame(0), shape)
        restored = scaling.invert(run(scaling.apply(source)[..., None]))
        return np.maximum(restored, 0) if volume.extremes[0] >= 0 else restored

    if options.upsample is None:
        return volume.with_frames(restored_frame)
    return on_finer_grid(volume, shape, finer_step(factors), restored_frame)


def results(checkpoint, images, config):
    """Return what training writes besides the network: which subject served for what.

    Parameters
    ----------
    checkpoint : keras_mri.saving.checkpoints.Checkpoint
    images : as for `prepare`
    config : Config

    Returns
    -------
    dict of str to str
        By the ending of the file's name.
    """
    return {"_split.tsv": prepare(images, config).table()}


def example(checkpoint, images, config):
    """Make the panel that shows what the network does to the brain of a subject it has not seen, if there is one.

    Parameters
    ----------
    checkpoint : keras_mri.saving.checkpoints.Checkpoint
    images : as for `prepare`
    config : Config

    Returns
    -------
    dict of str to ndarray of float32, shape (x, y, z)
    """
    parts = prepare(images, config)
    pair = (parts.test or parts.validation or parts.training)[0]
    part = "test" if parts.test else "partly trained on"
    data, mask = pair.z_scores(config.scaling)
    inside = np.argwhere(mask)
    box = tuple(slice(low, high + 1) for low, high in zip(inside.min(axis=0), inside.max(axis=0)))
    data = data[box]
    restored = _predictor(checkpoint.network, data.shape[:3], config)(data[..., :1])
    # Panels are drawn from black at 0: the darkest voxel of the target.
    dark = data[..., 1].min()
    return {f"source ({part})": data[..., 0] - dark, "restored": restored - dark, "target": data[..., 1] - dark}


def _predictor(network, shape, config, tile=None, axes=(), progress=None):
    if tile is None and _shape_of_generator(config)[1] == "instance":
        # Its statistics are those of a patch in training: of a patch they must be here.
        tile = config.patch_shape or PATCH_SHAPE
    return predictor(network, shape, tile, axes, _OVERLAP, progress)


def _generator(config):
    if config.generator == "unet3d":
        return unet3d(config.base_filters, config.levels, config.residual, config.normalization, detail_scale=_DETAIL_SCALE)
    return residual_unet((None, None, None, 1), config.filters, config.depths, _DETAIL_SCALE, with_image=True)


def _shape_of_generator(config):
    """Return how often the generator halves the grid, and its normalisation."""
    return (config.levels, config.normalization) if config.generator == "unet3d" else (len(config.filters) - 1, "none")


def _discriminator(config, patch_shape):
    wanted = config.adversarial_weight > 0
    layers = config.discriminator_layers or (patchgan.layers_for(patch_shape) if wanted else 1)
    if wanted:
        patchgan.check_patch(patch_shape, layers)
    return patchgan.patch_discriminator(config.discriminator_filters, layers, config.conditional)


def _adam(config, beta_1, learning_rate):
    from keras_mri.training import optimizers

    return optimizers.Adam(learning_rate, beta_1=beta_1, beta_2=config.beta_2, epsilon=_EPSILON, global_clipnorm=config.clip_norm)
