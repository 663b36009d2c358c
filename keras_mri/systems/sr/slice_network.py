"""The network of thick slices: two channels in, and the one that a training starts from."""

import logging

from keras_mri.errors import CheckpointError, InputError
from keras_mri.networks.residual_unet import residual_unet
from keras_mri.saving import checkpoints, pretrained

_LOGGER = logging.getLogger(__name__)
_PRETRAINED = "sr_any.h5"


def network_of_slices(filters, depths, detail_scale):
    """Build a `residual_unet` that sees interpolated slices and distances, and adds what it finds to the former.

    Parameters
    ----------
    filters, depths : sequence of int
        As for `residual_unet`.
    detail_scale : float
        Size of what the slices lack, in network units.

    Returns
    -------
    keras.Model
        From (batch, x, y, z, 2) to (batch, x, y, z, 1), slices along z.
    """
    return residual_unet((None, None, None, 2), filters, depths, detail_scale, frame_weights=(1.0, 0.0), with_image=True)


def first_network(config):
    """Return the network that a training for thick slices starts from.

    Parameters
    ----------
    config : keras_mri.systems.sr.settings.Config

    Returns
    -------
    keras.Model or None
        None for random weights.

    Raises
    ------
    InputError
        If the network is named and cannot be used.
    """
    path = _path(config) if config.thick_slices else None
    if path is None:
        return None
    checkpoint = checkpoints.load(path, "sr")
    if not (checkpoint.inference or {}).get("slices"):
        raise CheckpointError(f"{path} holds a network of pairs of scans. Expected one of thick slices: use `initial` pretrained or none.")
    _LOGGER.info("starting from %s", path)
    return checkpoint.network


def _path(config):
    """Return the file of the first network; None where other layers are asked for, or it is not at hand and nobody named it."""
    usual = type(config)
    others = (config.filters, config.depths) != (usual.filters, usual.depths)
    if config.initial == "none" or (config.initial is None and others):
        return None
    if others:
        raise InputError(
            "an initial network has its own layers. Received: `initial` with other `filters` or `depths`. "
            "Leave these out, or use `initial` none."
        )
    if config.initial not in (None, "pretrained"):
        return config.initial
    try:
        return pretrained.path_of(_PRETRAINED)
    except InputError:
        if config.initial:
            raise
        return None
