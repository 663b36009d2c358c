"""The command line of `predict`, read before its options are known (one scan or a study? which network?), and a study's options."""

import argparse
import dataclasses
import os.path
import pathlib
import re
import typing

from keras_mri.cli import running
from keras_mri.cli.options import add_any_options, add_checksum, add_options, add_output_flags, network_help
from keras_mri.errors import InputError
from keras_mri.io import nifti_writing
from keras_mri.io.bids.scans import DENOISED, Choice
from keras_mri.saving import pretrained
from keras_mri.systems import SYSTEMS, automatic, get_settings
from keras_mri.systems.network_files import is_network, path_of_network, system_of
from keras_mri.systems.shared_settings import PredictConfig

PROG = "python -m keras_mri.predict"
FORMS = "MODEL BIDS_DIR OUTPUT_DIR participant, or BIDS_DIR OUTPUT_DIR participant --model MODEL"
# For help texts of `predict`.
USAGE = f"For a whole study in BIDS: {PROG} MODEL BIDS_DIR OUTPUT_DIR [participant] --help"
_LEVEL = "participant"
# Which part of a study is meant: of each flag the entity in the names, and the help.
_LABELS = {
    "participant_label": ("sub", "only these subjects, with or without sub-"),
    "session_label": ("ses", "only these sessions, with or without ses-"),
    "task_label": ("task", "only scans with these tasks in their names"),
    "run_label": ("run", "only scans with these runs in their names, as written there: 1 is not 01"),
    "acq_label": ("acq", "only scans with these acquisitions in their names"),
}
# Those that the short flags of other BIDS Apps name, too.
_SHORT = ("task_label", "run_label", "acq_label")
_OF_A_STUDY = (*_LABELS, "modality", "description", "dry_run")


class Line(typing.NamedTuple):
    """A command line of `predict`, read as far as it takes to choose its parser.

    Parameters
    ----------
    arguments : list of str
        As the parsers take them: the network first, lists of labels last.
    options : type
        PredictConfig of the network's system; without a network, the options that all systems share.
    is_study : bool
        Whether a whole study is meant.
    """

    arguments: list
    options: type
    is_study: bool


def read(arguments):
    """Read a command line of `predict`.

    Parameters
    ----------
    arguments : list of str
        As typed.

    Returns
    -------
    Line

    Raises
    ------
    InputError
        If an option lacks its value, the network's file cannot be read, or a study is meant and its words are not complete.
    """
    arguments = _hyphenated(arguments)
    system = _system_among(arguments)
    options = get_settings(system).PredictConfig if system else PredictConfig
    parsed = _parsed(arguments, options)
    if _swallowed(parsed):
        arguments = _with_labels_last(arguments, parsed, options)
        parsed = _parsed(arguments, options)
    words = [*([parsed.model] if parsed.model else []), *parsed.words]
    study = _is_study(words, parsed)
    if study and not {"-h", "--help"} & set(arguments):
        _check_words(words, parsed)
    return Line(_model_first(arguments), options, study)


def parser(options):
    """Return the parser of a study's options.

    Parameters
    ----------
    options : type
        PredictConfig of the network's system.

    Returns
    -------
    keras_mri.cli.running.Parser
    """
    made = running.Parser(
        prog=PROG,
        description="Apply a trained network to every scan of a BIDS folder. Scans with an existing derivative are skipped, and several "
        "jobs may share one folder. Exit status 1 if a scan failed, or if something asked for by its label is not there.",
        epilog=f"example: {PROG} epi bids/ derivatives/ participant --participant-label 01, or, as other BIDS Apps: "
        f"{PROG} bids/ derivatives/ participant --model epi",
    )
    made.add_argument("model", metavar="MODEL", help=f"{network_help()}; or auto: {automatic.HELP}")
    made.add_argument("study", metavar="BIDS_DIR", type=pathlib.Path, help="holds sub-*[/ses-*]/anat|func|…")
    made.add_argument("derivatives", metavar="OUTPUT_DIR", type=pathlib.Path, help="folder for the derivatives, in BIDS layout")
    made.add_argument("level", metavar=_LEVEL, nargs="?", choices=(_LEVEL,), help="analysis level of BIDS Apps")
    made.add_argument("--model", dest="named", metavar="MODEL", help="the network, instead of the first word: the form of BIDS Apps")
    _add_flags(made, [options])
    made.add_argument("--report", action="store_true", help="also write a page for each subject, OUTPUT_DIR/sub-….html, and an index.html")
    add_output_flags(made, "replace existing derivatives", nifti_writing.DTYPES)
    add_checksum(made)
    add_options(made, options)
    return made


def choice_of(parsed):
    """Return which part of a study is chosen: Choice.

    Parameters
    ----------
    parsed : argparse.Namespace
        From `parser`.

    Raises
    ------
    InputError
        If a label is empty.
    """
    labels = {name: _split(vars(parsed)[name], name) for name in _LABELS}
    return Choice(
        participant_label=labels.pop("participant_label"),
        session_label=labels.pop("session_label"),
        labels={_LABELS[name][0]: values for name, values in labels.items()},
    )


def _split(values, name):
    """Return the labels of one flag: several may stand in one word, with commas or blanks between them."""
    labels = [label for value in values or () for label in re.split(r"[,\s]+", value) if label]
    if values is not None and (not labels or f"{_LABELS[name][0]}-" in labels):
        raise InputError(f"`{name}` needs a label, such as {_LABELS[name][0]}-01. Received: {' '.join(values)!r}.")
    return labels


def _add_flags(made, systems):
    for name, (_, text) in _LABELS.items():
        made.add_argument(*_flags_of(name, systems), dest=name, nargs="+", action="extend", metavar="LABEL", help=text)
    every = "what the network was trained on, or bold; with auto all kinds of scans"
    made.add_argument("--modality", metavar="SUFFIX", help=f"BIDS suffix of the scans (default: {every})")
    made.add_argument("--description", default=DENOISED, metavar="LABEL", help=f"desc-LABEL of the derivatives (default: {DENOISED})")
    made.add_argument("--dry-run", action="store_true", help="print which derivative each scan would have, and write nothing")


def _flags_of(name, systems):
    """Return the flags of one kind of labels: --task-label, and --task where no option of these systems is called so."""
    short = _LABELS[name][0]
    taken = {field.name for options in systems for field in dataclasses.fields(options)}
    return ["--" + name.replace("_", "-"), *([f"--{short}"] if name in _SHORT and short not in taken else [])]


def _model_among(arguments, parsed):
    """Return the word of a command line that names its network, or may; None if there is none."""
    if parsed.model:
        return parsed.model
    known = (word for word in (*parsed.words, *arguments) if is_network(word))
    return next(known, parsed.words[0] if parsed.words else None)


def _system_among(arguments):
    """Return the system whose network a command line names; None where it names none, or asks for help with one that is not there."""
    parsed = _parsed(arguments)
    word = _model_among(arguments, parsed)
    if word is not None and automatic.is_auto(word):
        return automatic.SYSTEM
    if word is None or not (is_network(word) or pretrained.is_name(word)) or os.path.isdir(word) and not is_network(word):
        return None
    model = path_of_network(word, parsed.sha256)
    if {"-h", "--help"} & set(arguments) and not model.exists():
        return None
    return system_of(model)


def _hyphenated(arguments):
    """Return the arguments with hyphens in the names of options: --participant_label is --participant-label."""
    parts = [argument.partition("=") if argument.startswith("--") else ("", "", argument) for argument in arguments]
    named = [name.replace("_", "-") + equals + value for name, equals, value in parts]
    # argparse takes a second "--" for a word, and then drops it.
    return [argument for place, argument in enumerate(named) if argument != "--" or "--" not in named[:place]]


def _parsed(arguments, options=None):
    """Parse the words and what belongs to either form; without `options` for any system. What is unknown is left to the form's parser."""
    systems = [options] if options else [get_settings(name).PredictConfig for name in SYSTEMS]
    made = running.Parser(prog=PROG, add_help=False)
    made.add_argument("words", nargs="*")
    made.add_argument("--model")
    made.add_argument("-o", "--output")
    made.add_argument("--residual")
    made.add_argument("--noise-map")
    _add_flags(made, systems)
    made.set_defaults(description=None)
    made.add_argument("--overwrite", action="store_true")
    made.add_argument("--replace-nonfinite", action="store_true")
    made.add_argument("--dtype")
    made.add_argument("--sha256")
    add_any_options(made, systems)
    words, page = _without_report(arguments)
    return argparse.Namespace(**vars(made.parse_known_intermixed_args(words)[0]), page=page)


def _without_report(arguments):
    """Return the arguments without --report, which takes a page of one scan and nothing of a study, and that page or None."""
    kept, page = [], None
    for before, argument in zip(["", *arguments], arguments):
        if before == "--report" and argument.endswith((".html", ".htm")):
            page = argument
        elif argument.startswith("--report="):
            page = argument.partition("=")[2]
        elif argument != "--report":
            kept.append(argument)
    return kept, page


def _is_study(words, parsed):
    """Return whether a study is meant: the level or a flag says so, or else a folder stands where network or scan would."""
    if _LEVEL in words[2:] or any(vars(parsed)[name] for name in _OF_A_STUDY):
        return True
    return parsed.output is None and len(words) > 1 and any(os.path.isdir(word) for word in words[:2])


def _check_words(words, parsed):
    """Raise unless a study's words are its network, its folder, the folder for its derivatives and perhaps the level."""
    named = [word for place, word in enumerate(words) if not (place > 1 and place == len(words) - 1 and word == _LEVEL)]
    received = f"Received: {' '.join(parsed.words) or 'no words'}{f' --model {parsed.model}' if parsed.model else ''}."
    if parsed.output:
        raise InputError(f"-o/--output names the result of one scan. For a study, name the folder of its derivatives: {FORMS}.")
    if parsed.page is not None:
        raise InputError(f"--report of a study takes no file: its pages are OUTPUT_DIR/sub-….html. Received: {parsed.page}.")
    if len(named) < 3:
        raise InputError(f"a study needs a network, a BIDS folder and a folder for its derivatives: {FORMS}. {received}")
    if parsed.model and len(named) > 3 and os.path.isdir(words[2]):
        raise InputError(f"the network is named twice, {words[1]} and --model {parsed.model}. Expected {FORMS}.")
    if len(named) > 3 + (words[-1] != _LEVEL):
        raise InputError(f"a study has one network, one BIDS folder and one folder for its derivatives: {FORMS}. {received}")


def _swallowed(parsed):
    """Return whether a list of labels took words that stand behind it for labels."""
    lists = [vars(parsed)[name] for name in _LABELS if vars(parsed)[name]]
    return any(_LEVEL in labels[1:] for labels in lists) or bool(lists) and len(parsed.words) < 3 - bool(parsed.model)


def _with_labels_last(arguments, parsed, options):
    """Return the arguments with the list of labels that took words behind all words, and these given back."""
    flags = {flag for name in _LABELS for flag in _flags_of(name, [options])}
    short = max(0, 3 - bool(parsed.model) - len(parsed.words))
    lists = []
    for start in (place for place, argument in enumerate(arguments) if argument in flags):
        end = next((place for place in range(start + 1, len(arguments)) if arguments[place].startswith("-")), len(arguments))
        level = arguments[end - 1] == _LEVEL
        # One label stays; the list that ends with the level comes first, then the last one.
        if 0 < short + level < end - start - 1:
            lists.append((level, start, end, end - short - level))
    if not lists:
        return arguments
    _, start, end, back = max(lists)
    return [*arguments[:start], *arguments[back:end], *arguments[end:], *arguments[start:back]]


def _model_first(arguments):
    """Return the arguments with the network that --model names as the first word."""
    for place, argument in enumerate(arguments):
        if argument == "--model" and place + 1 < len(arguments):
            return [arguments[place + 1], *arguments[:place], *arguments[place + 2 :]]
        if argument.startswith("--model="):
            return [argument.partition("=")[2], *arguments[:place], *arguments[place + 1 :]]
    return list(arguments)
