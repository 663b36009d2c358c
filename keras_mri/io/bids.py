"""Which scans of a BIDS folder belong together: one modality in two sessions of every subject."""

import pathlib
import re
import typing

from keras_mri.errors import InputError

_SUFFIXES = (".nii.gz", ".nii")
# sub-01_ses-2_acq-mprage_T1w.nii.gz → T1w
_MODALITY = re.compile(r"_([A-Za-z0-9]+)\.nii(?:\.gz)?$")
_SUBJECT = re.compile(r"sub-[A-Za-z0-9]+")


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
        The file name's last part, for example T1w.
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
    subjects = sorted(path for path in folder.glob("sub-*") if path.is_dir())
    if not subjects:
        raise InputError(f"{folder} holds no folders sub-*. Expected a BIDS folder: sub-01/ses-1/anat/sub-01_ses-1_T1w.nii.gz.")
    sessions = [f"ses-{label.removeprefix('ses-')}" for label in (source_session, target_session)]
    _check_sessions(folder, subjects, sessions)
    found = {subject.name: [_scan(subject / session, modality) for session in sessions] for subject in subjects}
    complete = {name: scans for name, scans in found.items() if all(scans)}
    if not any(any(scans) for scans in found.values()):
        there = sorted({modality_of(path) for subject in subjects for session in sessions for path in _images(subject / session)})
        raise InputError(
            f"no {modality} image in {' or '.join(sessions)} of any subject of {folder}. "
            f"Found: {', '.join(there) or 'no images at all'}. Choose with --modality."
        )
    missing = [f"{name} (no {session})" for name, scans in found.items() for session, scan in zip(sessions, scans) if not scan]
    if missing and not (skip_incomplete and complete):
        raise InputError(
            f"every subject needs a {modality} image in both sessions. Missing: {', '.join(missing)}. "
            "Leave these subjects out with --skip-incomplete, or name the pairs in a table with --pairs."
        )
    return [Partners(name, *scans) for name, scans in complete.items()]


def subject_of(path):
    """Return the subject that a path names (`sub-…`, the last one in it), or the path itself: two scans of unknown origin differ."""
    labels = _SUBJECT.findall(str(path))
    return labels[-1] if labels else str(path)


def _check_sessions(folder, subjects, sessions):
    there = {path.name for subject in subjects for path in subject.glob("ses-*")}
    absent = [session for session in sessions if session not in there]
    if absent:
        raise InputError(
            f"no subject of {folder} has a folder {' or '.join(absent)}. Found: {', '.join(sorted(there)) or 'no sessions'}. "
            "Choose with --source-session and --target-session."
        )


def _scan(session, modality):
    """Return the one image of a modality in a session, None if there is none."""
    scans = [path for path in _images(session) if modality_of(path) == modality]
    if len(scans) > 1:
        names = ", ".join(path.name for path in scans)
        raise InputError(f"{session} holds {len(scans)} {modality} images: {names}. Name the pairs in a table with --pairs.")
    return scans[0] if scans else None


def _images(session):
    folders = (session, session / "anat")
    return sorted(path for folder in folders if folder.is_dir() for path in folder.iterdir() if path.name.endswith(_SUFFIXES))


def modality_of(path):
    """Return the last part of a BIDS file's name, for example T1w; the whole name if it has no parts: str."""
    match = _MODALITY.search(path.name)
    return match.group(1) if match else path.name
