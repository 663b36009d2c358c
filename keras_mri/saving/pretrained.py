"""The pre-trained networks: where they lie, in the checkout or where an installation put them, and what they are called."""

import difflib
import pathlib
import re
import site
import sysconfig

from keras_mri.errors import InputError

# Where pip puts data differs between a virtual environment, the system's Python and a user's own folder.
_PREFIXES = (sysconfig.get_path("data"), site.getuserbase(), "/usr/local")
_FOLDERS = (
    pathlib.Path(__file__).parents[2] / "pretrained",
    *(pathlib.Path(prefix) / "share" / "keras_mri" / "pretrained" for prefix in _PREFIXES),
)
# Neither an ending nor a folder: that would be a path.
_NAME = re.compile(r"[A-Za-z0-9_-]+")
# The systems that restore a scan of any shape. Where two of them restore one kind of scan, its short name means the one that needs a
# single scan, not repetitions.
_ORDER = ("wgan", "cnn", "sr", "n2a")


def path_of(name):
    """Return the path of a pre-trained network.

    Parameters
    ----------
    name : str
        Its file name, for example "n2a_t1w.h5".

    Returns
    -------
    pathlib.Path

    Raises
    ------
    InputError
        If it is in none of the folders.
    """
    for folder in _FOLDERS:
        if (folder / name).is_file():
            return folder / name
    raise InputError(
        f"the pre-trained network {name} was not found in {' or '.join(map(str, _FOLDERS))}. Copy it there, or "
        "train without it (--initial none)."
    )


def networks():
    """List the pre-trained networks at hand.

    Returns
    -------
    dict of str to pathlib.Path
        By name: SYSTEM_SCAN as its file is called, for example "wgan_epi", and, where it restores scans, SCAN alone, "epi".
    """
    files = {path.stem: path for folder in reversed(_FOLDERS) for path in sorted(folder.glob("*_*.h5"))}
    split = {stem: stem.split("_", 1) for stem in files}
    restoring = sorted((stem for stem in files if split[stem][0] in _ORDER), key=lambda stem: _ORDER.index(split[stem][0]), reverse=True)
    return {**{split[stem][1]: files[stem] for stem in restoring}, **files}


def resolve(model):
    """Return the path of a network that is given by its path or by the name of a pre-trained one.

    Parameters
    ----------
    model : str or path-like

    Returns
    -------
    pathlib.Path
        Of a file that may be missing, if `model` looks like a path.

    Raises
    ------
    InputError
        If `model` looks like a name and no pre-trained network is called so.
    """
    if not is_name(model):
        return pathlib.Path(model)
    known = networks()
    if str(model) in known:
        return known[str(model)]
    nearest = difflib.get_close_matches(str(model), known, n=1)
    hint = f" Did you mean {nearest[0]!r}?" if nearest else ""
    raise InputError(
        f"there is no pre-trained network {str(model)!r}. Expected the path of an .h5 file or one of: {', '.join(sorted(known)) or 'none'}."
        f"{hint}"
    )


def is_name(model):
    """Tell the name of a pre-trained network from the path of a file, by its form."""
    return bool(_NAME.fullmatch(str(model))) and not pathlib.Path(model).is_file()
