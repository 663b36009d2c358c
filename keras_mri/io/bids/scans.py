"""Scans of a BIDS folder: those of one modality, with the labels that are asked for."""

import os.path
import pathlib
import typing

from keras_mri.errors import InputError, remark
from keras_mri.io.bids.metadata import read_object, stem
from keras_mri.io.bids.names import ENDINGS, entities, is_magnitude, label_of, modality_of

_DATATYPES = ("anat", "func", "dwi", "perf", "fmap")
# The description of what `predict` makes unless another is asked for.
DENOISED = "denoised"


class Choice(typing.NamedTuple):
    """Which scans of a study are meant: labels with or without their entity before them; all where none are named.

    Parameters
    ----------
    participant_label, session_label : sequence of str
    labels : dict of str to sequence of str
        Of further entities in the names of files: {"task": ["rest"], "run": ["01"]}.
    """

    participant_label: typing.Sequence = ()
    session_label: typing.Sequence = ()
    labels: dict = {}

    def of(self, entity):
        """Return the labels of an entity without it, each once: list of str."""
        named = {"sub": self.participant_label, "ses": self.session_label, **self.labels}.get(entity) or ()
        return list(dict.fromkeys(label_of(label, entity) for label in named))


EVERYTHING = Choice()


class Found(typing.NamedTuple):
    """The scans of a study that were chosen.

    Parameters
    ----------
    scans : list of pathlib.Path
        In order of name.
    missing : list of str
        What was asked for and is not there, in words.
    without : list of str
        Subjects, not asked for by name, that have no such scan.
    """

    scans: list
    missing: list
    without: list


def study_scans(folder, modality, choice=EVERYTHING):
    """Find the scans of one modality in a BIDS folder; those that are no magnitudes, or made by keras_mri, are left out with a remark.

    Parameters
    ----------
    folder : str or path-like
        Holds `sub-*[/ses-*]/anat|func|dwi|perf|fmap/sub-*_MODALITY.nii[.gz]`.
    modality : str or sequence of str
        The last part of the file name, for example bold; of several kinds of scans all.
    choice : Choice

    Returns
    -------
    Found

    Raises
    ------
    InputError
        If there are no subjects, or nothing that was asked for is there.
    """
    folder, kinds = pathlib.Path(folder), modality
    modality = modality if isinstance(modality, str) else "restorable"
    subjects, missing = _chosen_subjects(folder, choice.of("sub"))
    places, absent = _places(folder, subjects, choice.of("ses"))
    groups = {name: images_in(folders, _DATATYPES, kinds) for name, folders in places.items()}
    if not any(groups.values()):
        there = modalities_in([place for folders in places.values() for place in folders], _DATATYPES)
        raise InputError(f"no {modality} image in the chosen part of {folder}. Found: {there}. Choose with `modality`.")
    found, unlike = _with_labels([scan for group in groups.values() for scan in group], choice, folder, modality)
    found = _inputs(found, folder)
    if not found:
        raise InputError(f"no {modality} image of {folder} is left: all were left out, see above. Expected magnitude images as scanned.")
    empty = [name for name, group in groups.items() if not set(group) & set(found)]
    # A subject without such scans is missed only where it was asked for.
    if choice.of("sub") or choice.of("ses"):
        return Found(found, [*missing, *absent, *unlike, *(f"a {modality} image of {name}" for name in empty)], [])
    return Found(found, unlike, empty)


def made_by(folder):
    """Return what made a folder of derivatives.

    Parameters
    ----------
    folder : path-like

    Returns
    -------
    list of str or None
        The names in `GeneratedBy` of its `dataset_description.json`; None if that says that it is no folder of derivatives, or if
        there is none.
    """
    facts = facts_in(pathlib.Path(folder) / "dataset_description.json")
    tools = facts.get("GeneratedBy", facts.get("PipelineDescription"))
    if facts.get("DatasetType", "derivative" if tools else "raw") != "derivative":
        return None
    tools = tools if isinstance(tools, list) else [tools]
    return [str(tool.get("Name", "?")) for tool in tools if isinstance(tool, dict)]


def is_raw(folder):
    """Return whether the `dataset_description.json` of a folder says that its scans are raw; False if it has none."""
    return bool(facts_in(pathlib.Path(folder) / "dataset_description.json")) and made_by(folder) is None


def _chosen_subjects(folder, wanted):
    """Return the folders of the subjects, by name, and which of those wanted are missing."""
    subjects = {path.name: path for path in folders_of(folder, "sub")}
    if not subjects:
        raise InputError(f"{folder} holds no folders sub-*. Expected a BIDS folder: sub-01/func/sub-01_task-rest_bold.nii.gz.")
    names = [f"sub-{label}" for label in wanted]
    absent = [name for name in names if name not in subjects]
    if absent and len(absent) == len(names):
        there = ", ".join(label_of(name) for name in subjects)
        raise InputError(f"{folder} has no {', '.join(absent)}. Found: {there}. Choose with `participant_label`, label by label.")
    return {name: subjects[name] for name in names or subjects if name in subjects}, absent


def _places(folder, subjects, wanted):
    """Return the folders that may hold the scans of each subject, or of each session wanted, and which of those are missing."""
    if not wanted:
        # A subject may have scans beside its sessions.
        return {name: [path, *folders_of(path, "ses")] for name, path in subjects.items()}, []
    pairs = [(f"{name} ses-{label}", path / f"ses-{label}") for name, path in subjects.items() for label in wanted]
    there = {name: [path] for name, path in pairs if path.is_dir()}
    if not there:
        found = sorted({visit.name for path in subjects.values() for visit in folders_of(path, "ses")})
        raise InputError(
            f"no subject of {folder} has the session(s) {', '.join(wanted)}. Found: {', '.join(found) or 'no sessions'}. "
            "Choose with `session_label`."
        )
    return there, [name for name, path in pairs if not path.is_dir()]


def _with_labels(scans, choice, folder, modality):
    """Return the scans with the labels of `choice.labels`, and which labels no scan has."""
    unlike = []
    for entity in choice.labels:
        wanted = choice.of(entity)
        if not wanted:
            continue
        there = {entities(scan.name).get(entity) for scan in scans}
        absent = [f"{entity}-{label}" for label in wanted if label not in there]
        if len(absent) == len(wanted):
            found = ", ".join(sorted(f"{entity}-{label}" for label in there if label is not None)) or f"no {entity} in the names"
            raise InputError(f"no {modality} image of the chosen part of {folder} has {', '.join(absent)}. Found: {found}.")
        unlike += [f"a {modality} image with {name}" for name in absent]
        scans = [scan for scan in scans if entities(scan.name).get(entity) in wanted]
    return scans, unlike


def _inputs(scans, folder):
    """Return the scans that can be restored: magnitudes, not made by keras_mri."""
    ours = "keras_mri" in (made_by(folder) or ())
    chosen = []
    for scan in scans:
        if not is_magnitude(scan):
            remark(scan, f"left out: part-{entities(scan.name)['part']} is not a magnitude image, and networks restore magnitude images")
        elif ours or _is_denoised(scan):
            remark(scan, "left out: it is a derivative that was denoised already")
        else:
            chosen.append(scan)
    return chosen


def _is_denoised(scan):
    """Return whether a scan in a study is a derivative of keras_mri, or described as one."""
    description = entities(scan.name).get("desc")
    return description == DENOISED or description is not None and "keras_mri" in facts_in(scan.with_name(stem(scan.name) + ".json"))


def facts_in(path):
    """Return the object in a JSON file: dict, empty if there is none."""
    return read_object(path) if os.path.isfile(path) else {}


def folders_of(folder, kind):
    """Return the folders of all subjects (`sub`) or sessions (`ses`) in a folder, in order of name."""
    return sorted(path for path in folder.glob(f"{kind}-*") if path.is_dir())


def images_in(places, datatypes, modality=None):
    """Return the images of subjects or sessions, of one modality, several or all, in order of place, datatype and name."""
    wanted = (modality,) if isinstance(modality, str) else modality
    folders = (place / datatype for place in places for datatype in datatypes)
    paths = (path for folder in folders for path in sorted(folder.glob("*")) if path.name.endswith(ENDINGS))
    # Names that begin with a dot are those of other programs: the Finder's ._sub-01_T1w.nii.gz, unfinished copies.
    images = (path for path in paths if not path.name.startswith(".") and not path.is_dir())
    return [path for path in images if wanted is None or modality_of(path) in wanted]


def modalities_in(places, datatypes):
    """Return which modalities subjects or sessions have, in words."""
    return ", ".join(sorted({modality_of(path) for path in images_in(places, datatypes)})) or "no images at all"
