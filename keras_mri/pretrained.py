"""Where the pre-trained networks lie: in the checkout, or where an installation put them."""

import pathlib
import site
import sysconfig

from keras_mri.errors import InputError

# Where pip puts data differs between a virtual environment, the system's Python and a user's own folder.
_PREFIXES = (sysconfig.get_path("data"), site.getuserbase(), "/usr/local")
_FOLDERS = (
    pathlib.Path(__file__).parents[1] / "pretrained",
    *(pathlib.Path(prefix) / "share" / "keras_mri" / "pretrained" for prefix in _PREFIXES),
)


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
