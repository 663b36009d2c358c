"""What a name says in BIDS: the labels of its entities, whole as they are, its suffix, and the subject that a path names."""

import pathlib
import re

from keras_mri.io.bids.metadata import stem

ENDINGS = (".nii.gz", ".nii")
# Values of `part` that are no magnitude: intensities of either sign, or angles that wrap.
_NO_MAGNITUDE = ("phase", "real", "imag")
# A label ends with its entity, never at a hyphen; a blank or a bracket begins what a copy's name adds: "sub-01 (2)_T1w.nii.gz".
_SUBJECT = re.compile(r"(?<![A-Za-z0-9])sub-[^_/\\.\s()]+")
_SUFFIX = re.compile(r"(?:.*_)?([A-Za-z0-9]+)")
# Suffixes that say what kind of scan an image is. Only these are recorded: another last word may be anybody's name.
_KINDS = (
    "bold cbv sbref asl m0scan dwi epi T1w T2w PDw T2starw FLAIR PDT2 inplaneT1 inplaneT2 angio UNIT1 MP2RAGE MPM MESE MEGRE VFA IRT1 MTR "
    "MTS T1map T2map T2starmap R1map R2map R2starmap PDmap MTRmap T1rho TB1EPI TB1TFL magnitude magnitude1 magnitude2 phase phase1 phase2 "
    "phasediff fieldmap defacemask pet"
).split()
_KIND_OF = {kind.lower(): kind for kind in _KINDS}


def entities(name):
    """Return the entities of a file's name.

    Parameters
    ----------
    name : str
        For example "sub-CON-01_task-rest_bold.nii.gz".

    Returns
    -------
    dict of str to str
        {"sub": "CON-01", "task": "rest"}: a label is all that stands between the first hyphen and the next underscore.
    """
    parts = (part.partition("-") for part in stem(name).split("_") if "-" in part)
    return {key: label for key, _, label in parts}


def modality_of(path):
    """Return the suffix of a BIDS file's name, for example T1w; the whole name if it has none: str.

    Parameters
    ----------
    path : pathlib.PurePath
    """
    start, underscore, suffix = stem(path.name).rpartition("_")
    return suffix if start and underscore and suffix.isalnum() and path.name.endswith(ENDINGS) else path.name


def kind_of(name):
    """Return what kind of scan a file is by its name, as BIDS writes it.

    Parameters
    ----------
    name : str or path-like
        For example "sub-01_task-rest_bold.nii.gz", or "t1w.nii".

    Returns
    -------
    str or None
        "bold", "T1w"; None where the name does not end in a suffix of BIDS for images.
    """
    match = _SUFFIX.fullmatch(stem(pathlib.PurePath(name).name))
    return _KIND_OF.get(match[1].lower()) if match else None


def is_magnitude(path):
    """Return whether a file may hold magnitudes by its name: no part-phase, part-real or part-imag."""
    return entities(path.name).get("part") not in _NO_MAGNITUDE


def label_of(name, entity="sub"):
    """Return the label of an entity, with or without the entity before it: "sub-CON-01" and "CON-01" are "CON-01"."""
    return name.removeprefix(f"{entity}-")


def subject_of(path):
    """Return the subject that a path names (`sub-…`, the last one in it), or the path itself: two scans of unknown origin differ."""
    labels = _SUBJECT.findall(str(path))
    return labels[-1] if labels else str(path)
