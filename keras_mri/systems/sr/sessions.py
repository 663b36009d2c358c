"""Pairs of scans from two sessions of each subject of a BIDS folder."""

import pathlib
import typing

from keras_mri.errors import InputError
from keras_mri.io.bids.names import is_magnitude, label_of
from keras_mri.io.bids.scans import folders_of, images_in, modalities_in

# Structural scans, for which a session may have no folder of their own.
_STRUCTURAL = ("anat", ".")


class Partners(typing.NamedTuple):
    """Two scans of one subject, as paths."""

    subject: str
    source: pathlib.Path
    target: pathlib.Path


def session_pairs(folder, source_session, target_session, modality, skip_incomplete=False):
    """Find, for every subject, its scan in each of two sessions.

    Parameters
    ----------
    folder : str or path-like
        Holds `sub-*/ses-*/anat/sub-*_MODALITY.nii.gz`; the folder `anat` may be missing.
    source_session, target_session : str
        Labels, with or without `ses-`.
    modality : str
        The last part of the file name, for example T1w.
    skip_incomplete : bool
        Leave out subjects without both scans instead of refusing the folder.

    Returns
    -------
    list of Partners
        In order of subject.

    Raises
    ------
    InputError
        If there are no subjects, no such sessions or modality, a partner is missing, or two scans could be meant.
    """
    folder = pathlib.Path(folder)
    subjects = folders_of(folder, "sub")
    if not subjects:
        raise InputError(f"{folder} holds no folders sub-*. Expected a BIDS folder: sub-01/ses-1/anat/sub-01_ses-1_T1w.nii.gz.")
    sessions = [f"ses-{label_of(label, 'ses')}" for label in (source_session, target_session)]
    _check_sessions(folder, subjects, sessions)
    found = {subject.name: [_scan(subject / session, modality) for session in sessions] for subject in subjects}
    complete = {name: scans for name, scans in found.items() if all(scans)}
    if not any(any(scans) for scans in found.values()):
        there = modalities_in([subject / session for subject in subjects for session in sessions], _STRUCTURAL)
        raise InputError(
            f"no {modality} image in {' or '.join(sessions)} of any subject of {folder}. Found: {there}. Choose with `modality`."
        )
    missing = [f"{name} (no {session})" for name, scans in found.items() for session, scan in zip(sessions, scans) if not scan]
    if missing and not (skip_incomplete and complete):
        raise InputError(
            f"every subject needs a {modality} image in both sessions. Missing: {', '.join(missing)}. "
            "Leave these subjects out with `skip_incomplete`, or name the pairs in a table with `pairs`."
        )
    return [Partners(name, *scans) for name, scans in complete.items()]


def _check_sessions(folder, subjects, sessions):
    there = {path.name for subject in subjects for path in folders_of(subject, "ses")}
    absent = [session for session in sessions if session not in there]
    if absent:
        raise InputError(
            f"no subject of {folder} has a folder {' or '.join(absent)}. Found: {', '.join(sorted(there)) or 'no sessions'}. "
            "Choose with `source_session` and `target_session`."
        )


def _scan(session, modality):
    """Return the one image of a modality in a session, None if there is none."""
    scans = [path for path in images_in([session], _STRUCTURAL, modality) if is_magnitude(path)]
    if len(scans) > 1:
        names = ", ".join(path.name for path in scans)
        raise InputError(f"{session} holds {len(scans)} {modality} images: {names}. Name the pairs in a table with `pairs`.")
    return scans[0] if scans else None
