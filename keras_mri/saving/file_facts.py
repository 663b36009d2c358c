"""The facts that a network's file keeps beside the network, as JSON: their formats, written in the newest and read in all.

Format 1 (keras_mri 0.1): `format`, `version`, `system`, `config`, `training`. Prediction read the settings of the training, `config`.
Format 2: also `inference`, the values that prediction needs; `config` is history, shown and never parsed.
"""

import json

import keras_mri
from keras_mri.errors import CheckpointError
from keras_mri.saving import h5_guard

FORMAT = 2
# Of each format, the fields and their types.
_FIRST = {"format": int, "version": str, "system": str, "config": dict, "training": dict}
_FIELDS = {1: _FIRST, 2: {**_FIRST, "inference": dict}}


def to_json(system, inference, config, training):
    """Write the facts of a network that is about to be saved.

    Parameters
    ----------
    system : str
    inference : dict or None
        None, as loaded from a file of format 1, is written in format 1 again: nothing is made up.
    config, training : dict

    Returns
    -------
    str
        JSON.
    """
    facts = {"format": FORMAT, "version": keras_mri.__version__, "system": system, "inference": inference}
    if inference is None:
        del facts["inference"]
        facts["format"] = 1
    return json.dumps({**facts, "config": config, "training": training})


def from_json(written, path):
    """Parse and check the facts of a file of any format up to the newest.

    Parameters
    ----------
    written : str
    path : str or path-like
        The file, for the message.

    Returns
    -------
    dict
        format, version, system, inference (None in format 1), config, training.

    Raises
    ------
    CheckpointError
        If they are damaged, or of a newer format.
    """
    facts = h5_guard.parsed(written, path)
    number = facts.get("format") if isinstance(facts, dict) else None
    if isinstance(number, int) and number > FORMAT:
        raise CheckpointError(f"{path} has format {number}; this version reads up to {FORMAT}. Update keras_mri (pip install -U).")
    kinds = _FIELDS.get(number, _FIRST) if isinstance(number, int) else _FIRST
    missing = [name for name, kind in kinds.items() if not isinstance(facts, dict) or not isinstance(facts.get(name), kind)]
    if missing or number < 1:
        raise CheckpointError(f"{path} has damaged `keras_mri` facts: no valid {', '.join(sorted(missing)) or 'format'}.")
    return {**facts, "inference": facts["inference"] if number > 1 else None}
