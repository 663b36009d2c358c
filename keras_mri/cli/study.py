"""python -m keras_mri.predict MODEL BIDS_DIR OUTPUT_DIR [participant]: every scan of a study, in the form of a BIDS App."""

import logging
import pathlib
import shlex
import sys
import time

from keras_mri.cli import options as _cli
from keras_mri.errors import InputError
from keras_mri.inference.training_range import differences_from_training
from keras_mri.io import nifti_reading as nifti
from keras_mri.io import nifti_writing
from keras_mri.io.derivatives import claimed, derivative_path, study_scans, write_dataset_description, write_sidecar
from keras_mri.report import provenance
from keras_mri.saving.pretrained import resolve
from keras_mri.systems import get_settings, get_system
from keras_mri.systems.network_files import load_network, system_of

_LOGGER = logging.getLogger(__name__)


def restore_study(arguments):
    """Restore the scans of a BIDS folder that are not yet restored; a scan that fails does not keep the others waiting.

    Parameters
    ----------
    arguments : list of str
        As typed after `python -m keras_mri.predict`.

    Returns
    -------
    int
        Exit status: 0, or 1 if any scan failed.

    Raises
    ------
    InputError
        If the folder, the network or the options cannot be used at all.
    """
    model = resolve(next(argument for argument in arguments if not argument.startswith("-")))
    name = system_of(model)
    settings = get_settings(name)
    parsed = _parser(settings.PredictConfig).parse_all(arguments)
    chosen = _cli.chosen_options(settings.PredictConfig, parsed)
    if not parsed.description.isalnum():
        raise InputError(f"--description must be letters and digits, as BIDS wants labels. Received: {parsed.description!r}.")
    if not parsed.study.is_dir():
        raise InputError(f"{parsed.study} is not a folder. Expected a BIDS folder, then the folder for its derivatives.")
    if parsed.derivatives.exists() and not parsed.derivatives.is_dir():
        raise InputError(f"{parsed.derivatives} is a file. Expected the folder for the derivatives, to be made if it is not there.")
    scans = study_scans(parsed.study, parsed.modality, parsed.participant_label, parsed.session_label)
    write_dataset_description(parsed.derivatives, parsed.study, "python -m keras_mri.predict " + shlex.join(arguments))

    with _cli.native_messages_held_back():
        system = get_system(name)
    checkpoint = load_network(model)
    made_by = {"network": model.name, "sha256": provenance.digest(model), "system": name, "options": chosen.to_json()}
    counts = {"restored": 0, "were there already": 0, "being made by another job": 0, "failed": 0}
    for number, scan in enumerate(scans, start=1):
        path = derivative_path(scan, parsed.study, parsed.derivatives, parsed.description)
        outcome = _attempt(scan, path, parsed, lambda images: system.predict(checkpoint, images, chosen), checkpoint, made_by)
        counts[outcome] += 1
        _LOGGER.info("[%d/%d] %s: %s", number, len(scans), scan.relative_to(parsed.study), outcome)
    print("; ".join(f"{count} {outcome}" for outcome, count in counts.items() if count), file=sys.stderr)
    return 1 if counts["failed"] else 0


def _attempt(scan, path, parsed, restore, checkpoint, made_by):
    """Restore one scan unless that is done or under way; return what became of it."""
    try:
        with claimed(path) as ours:
            if not ours:
                return "being made by another job"
            if path.exists() and not parsed.overwrite:
                return "were there already"
            _restore(scan, path, parsed, restore, checkpoint, made_by)
            return "restored"
    except InputError as error:
        _LOGGER.error("%s failed: %s", scan, error)
    except Exception:  # our bug, with its traceback; the other scans must not suffer from it
        _LOGGER.exception("%s failed", scan)
    return "failed"


def _restore(scan, path, parsed, restore, checkpoint, made_by):
    image = nifti.open_image(scan, parsed.replace_nonfinite)
    remarked = differences_from_training(image, checkpoint.training, checkpoint.config)
    for remark in remarked:
        _LOGGER.warning("warning: %s", remark)
    start = time.perf_counter()
    restored = restore([image])
    facts = {**made_by, "warnings": remarked, "versions": provenance.versions()}
    # The image last: where it is, all of it is.
    write_sidecar(path, scan, parsed.study, facts)
    nifti_writing.save(restored, path, parsed.dtype)
    _LOGGER.info("wrote %s in %.0f s", path, time.perf_counter() - start)


def _parser(options):
    parser = _cli.Parser(
        prog="python -m keras_mri.predict",
        description="Apply a trained network to every scan of a BIDS folder. Scans whose derivative is there are skipped; several jobs may "
        "work on one folder. Exit status 1 if a scan failed.",
    )
    parser.add_argument("model", metavar="MODEL", help="a network that keras_mri.train wrote (.h5), or the name of a pre-trained one")
    parser.add_argument("study", metavar="BIDS_DIR", type=pathlib.Path, help="holds sub-*[/ses-*]/anat|func|…")
    parser.add_argument("derivatives", metavar="OUTPUT_DIR", type=pathlib.Path, help="for the derivatives, as BIDS orders them")
    parser.add_argument("level", metavar="participant", nargs="?", choices=("participant",), help="the level of analysis of BIDS Apps")
    parser.add_argument("--participant-label", nargs="+", default=(), metavar="LABEL", help="only these, with or without sub-")
    parser.add_argument("--session-label", nargs="+", default=(), metavar="LABEL", help="only these, with or without ses-")
    parser.add_argument("--modality", default="bold", metavar="SUFFIX", help="last part of the scans' names (default: bold)")
    parser.add_argument("--description", default="denoised", metavar="LABEL", help="desc-LABEL of the derivatives (default: denoised)")
    parser.add_argument("--overwrite", action="store_true", help="make derivatives anew that are there")
    parser.add_argument("--replace-nonfinite", action="store_true", help="read NaN and infinity as 0")
    parser.add_argument("--dtype", choices=nifti_writing.DTYPES, default="float32", help="of the derivatives (default: float32)")
    _cli.add_options(parser, options)
    return parser


# For help texts of `predict`.
USAGE = "a BIDS folder and one for its derivatives restore a whole study: MODEL BIDS_DIR OUTPUT_DIR [participant] --help"


def names_a_study(arguments):
    """Return whether a command line of `predict` names a folder after its network."""
    positional = [index for index, argument in enumerate(arguments) if not argument.startswith("-")]
    return len(positional) > 1 and positional[1] == positional[0] + 1 and pathlib.Path(arguments[positional[1]]).is_dir()
