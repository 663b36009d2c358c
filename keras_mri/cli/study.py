"""python -m keras_mri.predict MODEL BIDS_DIR OUTPUT_DIR [participant]: every scan of a study, in the form of a BIDS App."""

import logging
import pathlib
import shlex
import sys
import time

from keras_mri.cli import running
from keras_mri.cli.options import add_options, add_output_flags, chosen_options, network_help
from keras_mri.errors import InputError, remarks_kept
from keras_mri.io import nifti_writing
from keras_mri.io.bids import study_scans
from keras_mri.io.derivatives import carried, derivative_path, write_companions, write_dataset_description, write_sidecar
from keras_mri.io.locks import claimed
from keras_mri.io.nifti_reading import open_image
from keras_mri.report import provenance
from keras_mri.systems import get_system
from keras_mri.systems.network_files import load_network, path_of_network, system_of

_LOGGER = logging.getLogger(__name__)
_PROG = "python -m keras_mri.predict"


def restore_study(arguments, options, restore):
    """Restore the scans of a BIDS folder that are not yet restored; a scan that fails does not keep the others waiting.

    Parameters
    ----------
    arguments : list of str
        As typed after `python -m keras_mri.predict`.
    options : type
        PredictConfig of the network's system.
    restore : callable
        `keras_mri.restore`.

    Returns
    -------
    int
        Exit status: 0, or 1 if any scan failed.

    Raises
    ------
    InputError
        If the folder, the network or the options cannot be used at all.
    """
    parsed = _parser(options).parse_all(arguments)
    model = path_of_network(parsed.model)
    name = system_of(model)
    chosen = chosen_options(options, parsed)
    _check_study(parsed)
    scans = study_scans(parsed.study, parsed.modality, parsed.participant_label, parsed.session_label)
    command = ["python", "-m", "keras_mri.predict", *map(_without_folder, arguments)]
    write_dataset_description(parsed.derivatives, parsed.study, shlex.join(command))

    with running.native_messages_held_back():
        get_system(name)
    checkpoint = load_network(model)
    made_by = {"network": model.name, "sha256": provenance.digest(model), "system": name, "options": chosen.to_json()}
    counts = {"restored": 0, "were there already": 0, "being made by another job": 0, "failed": 0}
    for number, scan in enumerate(scans, start=1):
        path = derivative_path(scan, parsed.study, parsed.derivatives, parsed.description)
        outcome = _attempt(scan, path, parsed, lambda image: restore(checkpoint, image, **vars(chosen)), made_by)
        counts[outcome] += 1
        _LOGGER.info("[%d/%d] %s: %s", number, len(scans), scan.relative_to(parsed.study), outcome)
    print("; ".join(f"{count} {outcome}" for outcome, count in counts.items() if count), file=sys.stderr)
    return 1 if counts["failed"] else 0


def _check_study(parsed):
    """Raise unless the two folders and the label can be used."""
    if not parsed.description.isalnum():
        raise InputError(f"--description must be letters and digits, as BIDS requires of labels. Received: {parsed.description!r}.")
    if not parsed.study.is_dir():
        raise InputError(f"{parsed.study} is not a folder. Expected a BIDS folder, then the folder for its derivatives.")
    if parsed.derivatives.exists() and not parsed.derivatives.is_dir():
        raise InputError(f"{parsed.derivatives} is a file. Expected the folder for the derivatives, which is created if it is missing.")


def _without_folder(argument):
    """Return an argument of the command line with the name alone of a file or folder: neither --mask FILE nor --mask=FILE tells where."""
    option, equals, value = argument.partition("=") if argument.startswith("-") else ("", "", argument)
    return option + equals + pathlib.PurePath(value).name


def _attempt(scan, path, parsed, restore, made_by):
    """Restore one scan unless that is done or under way; return what became of it."""
    try:
        with claimed(path) as ours:
            if not ours:
                return "being made by another job"
            if path.exists() and not parsed.overwrite:
                return "were there already"
            _restore(scan, path, parsed, restore, made_by)
            return "restored"
    except InputError as error:
        _LOGGER.error("%s failed: %s", scan, error)
    except Exception:  # our bug, with its traceback; the other scans must not suffer from it
        _LOGGER.exception("%s failed", scan)
    return "failed"


def _restore(scan, path, parsed, restore, made_by):
    start = time.perf_counter()
    # Only here: scikit-image takes a second to import.
    from keras_mri.cli.judged import judge_of, tell

    with remarks_kept() as remarks:
        image = open_image(scan, parsed.replace_nonfinite)
        restored, taken = restore(image), carried(image)
        facts = {**made_by, "warnings": remarks, "versions": provenance.versions()}
        # The image after it: where the image is, all of it is, but for the verdict and the remarks, which only the image's frames allow.
        write_companions(path, scan, taken)
        write_sidecar(path, scan, parsed.study, facts, taken)
        judge = judge_of(restored.source or image, restored, parsed, restored.facts)
        nifti_writing.save(judge.watched() if judge else restored, path, parsed.dtype)
    if judge and judge.count:
        facts["verdict"] = judge.verdict().to_json()
        tell(judge.verdict(), scan)
    write_sidecar(path, scan, parsed.study, facts, taken)
    _LOGGER.info("wrote %s in %.0f s", path, time.perf_counter() - start)


# For help texts of `predict`.
USAGE = "For a whole study in BIDS: python -m keras_mri.predict MODEL BIDS_DIR OUTPUT_DIR [participant] --help"


def names_a_study(arguments, options):
    """Return whether a command line of `predict` names a folder after its network, wherever its options stand.

    Parameters
    ----------
    arguments : list of str
    options : type
        PredictConfig of the network's system, whose flags may take values.

    Returns
    -------
    bool

    Raises
    ------
    InputError
        If an option lacks its value or has a wrong one.
    """
    parser = running.Parser(prog=_PROG, add_help=False)
    parser.add_argument("words", nargs="*")
    # The flags of both forms: a value that belongs to one is no word.
    parser.add_argument("-o", "--output")
    parser.add_argument("--report")
    _add_flags(parser, options)
    words = parser.parse_known_intermixed_args(arguments)[0].words
    return len(words) > 1 and pathlib.Path(words[1]).is_dir()


def _parser(options):
    parser = running.Parser(
        prog=_PROG,
        description="Apply a trained network to every scan of a BIDS folder. Scans with an existing derivative are skipped, and several "
        "jobs may share one folder. Exit status 1 if a scan failed.",
        epilog=f"example: {_PROG} epi bids/ derivatives/ participant --participant-label 01",
    )
    parser.add_argument("model", metavar="MODEL", help=network_help())
    parser.add_argument("study", metavar="BIDS_DIR", type=pathlib.Path, help="holds sub-*[/ses-*]/anat|func|…")
    parser.add_argument("derivatives", metavar="OUTPUT_DIR", type=pathlib.Path, help="folder for the derivatives, in BIDS layout")
    parser.add_argument("level", metavar="participant", nargs="?", choices=("participant",), help="analysis level of BIDS Apps")
    _add_flags(parser, options)
    return parser


def _add_flags(parser, options):
    parser.add_argument("--participant-label", nargs="+", default=(), metavar="LABEL", help="only these subjects, with or without sub-")
    parser.add_argument("--session-label", nargs="+", default=(), metavar="LABEL", help="only these sessions, with or without ses-")
    parser.add_argument("--modality", default="bold", metavar="SUFFIX", help="BIDS suffix of the scans (default: bold)")
    parser.add_argument("--description", default="denoised", metavar="LABEL", help="desc-LABEL of the derivatives (default: denoised)")
    add_output_flags(parser, "replace existing derivatives", nifti_writing.DTYPES)
    add_options(parser, options)
