"""Scans of a BIDS folder: those of one modality, and pairs of one subject's sessions."""

import pathlib
import re
import typing

from keras_mri.errors import InputError

_SUFFIXES = (".nii.gz", ".nii")
_DATATYPES = ("anat", "func", "dwi", "perf", "fmap")
# Pairs of sessions: structural scans, for which a session may have no folder of their own.
_STRUCTURAL = ("anat", ".")
# sub-01_ses-2_acq-mprage_T1w.nii.gz → T1w
_MODALITY = re.compile(r"_([A-Za-z0-9]+)\.nii(?:\.gz)?$")
_SUBJECT = re.compile(r"sub-[A-Za-z0-9]+")


class Partners(typing.NamedTuple):
    """Two scans of one subject, as paths."""

    subject: str
    source: pathlib.Path
    target: pathlib.Path


def study_scans(folder, modality, participant_label=(), session_label=()):
    """Find the scans of one modality in a BIDS folder.

    Parameters
    ----------
    folder : str or path-like
        Holds `sub-*[/ses-*]/anat|func|dwi|perf|fmap/sub-*_MODALITY.nii[.gz]`.
    modality : str
        The last part of the file name, for example bold.
    participant_label, session_label : sequence of str
        Labels to choose, with or without `sub-` and `ses-`; all by default.

    Returns
    -------
    list of pathlib.Path
        In order of name.

    Raises
    ------
    InputError
        If there are no subjects, a participant or session is not there, or no image has that modality.
    """
    folder = pathlib.Path(folder)
    subjects = {_label(path.name): path for path in _entities(folder, "sub")}
    if not subjects:
        raise InputError(f"{folder} holds no folders sub-*. Expected a BIDS folder: sub-01/func/sub-01_task-rest_bold.nii.gz.")
    wanted, sessions = (list(dict.fromkeys(map(_label, labels))) for labels in (participant_label, session_label))
    absent = [label for label in wanted if label not in subjects]
    if absent:
        raise InputError(f"{folder} has no sub-{', sub-'.join(absent)}. Found: {', '.join(subjects)}. Choose with `participant_label`.")
    places = []
    for subject in map(subjects.get, wanted or subjects):
        visits = [visit for visit in _entities(subject, "ses") if not sessions or _label(visit.name) in sessions]
        # A subject without sessions has its folders itself.
        places += visits or ([] if sessions else [subject])
    if not places:
        raise InputError(f"no subject of {folder} has the session(s) {', '.join(sessions)}. Choose with `session_label`.")
    found = _scans(places, _DATATYPES, modality)
    if not found:
        there = _modalities(places, _DATATYPES)
        raise InputError(f"no {modality} image in the chosen part of {folder}. Found: {there}. Choose with `modality`.")
    return found


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
    subjects = _entities(folder, "sub")
    if not subjects:
        raise InputError(f"{folder} holds no folders sub-*. Expected a BIDS folder: sub-01/ses-1/anat/sub-01_ses-1_T1w.nii.gz.")
    sessions = [f"ses-{label.removeprefix('ses-')}" for label in (source_session, target_session)]
    _check_sessions(folder, subjects, sessions)
    found = {subject.name: [_scan(subject / session, modality) for session in sessions] for subject in subjects}
    complete = {name: scans for name, scans in found.items() if all(scans)}
    if not any(any(scans) for scans in found.values()):
        there = _modalities([subject / session for subject in subjects for session in sessions], _STRUCTURAL)
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


def subject_of(path):
    """Return the subject that a path names (`sub-…`, the last one in it), or the path itself: two scans of unknown origin differ."""
    labels = _SUBJECT.findall(str(path))
    return labels[-1] if labels else str(path)


def modality_of(path):
    """Return the last part of a BIDS file's name, for example T1w; the whole name if it has no parts: str."""
    match = _MODALITY.search(path.name)
    return match.group(1) if match else path.name


def _check_sessions(folder, subjects, sessions):
    there = {path.name for subject in subjects for path in _entities(subject, "ses")}
    absent = [session for session in sessions if session not in there]
    if absent:
        raise InputError(
            f"no subject of {folder} has a folder {' or '.join(absent)}. Found: {', '.join(sorted(there)) or 'no sessions'}. "
            "Choose with `source_session` and `target_session`."
        )


def _scan(session, modality):
    """Return the one image of a modality in a session, None if there is none."""
    scans = _scans([session], _STRUCTURAL, modality)
    if len(scans) > 1:
        names = ", ".join(path.name for path in scans)
        raise InputError(f"{session} holds {len(scans)} {modality} images: {names}. Name the pairs in a table with `pairs`.")
    return scans[0] if scans else None


def _entities(folder, kind):
    """Return the folders of all subjects (`sub`) or sessions (`ses`) in a folder, in order of name."""
    return sorted(path for path in folder.glob(f"{kind}-*") if path.is_dir())


def _label(name):
    """Return the label of an entity: sub-01 → 01."""
    return name.rpartition("-")[2]


def _scans(places, datatypes, modality=None):
    """Return the images of subjects or sessions, of one modality or of all, in order of place, datatype and name."""
    folders = (place / datatype for place in places for datatype in datatypes)
    images = (path for folder in folders for path in sorted(folder.glob("*")) if path.name.endswith(_SUFFIXES))
    return [path for path in images if modality in (None, modality_of(path))]


def _modalities(places, datatypes):
    """Return which modalities subjects or sessions have, in words."""
    return ", ".join(sorted({modality_of(path) for path in _scans(places, datatypes)})) or "no images at all"
