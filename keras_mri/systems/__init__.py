"""The systems: one module each, imported only when it is asked for.

A system offers

    Config, PRESETS, PredictConfig          from keras_mri.settings: frozen dataclasses, and a dict of dicts of Config values
    train(images, config, callbacks=())     -> functional keras.Model, float32; on TensorFlow, which nothing but it imports
    predict(checkpoint, images, options)    -> Volume, whose `source` is what a report compares it with
    example(checkpoint, images, config)     -> dict of title -> ndarray (x, y, z): the panel beside the trained network

and may offer

    settle(config)                          -> Config, with what depends on more than the options (a file to start from)
    prepare(images, config)                 -> what the verbs of training take instead of images, where making it is costly
    facts(network, images, config)          -> dict, for JSON: what the file says of the training beside its options
    generate(checkpoint, count, options)    -> Volumes that no scan was the model of; needs GenerateConfig
    results(checkpoint, images, config)     -> dict of file ending -> Volume, str or function of a path, written beside the network
                                               (settings.RESULTS)

Its settings may also say

    IMAGES                                  what differs in the `images` argument of the command line, for argparse
    open_inputs(paths, config, replace_nonfinite)   -> what stands for the images (each with `zooms`), where they are not just opened
    training_facts(images, config)          -> dict with the `zooms` and `sigma` of the training data, where the options do not tell
    OUTPUTS                                 dict of option -> file endings: further files that training writes
    KEEP_LAST                               whether the last epoch's network is saved too, as NAME_last.h5

and it never imports another one.
"""

import difflib
import importlib
import typing

from keras_mri.errors import InputError
from keras_mri.networks.backends import check_usable


class System(typing.NamedTuple):
    """One line of the table of systems: its modules (as strings, imported on demand), its help, its usual output."""

    module: str
    settings: str
    help: str
    output: str


SYSTEMS = {
    "wgan": System(
        "keras_mri.systems.wgan.system",
        "keras_mri.systems.wgan.settings",
        "denoise fMRI: 3D U-WGAN trained from one NIfTI",
        "fmri_denoiser_generator.h5",
    ),
    "n2a": System(
        "keras_mri.systems.n2a.system", "keras_mri.systems.n2a.settings", "denoise a scan from its repetitions: Noise2Average", "n2a.h5"
    ),
    "sr": System(
        "keras_mri.systems.sr.system",
        "keras_mri.systems.sr.settings",
        "super-resolution, such as 3T to 7T: 3D U-Net against PatchGAN",
        "sr.h5",
    ),
    "cnn": System(
        "keras_mri.systems.cnn.system",
        "keras_mri.systems.cnn.settings",
        "denoise slices: 2D autoencoder trained from one scan",
        "autoencoder.h5",
    ),
    "ldm": System(
        "keras_mri.systems.ldm.system",
        "keras_mri.systems.ldm.settings",
        "generate, refine and repair fMRI volumes: latent diffusion",
        "ldm.h5",
    ),
}


def get_system(name):
    """Import the module of a system, and with it Keras.

    Parameters
    ----------
    name : str

    Returns
    -------
    module

    Raises
    ------
    InputError
        If there is no such system, or Keras cannot be imported.
    """
    entry = _entry(name)
    check_usable()
    return importlib.import_module(entry.module)


def get_settings(name):
    """Import the module of a system's options, which needs no Keras; parameters as for `get_system`."""
    return importlib.import_module(_entry(name).settings)


def _entry(name):
    if name not in SYSTEMS:
        nearest = difflib.get_close_matches(name, SYSTEMS, n=1)
        hint = f" Did you mean {nearest[0]!r}?" if nearest else ""
        raise InputError(f"unknown system {name!r}. Expected one of: {', '.join(SYSTEMS)}.{hint}")
    return SYSTEMS[name]
