"""The Python door, networks: restore, fit, sample. The commands call these same functions; those of images alone are in `images`."""

import os
import time
import typing

from keras_mri.errors import InputError, remark, remarks_kept
from keras_mri.inference.training_range import differences_from_training
from keras_mri.io.nifti_reading import Image, open_scan
from keras_mri.io.volumes import Volume
from keras_mri.saving.checkpoints import Checkpoint
from keras_mri.systems import automatic, get_settings, get_system, that_generate
from keras_mri.systems.network_files import load_network, path_of_network, path_or_auto, system_of
from keras_mri.systems.trained import TrainedNetwork

# A name such as "epi", a file, or a network in memory.
Network = str | os.PathLike | Checkpoint | TrainedNetwork


def restore(
    network: Network,
    images: Image | typing.Sequence[Image],
    *,
    replace_nonfinite: bool = False,
    sha256: str | None = None,
    **options,
) -> Volume:
    """Restore a scan with a trained network: `python -m keras_mri.predict`.

    Parameters
    ----------
    network : str, path-like, Checkpoint or TrainedNetwork
        Name of a pre-trained network ("epi", "t1w", …), its file, its address on the Hugging Face hub ("hf://owner/name"), or what
        `fit` returned; or "auto": the pre-trained network that fits the scan by its name, side-car, frames, sides and contrast.
        `facts["chosen"]` of the result says which one and why.
    images : image or sequence of images
        Path, nibabel image or Volume; a list of repetitions for a Noise2Average network.
    replace_nonfinite : bool
        Read NaN and infinity as 0 instead of refusing them.
    sha256 : str, optional
        SHA-256 that the network's file must have, in hexadecimal.
    **options
        Those of the network's system, named as the flags of the command: `mirror`, `tile`, `precision`, `mask`, …

    Returns
    -------
    Volume
        On the input's grid, with its header, in its unit. Frames are computed when they are asked for, or saved.

    Raises
    ------
    InputError
        If the network, an option or an image cannot be used.

    Examples
    --------
    >>> import keras_mri
    >>> restored = keras_mri.restore("epi", "sample", mirror="left-right")
    >>> restored.shape
    (128, 96, 24, 2)
    """
    network = _located(network, sha256)
    name = _system_of(network)
    settings = get_settings(name)
    chosen = settings.PredictConfig.from_names(name, **options)
    volumes = [open_scan(image, replace_nonfinite) for image in _sequence(images)]
    _check_count(volumes, settings.images)
    choice = automatic.choose(volumes[0]) if automatic.is_auto(network) else None
    system, checkpoint = get_system(name), checkpoint_of(choice.path if choice else network)
    for difference in differences_from_training(volumes[0], checkpoint.training, checkpoint.inference, averaged=len(volumes)):
        remark(volumes[0].name, difference)
    restored = system.predict(checkpoint, volumes, chosen)
    if choice:
        restored.facts["chosen"] = choice.sentence
    # Only here: it imports Keras.
    from keras_mri.cli.progress import counted_in_notebook

    return counted_in_notebook(restored)


def fit(
    system: str,
    images: Image | typing.Sequence[Image],
    *,
    preset: str | None = None,
    devices: int | str = 1,
    replace_nonfinite: bool = False,
    callbacks: typing.Sequence = (),
    **options,
) -> TrainedNetwork:
    """Train a system: `python -m keras_mri.train`. Needs TensorFlow; writes no file.

    Parameters
    ----------
    system : str
        One of "wgan", "n2a", "sr", "cnn", "ldm".
    images : image or sequence of images
        Path, nibabel image or Volume. For "sr" also a BIDS folder, for "cnn" also an `.npz` data set.
    preset : str, optional
        A named set of options, such as "published"; `options` override it.
    devices : int or "all"
        GPUs, or logical processors where there are none, that share every batch.
    replace_nonfinite : bool
        Read NaN and infinity as 0 instead of refusing them.
    callbacks : sequence of keras.callbacks.Callback
        Added to every fit.
    **options
        Those of the system, named as the flags of the command, with the same defaults: `time_budget="5m"`, `epochs`, `seed`, …

    Returns
    -------
    TrainedNetwork
        With `save(path)`, `history`, `panels` and `network`, the functional keras.Model.

    Raises
    ------
    InputError
        If an option or an image cannot be used, or training diverges.

    Examples
    --------
    >>> import keras_mri
    >>> network = keras_mri.fit("wgan", "sample", epochs=1, steps_per_epoch=1)
    >>> network.network.name
    'residual_unet'
    """
    begun = time.monotonic()
    # Only here: nothing else of this door trains.
    from keras_mri.cli.training_job import TrainingJob

    settings = get_settings(system)
    if preset is not None and preset not in settings.presets:
        raise InputError(f"`preset` must be one of {', '.join(sorted(settings.presets))}. Received: {preset!r}.")
    if devices != "all" and not (type(devices) is int and devices > 0):
        raise InputError(f"`devices` must be a number from 1 on, or 'all'. Received: {devices!r}.")
    config = settings.Config.from_names(system, **{**(settings.presets[preset] if preset else {}), **options})
    with remarks_kept() as remarks:
        opened = settings.open_inputs(_sequence(images), config, replace_nonfinite)
        return TrainingJob(system, config, opened, devices, callbacks=callbacks, remarks=remarks).run(begun=begun)


def sample(network: Network, count: int, *, sha256: str | None = None, **options) -> list[Volume]:
    """Draw new volumes from a latent diffusion network: `python -m keras_mri.generate`.

    Parameters
    ----------
    network : str, path-like, Checkpoint or TrainedNetwork
    count : int
        How many.
    sha256 : str, optional
        SHA-256 that the network's file must have, in hexadecimal.
    **options
        Those of the network's system, named as the flags of the command: `label`, `guidance`, `steps`, `sampler`, `seed`.

    Returns
    -------
    list of Volume
        Synthetic: no scan of anyone, not for diagnosis.

    Raises
    ------
    InputError
        If the network restores scans and draws none, or an option cannot be used.

    Examples
    --------
    >>> import keras_mri
    >>> [volume.shape for volume in keras_mri.sample("ldm_heads", 1, steps=2, label="forrest")]
    [(80, 80, 35)]
    """
    network = _located(network, sha256)
    name = _system_of(network)
    settings = get_settings(name)
    if settings.GenerateConfig is None:
        generating = ", ".join(that_generate())
        raise InputError(f"a network of {name!r} restores scans and cannot make new ones. Expected a network of one of: {generating}.")
    chosen = settings.GenerateConfig.from_names(name, **options)
    if not (type(count) is int and count > 0):
        raise InputError(f"`count` must be at least 1. Received: {count!r}.")
    return list(get_system(name).generate(checkpoint_of(network), count, chosen))


def checkpoint_of(network: Network) -> Checkpoint:
    """Return a network with what prediction needs: loaded from its file, by its name, or as it is in memory."""
    if isinstance(network, TrainedNetwork):
        return network.checkpoint
    return network if isinstance(network, Checkpoint) else load_network(path_of_network(network))


def _located(network, sha256):
    """Return the path of a network's file, with that content; `auto` and a network in memory as they are."""
    if isinstance(network, (TrainedNetwork, Checkpoint)):
        if sha256 is not None:
            raise InputError("`sha256` is the checksum of a file, and this network is in memory. Leave it out.")
        return network
    if not isinstance(network, (str, os.PathLike)):
        raise InputError(
            "`network` must be a name such as 'epi', the path of a network's file, an address hf://owner/name, or a network in memory. "
            f"Received: {type(network).__name__}."
        )
    return path_or_auto(network, sha256) or network


def _system_of(network):
    """Return the system of what `_located` found."""
    if isinstance(network, (TrainedNetwork, Checkpoint)):
        return checkpoint_of(network).system
    return automatic.SYSTEM if automatic.is_auto(network) else system_of(network)


def _sequence(images):
    """Return one image, or a sequence of images, as a list."""
    return list(images) if isinstance(images, (list, tuple)) else [images]


def _check_count(volumes, wanted):
    if not volumes or wanted is not None and len(volumes) != wanted:
        expected = "at least one image" if wanted is None else "one image at a time" if wanted == 1 else f"{wanted} images"
        raise InputError(f"this network restores {expected}. Received: {len(volumes)} images.")
