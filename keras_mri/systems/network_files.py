"""A network's file, ours or one of the originals': which system it belongs to, and its network with what prediction needs."""

import dataclasses
import re

from keras_mri.errors import CheckpointError, ForeignNetworkError, InputError
from keras_mri.inference.training_range import modalities_in
from keras_mri.networks.backends import check_usable
from keras_mri.report import provenance
from keras_mri.saving import checkpoints, hub, pretrained
from keras_mri.systems import SYSTEMS, get_settings, that_restore
from keras_mri.systems.automatic import is_auto
from keras_mri.systems.records import with_inference


def system_of(path):
    """Return the system that a file's network belongs to; networks of the originals have one, too.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    str

    Raises
    ------
    CheckpointError
        If the file cannot be read, or holds no network of keras_mri or of the originals.
    """
    try:
        return checkpoints.open_network(path).system
    except ForeignNetworkError:
        if not _published().is_published_munet(path):
            raise
        return _published().SYSTEM


def load_network(path):
    """Load a network that keras_mri or one of the originals wrote.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    Checkpoint
        With the values that prediction needs, also where an earlier release wrote the file.

    Raises
    ------
    CheckpointError
        As for `system_of`, and if Keras cannot build the network.
    """
    try:
        opened = checkpoints.open_network(path)
    except ForeignNetworkError:
        if not _published().is_published_munet(path):
            raise
        return _published().load_checkpoint(path)
    checkpoint = dataclasses.replace(opened.load(), training=_with_modalities(opened.facts["training"], path))
    return with_inference(checkpoint, get_settings(opened.system)) if opened.system in SYSTEMS else checkpoint


def trained_modalities(path):
    """Return what kinds of scans a file's network was trained on.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    list of str
        Suffixes of BIDS, the most frequent first: ["T1w"]. Empty where nothing tells.

    Raises
    ------
    CheckpointError
        If the file cannot be read.
    """
    try:
        return modalities_in(_with_modalities(checkpoints.inspect(path)["training"], path))
    except ForeignNetworkError:
        return []


def _with_modalities(training, path):
    """Return the facts of a training with its modalities, where only the name of a pre-trained network tells them."""
    known = pretrained.modalities_of(path)
    return {**training, "modalities": list(known)} if known and "modalities" not in training else training


def checkpoint_for(network, system, config, training=None):
    """Return a fresh network as a checkpoint that knows what prediction needs.

    Parameters
    ----------
    network : keras.Model
        Functional, float32.
    system : str
    config : Options
        The system's Config.
    training : dict, optional
        Facts of the training data.

    Returns
    -------
    Checkpoint
    """
    training = training or {}
    return checkpoints.Checkpoint(network, system, config.to_json(), training, get_settings(system).inference(config, training))


def pretrained_networks():
    """List the pre-trained networks at hand by name; see `keras_mri.saving.pretrained.networks`."""
    return pretrained.networks(that_restore())


def path_of_network(model, sha256=None):
    """Return the path of a network's file.

    Parameters
    ----------
    model : str or path-like
        Its path, the name of a pre-trained one (`pretrained.resolve`), or an address on the Hugging Face hub (`hub.fetch`).
    sha256 : str, optional
        SHA-256 that the file must have, in hexadecimal.

    Returns
    -------
    pathlib.Path
        The file may be missing if `model` is a path and nothing is asked of its content.

    Raises
    ------
    InputError
        If there is no network of that name or at that address, or the file has another content.
    """
    if is_auto(model):
        raise InputError("`auto` chooses a network for a scan that `predict` restores. Name a network here, for example epi.")
    if sha256 is not None and not re.fullmatch("[0-9a-fA-F]{64}", str(sha256)):
        raise InputError(f"the SHA-256 of a network must be 64 hexadecimal digits, as sha256sum prints them. Received: {sha256!r}.")
    path = hub.fetch(model) if hub.is_address(model) else pretrained.resolve(model, that_restore())
    if sha256 is not None:
        _check_content(path, sha256)
    return path


def path_or_auto(model, sha256=None):
    """Return the path of a network's file, or None for the word `auto`; parameters and errors as for `path_of_network`."""
    if not is_auto(model):
        return path_of_network(model, sha256)
    if sha256 is not None:
        raise InputError("a SHA-256 belongs to one network, and `auto` chooses one for each scan. Name the network.")
    return None


def _check_content(path, sha256):
    """Raise CheckpointError unless a file has this SHA-256."""
    if not path.is_file():
        raise CheckpointError(f"{path} is not a file. Expected a network trained by keras_mri; check the path.")
    found = provenance.digest(path)
    if found != str(sha256).lower():
        raise CheckpointError(
            f"{path} is refused: its SHA-256 is {found}. Expected: {str(sha256).lower()}. It is damaged, or another file than was meant."
        )


def is_network(word):
    """Tell whether a word of a command line names a network: a file by its ending, one on the hub, or a pre-trained one by its name."""
    return hub.is_address(word) or word.endswith((".h5", ".keras")) or is_auto(word) or word in pretrained_networks()


def _published():
    """Return the module that knows the originals' networks; it imports Keras."""
    check_usable()
    from keras_mri.systems.n2a import published_munet

    return published_munet
