"""What a study's run is going to do, before any work: its folders checked, its scans chosen, a derivative for each."""

import os.path
import pathlib
import typing

from keras_mri.cli.study_options import choice_of
from keras_mri.errors import InputError, remark, remarks_kept
from keras_mri.io.bids.derivatives import derivative_path
from keras_mri.io.bids.scans import is_raw, made_by, study_scans
from keras_mri.io.intake.endings import check_no_dicom
from keras_mri.io.whole_files import check_temporary_folder
from keras_mri.saving import pretrained
from keras_mri.systems.automatic import KINDS
from keras_mri.systems.network_files import trained_modalities


class Plan(typing.NamedTuple):
    """The scans of a study and their derivatives.

    Parameters
    ----------
    pairs : list of (pathlib.Path, pathlib.Path)
        Scan and derivative.
    missing : list of str
        What was asked for and is not there.
    remarks : list of str
        Remarks on the study and the network, which hold for every scan.
    left_out : list of str
        Remarks on the scans that are left out.
    """

    pairs: list
    missing: list
    remarks: list
    left_out: list


def planned(parsed, model):
    """Choose the scans of a study and name their derivatives.

    Parameters
    ----------
    parsed : argparse.Namespace
        From `keras_mri.cli.study_options.parser`.
    model : pathlib.Path or None
        The network's file; None to choose one for each scan.

    Returns
    -------
    Plan

    Raises
    ------
    InputError
        If a folder cannot be used, nothing that was asked for is there, two scans would have one derivative, or a derivative would
        take the place of a scan or lie among the scans.
    """
    _check_folders(parsed)
    with remarks_kept() as remarks:
        tools = made_by(parsed.study)
        if tools is not None:
            by = f", made by {', '.join(tools)}" if tools else ""
            remark(parsed.study, f"is a folder of derivatives{by}: its scans are restored, but their noise is not that of a scanner")
        modality = parsed.modality.removeprefix("_") if parsed.modality else _modality_of(model) if model else KINDS
    with remarks_kept() as left_out:
        found = study_scans(parsed.study, modality, choice_of(parsed))
    without = [f"no {'restorable' if modality is KINDS else modality} image of {', '.join(found.without)}"] if found.without else []
    pairs = [(scan, derivative_path(scan, parsed.study, parsed.derivatives, parsed.description)) for scan in found.scans]
    _check_one_to_one(pairs, parsed)
    return Plan(pairs, found.missing, remarks, [*left_out, *without])


def remark_on_place(scan, study):
    """Remark on a scan whose name tells another subject than its folder does.

    Parameters
    ----------
    scan : pathlib.Path
        In `study`.
    study : path-like
    """
    folder = scan.relative_to(study).parts[0]
    if not scan.name.startswith(f"{folder}_"):
        remark(scan, f"lies in the folder of {folder}, and so does its derivative; its name gives another subject")


def _modality_of(model):
    """Return the suffix of the scans that a network restores."""
    trained = trained_modalities(model)
    if not trained:
        remark(model, "does not record which kind of scans it was trained on: bold is taken. Choose with --modality")
    elif len(trained) > 1 and not pretrained.modalities_of(model):
        remark(model, f"was trained on {', '.join(trained)}: {trained[0]} is taken. Choose with --modality")
    return trained[0] if trained else "bold"


def _check_folders(parsed):
    """Raise unless the two folders and the label can be used."""
    if not (parsed.description.isascii() and parsed.description.isalnum()):
        raise InputError(f"`description` must be letters and digits, as BIDS requires of labels. Received: {parsed.description!r}.")
    if not os.path.isdir(parsed.study):
        raise InputError(f"{parsed.study} is not a folder. Expected a BIDS folder, then the folder for its derivatives.")
    check_no_dicom(parsed.study)
    if os.path.exists(parsed.derivatives) and not os.path.isdir(parsed.derivatives):
        raise InputError(f"{parsed.derivatives} is a file. Expected the folder for the derivatives, which is created if it is missing.")
    same = _real(parsed.derivatives) == _real(parsed.study)
    if same or _lies_among_scans(parsed.derivatives, parsed.study):
        raise InputError(
            f"{parsed.derivatives} is {'BIDS_DIR itself' if same else 'inside BIDS_DIR'}: derivatives do not belong among the scans. "
            f"Expected a folder elsewhere, or {parsed.study / 'derivatives' / 'keras_mri'}."
        )
    if is_raw(parsed.derivatives):
        raise InputError(
            f"{parsed.derivatives} holds a study of its own, of raw scans by its dataset_description.json. "
            "Expected a folder of derivatives, or a new one."
        )
    if not parsed.dry_run:
        _check_writable(parsed.derivatives)
        check_temporary_folder()


def _check_writable(folder):
    """Raise unless a folder can be written, or made where it is not there."""
    there = next(path for path in (folder, *folder.absolute().parents) if os.path.isdir(path))
    if not os.access(there, os.W_OK | os.X_OK):
        where = f"{folder} is" if there == folder else f"{folder} cannot be made: {there} is"
        raise InputError(f"{where} not writable. Choose another folder for the derivatives; of a container, mount one that can be written.")


def _lies_among_scans(path, study):
    """Return whether a path lies in a study, links followed, and not in its folder `derivatives`."""
    path, study = _real(path), _real(study)
    return path.is_relative_to(study) and path.relative_to(study).parts[:1] != ("derivatives",)


def _real(path):
    """Return a path with its links followed, as far as they lead."""
    return pathlib.Path(os.path.realpath(path))


def _check_one_to_one(pairs, parsed):
    """Raise unless every scan has a derivative of its own, which is no scan and lies where no scans are."""
    scans, seen = {_real(scan): scan for scan, _ in pairs}, {}
    for scan, path in pairs:
        name = scan.relative_to(parsed.study)
        other = seen.setdefault(path, name)
        if other != name:
            raise InputError(
                f"two scans would have one derivative, {path.relative_to(parsed.derivatives)}: {other} and {name}. "
                "Names of scans must differ in more than desc-… and the ending: move one of them elsewhere."
            )
        met = scans.get(_real(path))
        if met is not None or _lies_among_scans(path, parsed.study):
            place = f"the scan {met.relative_to(parsed.study)}" if met is not None else "a file among the scans"
            raise InputError(f"the derivative of {name}, {path}, would be {place}. Choose another folder for the derivatives.")
