"""python -m containers.describe: writes containers/boutiques.json, which describes `predict` for a study to Boutiques and CBRAIN.

Every input is read off the parser of the command. tests/test_containers.py fails where the file is no longer what is written here.
"""

import argparse
import dataclasses
import json
import pathlib
import typing

import keras_mri
from keras_mri.cli import study_options
from keras_mri.systems import automatic, get_settings
from keras_mri.systems.network_files import pretrained_networks

FILE = pathlib.Path(__file__).with_name("boutiques.json")
IMAGE = f"keras-mri:{keras_mri.__version__}"
# The options of `auto` and the denoisers, and those that super-resolution has besides.
_SYSTEMS = (automatic.SYSTEM, "sr")
_LEVEL = "participant"
_NUMBERS = ("int", "float")
_RESULTS = (
    ("derivatives", "Derivatives", "[OUTPUT_DIR]", "A BIDS dataset of derivatives: each scan restored, with a side-car."),
    (
        "dataset_description",
        "Description of the derivatives",
        "[OUTPUT_DIR]/dataset_description.json",
        "What made them, and from which study.",
    ),
)
_EXIT_CODES = (
    (1, "A scan failed, or something asked for by its label is not there; each is named, and the other scans were restored."),
    (2, "The study, the output folder, the network or an option cannot be used; the message says why, and nothing was restored."),
    (70, "A defect of keras_mri."),
)


def descriptor():
    """Return the descriptor: dict."""
    inputs = [*_words(), *_networks(), *_options()]
    keys = " ".join(entry["value-key"] for entry in inputs)
    results = [
        {"id": name, "name": title, "path-template": path, "description": text, "optional": True} for name, title, path, text in _RESULTS
    ]
    return {
        "name": "keras_mri",
        "tool-version": keras_mri.__version__,
        "schema-version": "0.5",
        "description": "Denoises or super-resolves every MR scan of a BIDS study with pre-trained Keras networks.",
        "command-line": f"{study_options.PROG} {keys}",
        "container-image": {"type": "docker", "image": IMAGE, "entrypoint": True},
        "inputs": inputs,
        "groups": [_one_network()],
        "output-files": results,
        "error-codes": [{"code": code, "description": text} for code, text in _EXIT_CODES],
        "suggested-resources": {"cpu-cores": 4, "ram": 8},
        "tags": {"domain": ["neuroinformatics", "mri", "bids"]},
    }


def _words():
    level = {"value-choices": [_LEVEL], "default-value": _LEVEL, "optional": True}
    return [
        _entry("bids_dir", "File", "Folder of the study, in BIDS.", optional=False),
        _entry("output_dir", "String", "Folder for the derivatives; made if it is not there.", optional=False),
        _entry("analysis_level", "String", "Analysis level of BIDS Apps.", **level),
    ]


def _networks():
    """Describe --model twice: the name of a network that comes along, or the file of another, which a container must be given."""
    names = ["auto", *sorted(name for name in pretrained_networks() if "_" not in name)]
    flag = {"command-line-flag": "--model", "optional": True}
    named = f"Network that comes along; auto: {automatic.HELP}."
    return [
        _entry("model", "String", named, **flag, **{"value-choices": names}),
        _entry("network_file", "File", "A network file written by keras_mri.train (.h5), instead.", **flag),
    ]


def _one_network():
    described = "A network that comes along, or a file"
    members = ["model", "network_file"]
    return {"id": "network", "name": described, "members": members, "mutually-exclusive": True, "one-is-required": True}


def _options():
    """Return one input for each flag of the command, but for --model and --help."""
    described = {}
    for system in _SYSTEMS:
        options = get_settings(system).PredictConfig
        fields = {field.name: field for field in dataclasses.fields(options)}
        for action in study_options.parser(options)._actions:
            if action.option_strings and action.dest not in ("help", "named"):
                described.setdefault(action.dest, _option(action, fields.get(action.dest), system))
    return list(described.values())


def _option(action, field, system):
    only = f" Only networks of {system}." if field is not None and system != _SYSTEMS[0] else ""
    text = f"{action.help[:1].upper()}{action.help[1:]}.{only}".replace("%%", "%")
    further = {"command-line-flag": action.option_strings[0], "optional": True}
    if action.nargs == 0:
        return _entry(action.dest, "Flag", text, **further)
    if action.choices:
        further["value-choices"] = list(action.choices)
    default = field.default if field is not None else action.default
    if default is not None and default != argparse.SUPPRESS:
        further["default-value"] = default
    if action.nargs is not None:
        further["list"] = True
    if isinstance(action.nargs, int):
        further |= {"min-list-entries": action.nargs, "max-list-entries": action.nargs}
    kind = getattr(action.type, "__name__", "str")
    if kind in _NUMBERS:
        return _entry(action.dest, "Number", text, **further, **_range(field, kind))
    return _entry(action.dest, "File" if field is not None and field.metadata["path"] else "String", text, **further)


def _range(field, kind):
    limits = {"minimum": field.metadata["low"], "maximum": field.metadata["high"]}
    return {"integer": kind == "int", **{name: limit for name, limit in limits.items() if limit is not None}}


def _entry(name: str, kind: typing.Literal["File", "Flag", "Number", "String"], text: str, **further):
    title = name.replace("_", " ").capitalize()
    return {"id": name, "name": title, "type": kind, "description": text, "value-key": f"[{name.upper()}]", **further}


def text():
    """Return the content of the file: str."""
    return json.dumps(descriptor(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
