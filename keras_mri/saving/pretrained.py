"""The pre-trained networks: their folders, in the checkout or where an installation put them, and their names."""

import difflib
import os.path
import pathlib
import re
import site
import sysconfig

from keras_mri.errors import InputError

# Where pip puts data differs between a virtual environment, the system's Python and a user's own folder.
_PREFIXES = (sysconfig.get_path("data"), site.getuserbase(), "/usr/local")
FOLDERS = (
    pathlib.Path(__file__).parents[2] / "pretrained",
    *(pathlib.Path(prefix) / "share" / "keras_mri" / "pretrained" for prefix in _PREFIXES),
)
# What those of release 0.1 and 0.2 were trained on, as suffixes of BIDS, the first one above all; later files record it themselves.
_MODALITIES = {
    "ldm_epi": ("bold", "asl"),
    "ldm_heads": ("bold", "asl"),
    "n2a_t1w": ("T1w",),
    "sr_any": ("T1w", "T2w", "FLAIR", "PDw"),
    "sr_epi": ("bold", "asl", "dwi", "sbref", "epi"),
    "wgan_epi": ("bold", "asl", "dwi", "sbref", "epi"),
    "wgan_run": ("bold", "asl"),
    "wgan_t1w": ("T1w",),
}
# Names of networks that take any scan: not SCAN alone, but what they do to it.
_SHORT = {"sr_any": "sr", "sr_epi": "sr_epi"}
# Neither an ending nor a folder: that would be a path.
_NAME = re.compile(r"[A-Za-z0-9_-]+")


def path_of(name, folders=None):
    """Return the path of a pre-trained network.

    Parameters
    ----------
    name : str
        Its file name, for example "n2a_t1w.h5".
    folders : sequence of path-like, optional
        Where to look, in this order; by default `FOLDERS`.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    InputError
        If it is in none of the folders.
    """
    folders = FOLDERS if folders is None else folders
    for folder in folders:
        if (pathlib.Path(folder) / name).is_file():
            return pathlib.Path(folder) / name
    raise InputError(
        f"the pre-trained network {name} was not found in {' or '.join(map(str, folders))}. Copy it there, or "
        "train without it: `initial` none."
    )


def networks(restoring, folders=None):
    """List the pre-trained networks at hand.

    Parameters
    ----------
    restoring : sequence of str
        The systems that restore a scan of any shape, best first: where two of them restore one kind of scan, its short name means the
        first's. Known to the table of systems (`keras_mri.systems.that_restore`).
    folders : sequence of path-like, optional
        Where to look: the first folder's networks hide others of the same name. By default `FOLDERS`.

    Returns
    -------
    dict of str to pathlib.Path
        By name: SYSTEM_SCAN as its file is called, for example "wgan_epi", and, where it restores scans, SCAN alone, "epi". The network
        "sr_any" is "sr": it makes voxels finer, where "any" denoises; and "sr_epi" has no shorter name, for "epi" denoises.
    """
    folders = FOLDERS if folders is None else folders
    files = {path.stem: path for folder in reversed(folders) for path in sorted(pathlib.Path(folder).glob("*_*.h5"))}
    short = {}
    for system in reversed(restoring):
        prefix = f"{system}_"
        short.update({_SHORT.get(stem, stem.removeprefix(prefix)): path for stem, path in files.items() if stem.startswith(prefix)})
    return {**short, **files}


def resolve(model, restoring, folders=None):
    """Return the path of a network that is given by its path or by the name of a pre-trained one.

    Parameters
    ----------
    model : str or path-like
    restoring, folders
        As for `networks`.

    Returns
    -------
    pathlib.Path
        Path of the file; the file may be missing if `model` looks like a path.

    Raises
    ------
    InputError
        If `model` looks like a name and no pre-trained network has it.
    """
    if not is_name(model):
        return pathlib.Path(model)
    known = networks(restoring, folders)
    if str(model) in known:
        return known[str(model)]
    nearest = difflib.get_close_matches(str(model), known, n=1)
    hint = f" Did you mean {nearest[0]!r}?" if nearest else ""
    raise InputError(
        f"there is no pre-trained network {str(model)!r}. Expected the path of a network's file (.h5 or .keras) or one of: "
        f"{', '.join(sorted(known)) or 'none'}.{hint}"
    )


def modalities_of(path):
    """Return what a pre-trained network was trained on, by its file's name.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    tuple of str
        Suffixes of BIDS, the first one above all: ("T1w",). Empty for any other network.
    """
    return _MODALITIES.get(pathlib.Path(path).stem, ())


def is_name(model):
    """Distinguish the name of a pre-trained network from the path of a file, by its form: bool, True for a name."""
    return bool(_NAME.fullmatch(str(model))) and not os.path.isfile(model)
