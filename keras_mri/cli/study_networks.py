"""The networks of a study: one for all scans, or the one that fits each of them."""

import functools
import pathlib
import typing

from keras_mri.config import Options
from keras_mri.report import provenance
from keras_mri.saving import hub
from keras_mri.systems import automatic
from keras_mri.systems.network_files import load_network, path_or_auto, system_of


class Network(typing.NamedTuple):
    """A network as a study uses it.

    Parameters
    ----------
    path : pathlib.Path
    checkpoint : keras_mri.saving.checkpoints.Checkpoint
    made_by : dict
        For side-cars: file, checksum, system and options.
    """

    path: pathlib.Path
    checkpoint: object
    made_by: dict


class Networks:
    """The networks of a study.

    Parameters
    ----------
    model : str or path-like
        Of all scans; "auto" to choose for each.
    sha256 : str, optional
        SHA-256 that its file must have.

    Raises
    ------
    InputError
        If the network cannot be found or read, or there is none to choose from.
    """

    def __init__(self, model, sha256=None):
        self.path = path_or_auto(model, sha256)
        self._address = model if hub.is_address(model) else None
        self.system = automatic.SYSTEM if self.path is None else system_of(self.path)
        self._at_hand = automatic.at_hand() if self.path is None else {}

    def of(self, image, options: Options):
        """Return the network for a scan: Network. Its `made_by` says why, where it was chosen.

        Parameters
        ----------
        image : Volume
        options : Options
            Of the prediction.

        Raises
        ------
        InputError
            If none fits.
        """
        choice = automatic.choose(image) if self.path is None else None
        path = choice.path if choice else self.path
        chosen = {"chosen": choice.sentence} if choice else {}
        name = self._address or path.name
        made_by = {"network": name, "sha256": _digest(path), **chosen, "system": self.system, "options": options.to_json()}
        return Network(path, _loaded(path), made_by)

    def made(self, before):
        """Return whether one of these networks made a derivative, by what its side-car keeps: `before`, a dict."""
        return before.get("sha256") in {_digest(path) for path in (self._at_hand.values() if self.path is None else [self.path])}


@functools.lru_cache(maxsize=4)
def _loaded(path):
    return load_network(path)


@functools.lru_cache(maxsize=16)
def _digest(path):
    return provenance.digest(path)
