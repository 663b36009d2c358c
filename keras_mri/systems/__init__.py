"""The systems: one folder each, imported only when it is asked for.

Here belongs the table, the two records that every system builds (`records`), and what is done to any system's network: telling which
system a file belongs to (`network_files`) and keeping a fresh one (`trained`). A system never imports another one.
A sixth system is one folder with `settings.py` and `system.py`, and one line below.
"""

import difflib
import importlib
import typing

from keras_mri.errors import InputError
from keras_mri.networks.backends import check_usable


class Entry(typing.NamedTuple):
    """One line of the table of systems: its package (imported on demand), its help, its usual output."""

    package: str
    help: str
    output: str


SYSTEMS = {
    "wgan": Entry("keras_mri.systems.wgan", "denoise fMRI: 3D U-WGAN trained from one NIfTI", "fmri_denoiser_generator.h5"),
    "n2a": Entry("keras_mri.systems.n2a", "denoise a scan from its repetitions: Noise2Average", "n2a.h5"),
    "sr": Entry("keras_mri.systems.sr", "super-resolution, such as 3T to 7T: 3D U-Net against PatchGAN", "sr.h5"),
    "cnn": Entry("keras_mri.systems.cnn", "denoise slices: 2D autoencoder trained from one scan", "autoencoder.h5"),
    "ldm": Entry("keras_mri.systems.ldm", "generate, refine and repair fMRI volumes: latent diffusion", "ldm.h5"),
}


def get_system(name):
    """Import a system, and with it Keras.

    Parameters
    ----------
    name : str

    Returns
    -------
    keras_mri.systems.records.System

    Raises
    ------
    InputError
        If there is no such system, or Keras cannot be imported.
    """
    entry = _entry(name)
    check_usable()
    return importlib.import_module(f"{entry.package}.system").SYSTEM


def get_settings(name):
    """Import the settings of a system, which need no Keras.

    Parameters
    ----------
    name : str

    Returns
    -------
    keras_mri.systems.records.Settings

    Raises
    ------
    InputError
        If there is no such system.
    """
    return importlib.import_module(f"{_entry(name).package}.settings").SETTINGS


def that_restore():
    """Return the names of the systems that restore a scan of any shape, those that need a single image first: tuple of str."""
    settings = {name: get_settings(name) for name in SYSTEMS}
    return tuple(sorted((name for name in SYSTEMS if settings[name].restores), key=lambda name: settings[name].images is None))


def that_generate():
    """Return the names of the systems that make new volumes: tuple of str."""
    return tuple(name for name in SYSTEMS if get_settings(name).GenerateConfig)


def _entry(name):
    if name not in SYSTEMS:
        nearest = difflib.get_close_matches(str(name), SYSTEMS, n=1)
        hint = f" Did you mean {nearest[0]!r}?" if nearest else ""
        raise InputError(f"unknown system {name!r}. Expected one of: {', '.join(SYSTEMS)}.{hint}")
    return SYSTEMS[name]
