"""python -m keras_mri.info MODEL: the description stored in a network file, without building the network."""

from keras_mri.cli import signals

if __name__ == "__main__":
    signals.leave_at_once()


import re
import sys
import textwrap

from keras_mri.cli import running
from keras_mri.cli.options import add_checksum, network_help
from keras_mri.cli.streams import as_json
from keras_mri.config import shown
from keras_mri.inference.training_range import range_of_sides, trained_sigma, trained_zooms
from keras_mri.report import provenance
from keras_mri.saving import cards, checkpoints, hub
from keras_mri.systems import SYSTEMS, automatic, get_settings
from keras_mri.systems.network_files import path_of_network, pretrained_networks
from keras_mri.systems.records import stored_inference

# Characters of a line of words.
_WIDTH = 120


def main(arguments=None):
    """Print the description of a network file; see `--help`."""
    return running.run(_info, arguments)


def describe(path, card=None):
    """Return the description stored in a network file.

    Parameters
    ----------
    path : pathlib.Path
    card : pathlib.Path, optional
        Its model card; by default NAME.md beside NAME.h5.

    Returns
    -------
    dict
        file, bytes, sha256, system, version, format, network (name, input_shape, parameters), inference (the values that prediction uses),
        config, training, remarks (of the training: list of str), card (a path, or None), about (rows of that card: dict of str to str).

    Raises
    ------
    CheckpointError
        If keras_mri did not write it, or it cannot be read.
    """
    opened = checkpoints.open_network(path)
    facts = opened.facts
    remarks = facts["training"].get("remarks", [])
    card = card or path.with_suffix(".md")
    text = cards.text_of(card)
    return {
        "file": str(path),
        "bytes": path.stat().st_size,
        "sha256": provenance.digest(path),
        "system": facts["system"],
        "version": facts["version"],
        "format": facts["format"],
        "network": opened.outline(),
        "inference": stored_inference(facts, get_settings(facts["system"])) if facts["system"] in SYSTEMS else facts["inference"],
        "config": facts["config"],
        "training": facts["training"],
        "remarks": [str(remark) for remark in remarks] if isinstance(remarks, list) else [],
        "card": None if text is None else str(card),
        "about": {} if text is None else _about(text),
    }


def _about(card):
    """Return the heading and the table of a model card as plain words: dict of str to str."""
    heading = re.match(r"#\s*(?:`[^`]*`:)?\s*(.+)", card)
    rows = re.findall(r"^\| *([a-z][^|]*?) *\| *([^|]+?) *\|$", card.split("\n\n**")[0], re.MULTILINE)
    found = {"purpose": heading[1]} if heading else {}
    plain = {name: re.sub(r"\[([^]]*)\]\([^)]*\)|\*\*|`", r"\1", text) for name, text in [*found.items(), *rows]}
    # A stranger's card must not steer the terminal.
    return {name: "".join(letter if letter.isprintable() else " " for letter in text) for name, text in plain.items()}


def _info(arguments):
    parsed = _parser().parse_all(arguments)
    if automatic.is_auto(parsed.model):
        print(as_json(_networks_of_auto()) if parsed.json else "\n".join(_lines_of_auto()))
        return
    path = path_of_network(parsed.model, parsed.sha256)
    facts = describe(path, hub.fetch_card(parsed.model) if hub.is_address(parsed.model) else None)
    print(as_json(facts) if parsed.json else "\n".join(lines(facts)))


def _networks_of_auto():
    """Return the networks that `auto` chooses from: dict of name to file (None where it is not at hand) and scans."""
    known = pretrained_networks()
    return {name: {"file": str(known[name]) if name in known else None, "scans": scans} for name, scans in automatic.TABLE}


def _lines_of_auto():
    """Return what `auto` is, and what it takes for which scan, as lines of text: list of str."""
    rows = {name: f"{facts['scans']}; {facts['file'] or 'not at hand'}" for name, facts in _networks_of_auto().items()}
    return [f"auto: {automatic.HELP}", *(f"  {name:10s}{text}" for name, text in rows.items())]


def lines(facts):
    """Return the description from `describe` as lines of text: list of str."""
    network = facts["network"]
    zooms, sigma = trained_zooms(facts["training"]), trained_sigma(facts["training"])
    known, about = SYSTEMS.get(facts["system"]), facts["about"]
    purpose = {"purpose": known.help.partition(": ")[0]} if known else {}
    rows = (
        purpose
        | {name: about[name] for name in ("purpose", "trained on") if name in about}
        | {
            "takes": _input_in_words(facts),
            "size": f"{facts['bytes'] / 1e6:.1f} MB, {network['parameters']:,} parameters",
            **({"licence": about["licence"]} if "licence" in about else {}),
            "file": facts["file"],
            "SHA-256": facts["sha256"],
            "system": facts["system"] + (f": {known.help}" if known else " (unknown to this version)"),
            "written by": f"keras_mri {facts['version']}, format {facts['format']}",
            "network": f"{network['name']}, {network['parameters']:,} parameters, input {_shape(network['input_shape'])}",
            "voxels in training": f"{range_of_sides(zooms)} mm, of {len(zooms)} scan(s)" if len(zooms) else "not recorded",
            "noise in training": f"SD {sigma[0]:.3g} to {sigma[1]:.3g} in network units" if sigma else "not recorded",
            "card": facts["card"] or "none beside the file",
        }
    )
    width = max(map(len, rows)) + 2
    used = {name: value for name, value in (facts["inference"] or {}).items() if not isinstance(value, dict)}
    return [
        *(_row(name, text, width) for name, text in rows.items()),
        *(["remarks in training", *(f"  {remark}" for remark in facts["remarks"])] if facts["remarks"] else []),
        *_listed("used in prediction", used),
        *_listed("settings of the training", facts["config"]),
    ]


def _row(name, text, width):
    """Return a name and its text, which goes on below itself where it is long."""
    if name not in ("purpose", "trained on", "licence"):
        # What may hold a path stays in one piece.
        return f"{name:{width}s}{text}"
    return textwrap.fill(text, _WIDTH, initial_indent=f"{name:{width}s}", subsequent_indent=" " * width, break_on_hyphens=False)


def _listed(title, values):
    """Return a title and one line for each value: list of str."""
    width = max(map(len, values), default=0) + 2
    return [title, *(f"  {name:{width}s}{shown(value)}" for name, value in values.items())]


def _input_in_words(facts):
    """Say what the network is given in prediction."""
    shape, used = facts["network"]["input_shape"], facts["inference"] if isinstance(facts["inference"], dict) else {}
    if len(shape) < 3 or type(shape[-1]) is not int:  # a file of a stranger's
        return f"an array of shape {_shape(shape)}"
    sides, channels = shape[:-1], shape[-1]
    size = (
        "any size"
        if all(side is None for side in sides)
        else f"{' × '.join('any' if side is None else str(side) for side in sides)} voxels"
    )
    if used.get("input") == "maps":
        return "a run of 10 frames or more, of any size; frames are denoised together"
    spacing = used["slices"].get("spacing") if isinstance(used.get("slices"), dict) else None
    if isinstance(spacing, list) and len(spacing) == 2:
        return f"a volume, or a run frame by frame, of {size}, with slices {spacing[0]} to {spacing[1]} mm apart, which become finer voxels"
    if facts["system"] == "n2a":
        each = f"with {channels} frames together" if channels > 1 else "3D or 4D"
        return f"two or more repetitions of a scan on one grid, {each}, {size}"
    if len(sides) == 2:
        return f"a volume or run, slice by slice across voxel axis {used.get('axis', 2)}, slices of {size}"
    grid = used["grid"].get("shape") if isinstance(used.get("grid"), dict) else None
    if used.get("any_grid"):
        return "volumes or runs on any grid"
    if facts["system"] == "ldm" and isinstance(grid, list):
        return f"volumes or runs on its own grid, {' × '.join(map(str, grid))} voxels"
    if channels > 1:
        return f"a run, {channels} neighbouring frames at a time, of {size}"
    return f"a volume, or a run frame by frame, of {size}"


def _shape(sides):
    return "(" + ", ".join("any" if side is None else str(side) for side in sides) + ")"


def _parser():
    parser = running.Parser(
        prog="python -m keras_mri.info",
        description="Describe a network file: system, settings, training data.",
        epilog="example: python -m keras_mri.info epi --json",
    )
    parser.add_argument("model", metavar="MODEL", help=f"{network_help()}; or auto, for those that it chooses from")
    add_checksum(parser)
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    return parser


if __name__ == "__main__":
    sys.exit(main())
