"""python -m keras_mri.info MODEL: the description stored in a network file, without building the network."""

from keras_mri.cli import signals

if __name__ == "__main__":
    signals.leave_at_once()


import sys

from keras_mri.cli import running
from keras_mri.cli.options import network_help
from keras_mri.cli.streams import as_json
from keras_mri.config import shown
from keras_mri.inference.training_range import range_of_sides, trained_sigma, trained_zooms
from keras_mri.saving import checkpoints
from keras_mri.systems import SYSTEMS, get_settings
from keras_mri.systems.network_files import path_of_network
from keras_mri.systems.records import stored_inference


def main(arguments=None):
    """Print the description of a network file; see `--help`."""
    return running.run(_info, arguments)


def describe(path):
    """Return the description stored in a network file.

    Parameters
    ----------
    path : pathlib.Path

    Returns
    -------
    dict
        file, system, version, format, network (name, input_shape, parameters), inference (the values that prediction uses), config,
        training, card (a path, or None).

    Raises
    ------
    CheckpointError
        If keras_mri did not write it, or it cannot be read.
    """
    opened = checkpoints.open_network(path)
    facts = opened.facts
    card = path.with_suffix(".md")
    return {
        "file": str(path),
        "system": facts["system"],
        "version": facts["version"],
        "format": facts["format"],
        "network": opened.outline(),
        "inference": stored_inference(facts, get_settings(facts["system"])) if facts["system"] in SYSTEMS else facts["inference"],
        "config": facts["config"],
        "training": facts["training"],
        "card": str(card) if card.is_file() else None,
    }


def _info(arguments):
    parsed = _parser().parse_all(arguments)
    facts = describe(path_of_network(parsed.model))
    print(as_json(facts) if parsed.json else "\n".join(lines(facts)))


def lines(facts):
    """Return the description from `describe` as lines of text: list of str."""
    network = facts["network"]
    zooms, sigma = trained_zooms(facts["training"]), trained_sigma(facts["training"])
    known = SYSTEMS.get(facts["system"])
    rows = {
        "file": facts["file"],
        "system": facts["system"] + (f": {known.help}" if known else " (unknown to this version)"),
        "written by": f"keras_mri {facts['version']}, format {facts['format']}",
        "network": f"{network['name']}, {network['parameters']:,} parameters, input {_shape(network['input_shape'])}",
        "voxels in training": f"{range_of_sides(zooms)} mm, of {len(zooms)} scan(s)" if len(zooms) else "not recorded",
        "noise in training": f"SD {sigma[0]:.3g} to {sigma[1]:.3g} in network units" if sigma else "not recorded",
        "card": facts["card"] or "none beside the file",
    }
    width = max(map(len, rows)) + 2
    used = {name: value for name, value in (facts["inference"] or {}).items() if not isinstance(value, dict)}
    return [
        *(f"{name:{width}s}{text}" for name, text in rows.items()),
        *_listed("used in prediction", used),
        *_listed("settings of the training", facts["config"]),
    ]


def _listed(title, values):
    """Return a title and one line for each value: list of str."""
    width = max(map(len, values), default=0) + 2
    return [title, *(f"  {name:{width}s}{shown(value)}" for name, value in values.items())]


def _shape(sides):
    return "(" + ", ".join("any" if side is None else str(side) for side in sides) + ")"


def _parser():
    parser = running.Parser(
        prog="python -m keras_mri.info",
        description="Describe a network file: system, settings, training data.",
        epilog="example: python -m keras_mri.info epi --json",
    )
    parser.add_argument("model", metavar="MODEL", help=network_help())
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    return parser


if __name__ == "__main__":
    sys.exit(main())
