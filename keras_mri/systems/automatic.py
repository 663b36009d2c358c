"""`auto`: the pre-trained network that fits a scan, chosen by what kind of scan it is, with the reason."""

import logging
import pathlib
import typing

from keras_mri.errors import InputError
from keras_mri.inference.kinds import kind_of_scan
from keras_mri.io.nifti_reading import open_scan
from keras_mri.saving import pretrained
from keras_mri.systems.wgan.settings import LEAST_FRAMES

_LOGGER = logging.getLogger(__name__)

NAME = "auto"
# The system of all networks that are chosen from: its options are those of `auto`.
SYSTEM = "wgan"
# What BOLD and ASL are measured with, and T1-weighted volumes; `_ANY` is for everything else, and where nothing is sure.
_RUNS, _EPI, _T1 = ("bold", "cbv", "asl"), ("bold", "cbv", "asl", "sbref", "m0scan", "epi"), ("T1w", "inplaneT1", "UNIT1")
_RUN_NETWORK, _EPI_NETWORK, _T1_NETWORK, _ANY = "wgan_run", "wgan_epi", "wgan_t1w", "wgan_any"
# The kinds of scans of a study that are restored where none is named.
KINDS = ("T1w", "T2w", "PDw", "FLAIR", "T2starw", "inplaneT1", "inplaneT2", "PDT2", "bold", "sbref", "asl", "dwi", "epi")
# For `info` and help texts: network and the scans that it is taken for.
TABLE = (
    (_RUN_NETWORK, f"fMRI and ASL runs of {LEAST_FRAMES} frames or more"),
    (_EPI_NETWORK, "single EPI volumes and shorter series: bold, sbref, epi, asl"),
    (_T1_NETWORK, "T1-weighted volumes"),
    (_ANY, "T2w, FLAIR, PD, diffusion, children and all others; where nothing is sure"),
)


HELP = "the pre-trained network that fits the scan, chosen by its name, side-car, frames, sides and contrast"


class Choice(typing.NamedTuple):
    """The network for a scan.

    Parameters
    ----------
    path : pathlib.Path
        Of its file.
    why : str
        A clause with the reason.
    """

    path: pathlib.Path
    why: str

    @property
    def sentence(self):
        """Network and reason: "auto takes wgan_t1w: its name says T1w"."""
        return f"{NAME} takes {self.path.stem}: {self.why}"


def is_auto(network):
    """Return whether a network is to be chosen: the word `auto`, unless a file has that name."""
    return isinstance(network, str) and network == NAME and pretrained.is_name(network)


def at_hand(folders=None):
    """Return the networks that can be chosen: dict of name to path.

    Parameters
    ----------
    folders : sequence of path-like, optional
        As for `keras_mri.saving.pretrained.networks`.

    Returns
    -------
    dict of str to pathlib.Path

    Raises
    ------
    InputError
        If there is none.
    """
    known = pretrained.networks((), folders)
    found = {name: known[name] for name, _ in TABLE if name in known}
    if not found:
        places = " or ".join(map(str, pretrained.FOLDERS if folders is None else folders))
        raise InputError(
            f"`auto` has no network to choose from: none of {', '.join(name for name, _ in TABLE)} is in {places}. "
            "Copy them there, or name the file of a network."
        )
    return found


def choose(volume, folders=None):
    """Choose the network for a scan, and log which one and why.

    Parameters
    ----------
    volume : Volume
    folders : sequence of path-like, optional
        As for `at_hand`.

    Returns
    -------
    Choice

    Raises
    ------
    InputError
        If the image is no scan of magnitudes, or no network for its kind is at hand.
    """
    found = at_hand(folders)
    kind = kind_of_scan(open_scan(volume))
    wanted = _networks_for(kind.suffix, volume.n_frames)
    taken = next((name for name in wanted if name in found), None)
    if taken is None:
        raise InputError(
            f"`auto` would take {wanted[0]} for {volume.name} ({kind.why}), and {wanted[0]}.h5 is not at hand. "
            f"Copy it to {pretrained.FOLDERS[0]}, or name another network: {', '.join(found)}."
        )
    why = kind.why
    if kind.suffix in _RUNS and 1 < volume.n_frames and taken != _RUN_NETWORK:
        few = volume.n_frames < LEAST_FRAMES
        why += f"; {volume.n_frames} frames{f', fewer than {LEAST_FRAMES},' if few else ''} are restored one by one"
    if taken != wanted[0]:
        why += f" ({wanted[0]} is not at hand)"
    choice = Choice(found[taken], why)
    _LOGGER.info("%s: %s", pathlib.PurePath(volume.name).name, choice.sentence)
    return choice


def _networks_for(kind, n_frames):
    """Return the names of the networks for a kind of scan, the best one first."""
    if kind in _RUNS and n_frames >= LEAST_FRAMES:
        return _RUN_NETWORK, _EPI_NETWORK, _ANY
    return {**dict.fromkeys(_EPI, (_EPI_NETWORK, _ANY)), **dict.fromkeys(_T1, (_T1_NETWORK, _ANY))}.get(kind, (_ANY,))
