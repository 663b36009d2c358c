"""The network that a training for thick slices starts from."""

import logging

from keras_mri.errors import CheckpointError, InputError
from keras_mri.saving import checkpoints, pretrained

_LOGGER = logging.getLogger(__name__)
_PRETRAINED = "sr_any.h5"


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
