"""What side-cars say of a scan: found by BIDS' inheritance principle, and read with distrust."""

import json
import math
import os
import pathlib
import typing

from keras_mri.errors import first_line, remark

# Bytes of a side-car, and how deep its lists and objects may lie in one another.
_LARGEST, _DEEPEST = 10_000_000, 50
_TOO_DEEP = f"more than {_DEEPEST} lists or objects in one another"
# Endings of images, which their side-cars have not.
_IMAGES = (".gz", ".nii", ".img", ".hdr", ".mgz", ".mgh")


class Metadata(typing.NamedTuple):
    """The fields that apply to a scan, and the file that each comes from.

    Parameters
    ----------
    facts : dict
        As JSON has them; all numbers are finite.
    origins : dict of str to pathlib.Path
    """

    facts: dict
    origins: dict


def inherited(scan, study=None):
    """Read the metadata of a scan: from NAME.json beside it and, within a study, from all side-cars that apply; the nearest wins.

    What cannot be read is named by a remark and ignored.

    Parameters
    ----------
    scan : str or path-like
    study : str or path-like, optional
        The BIDS folder; by default the one that holds the scan's folder `sub-…`, if there is one.

    Returns
    -------
    Metadata
    """
    facts, origins, ranks = {}, {}, {}
    for rank, path in _applicable(scan, study, ".json"):
        said = read_object(path)
        rivals = {origins[name] for name in facts.keys() & said.keys() if ranks[name] == rank and facts[name] != said[name]}
        for rival in sorted(rivals):
            remark(path, f"contradicts {rival.name}, which is as near to {pathlib.Path(scan).name}; {path.name} is followed")
        facts.update(said)
        origins.update(dict.fromkeys(said, path))
        ranks.update(dict.fromkeys(said, rank))
    return Metadata(facts, origins)


def nearest(scan, ending, study=None, suffix=None):
    """Return the file of another kind that applies to a scan, such as its table of b-values.

    Parameters
    ----------
    scan, study : as for `inherited`
    ending : str
        For example `.bval`.
    suffix : str, optional
        Last part of the file's name, if it is not the scan's: `aslcontext`.

    Returns
    -------
    pathlib.Path or None
    """
    found = _applicable(scan, study, ending, suffix)
    return found[-1][1] if found else None


def read_object(path):
    """Read the object in a JSON file.

    Parameters
    ----------
    path : pathlib.Path

    Returns
    -------
    dict
        Empty, with a remark, if the file cannot be read, is too large or too deep, or holds anything but an object of finite values.
    """
    raw = read_bounded(path)
    if raw is None:
        return {}
    text, encoding = _decoded(raw)
    try:
        facts = json.loads(text, parse_constant=_no_number)
        if not isinstance(facts, dict):
            raise ValueError("no JSON object")
        _check_entries(facts)
    except (ValueError, RecursionError) as error:
        reason = _TOO_DEEP if isinstance(error, RecursionError) else first_line(error)
        remark(path, f"its metadata are ignored: {reason}")
        return {}
    if encoding is not None:
        remark(path, f"is not in UTF-8, as BIDS requires, and is read as {encoding}")
    return facts


def read_bounded(path):
    """Return the bytes of a small file; None, with a remark, if it is large, no file, or cannot be read."""
    try:
        if not path.is_file():
            raise OSError("a link to nothing; get its content first" if path.is_symlink() else "no ordinary file")
        with open(path, "rb") as file:
            raw = file.read(_LARGEST + 1)
    except OSError as error:
        remark(path, f"is ignored: {error.strerror or error}")
        return None
    if len(raw) > _LARGEST:
        remark(path, f"is ignored: larger than {_LARGEST // 1_000_000} MB")
        return None
    return raw


def stem(name):
    """Return the name of an image without its ending: `sub-01_bold.nii.gz` → `sub-01_bold`."""
    for ending in _IMAGES:
        name = name.removesuffix(ending)
    return name


def _applicable(scan, study, ending, suffix=None):
    """Return what applies to a scan: list of ((level, number of entities), path), the nearest last.

    A file applies if it lies in the scan's folder or above, has the scan's suffix, and no entity that the scan has not.
    """
    scan = pathlib.Path(os.path.abspath(scan))
    *entities, own = stem(scan.name).split("_")
    study = _study_of(scan) if study is None else pathlib.Path(os.path.abspath(study))
    if study is None or study not in scan.parents:
        beside = scan.with_name("_".join([*entities, suffix or own]) + ending)
        return [((0, 0), beside)] if os.path.lexists(beside) else []
    levels = [folder for folder in reversed(scan.parents) if folder == study or study in folder.parents]
    found = []
    for level, folder in enumerate(levels):
        for name in _names(folder):
            *theirs, kind = name.removesuffix(ending).split("_")
            if name.endswith(ending) and kind == (suffix or own) and set(theirs) <= set(entities):
                found.append(((level, len(theirs)), folder / name))
    return sorted(found)


def _study_of(scan):
    """Return the folder above that of the scan's subject, None if there is no such folder: sub-01[/ses-1]/func/sub-01_…"""
    subject = scan.name.partition("_")[0]
    # A datatype, a session, a subject.
    above = list(scan.parents)[:3]
    return next((folder.parent for folder in above if folder.name == subject and subject.startswith("sub-")), None)


def _names(folder):
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _decoded(raw):
    """Return text, and its encoding if that had to be guessed."""
    try:
        return raw.decode(json.detect_encoding(raw)), None
    except UnicodeDecodeError:
        return raw.decode("latin-1"), "Latin-1"


def _no_number(word):
    raise ValueError(f"{word} is no number in JSON")


def _check_entries(facts):
    """Raise ValueError if an entry is not finite, or lies too deep."""
    layer = [facts]
    for _ in range(_DEEPEST):
        entries = [entry for outer in layer for entry in (outer.values() if isinstance(outer, dict) else outer)]
        if any(isinstance(entry, float) and not math.isfinite(entry) for entry in entries):
            raise ValueError("a number is too large")
        layer = [entry for entry in entries if isinstance(entry, (dict, list))]
        if not layer:
            return
    raise ValueError(_TOO_DEEP)
