"""A folder of BIDS derivatives: which scans of a study it is made from, what its files are called, who is at work on which."""

import contextlib
import json
import os
import pathlib

import keras_mri
from keras_mri.errors import InputError
from keras_mri.io.bids import modality_of
from keras_mri.io.whole_files import explained, replacing

try:
    import fcntl
except ImportError:  # Windows: there, two jobs may do one scan twice, and the later file stays
    fcntl = None

# The release of the standard whose names and fields are used.
BIDS_VERSION = "1.10.0"
_SUFFIXES = (".nii.gz", ".nii")
_FOLDERS = ("anat", "func", "dwi", "perf", "fmap")


def study_scans(folder, modality, participants=(), sessions=()):
    """Find the scans of one modality in a BIDS folder.

    Parameters
    ----------
    folder : str or path-like
        Holds `sub-*[/ses-*]/anat|func|dwi|perf|fmap/sub-*_MODALITY.nii[.gz]`.
    modality : str
        The file name's last part, for example bold.
    participants, sessions : sequence of str
        Labels to choose, with or without `sub-` and `ses-`; by itself all.

    Returns
    -------
    list of pathlib.Path
        In order of name.

    Raises
    ------
    InputError
        If there are no subjects, a participant or session is not there, or nothing has that modality.
    """
    folder = pathlib.Path(folder)
    subjects = _chosen(folder, "sub", participants, "--participant-label")
    if not subjects:
        raise InputError(f"{folder} holds no folders sub-*. Expected a BIDS folder: sub-01/func/sub-01_task-rest_bold.nii.gz.")
    places = []
    for subject in subjects:
        visits = sorted(path for path in subject.glob("ses-*") if path.is_dir())
        wanted = [visit for visit in visits if not sessions or _label(visit.name) in map(_label, sessions)]
        # A subject without sessions has its folders itself.
        places += wanted or ([] if sessions else [subject])
    if not places:
        raise InputError(f"no subject of {folder} has the session(s) {', '.join(map(_label, sessions))}. Choose with --session-label.")
    images = [path for place in places for name in _FOLDERS for path in sorted((place / name).glob("*")) if path.name.endswith(_SUFFIXES)]
    found = [path for path in images if modality_of(path) == modality]
    if not found:
        there = ", ".join(sorted({modality_of(path) for path in images})) or "no images at all"
        raise InputError(f"no {modality} image in the chosen part of {folder}. Found: {there}. Choose with --modality.")
    return found


def derivative_path(scan, study, derivatives, description):
    """Return where what is made of a scan belongs.

    Parameters
    ----------
    scan : pathlib.Path
        Inside `study`.
    study, derivatives : path-like
        The BIDS folder and the folder of its derivatives.
    description : str
        The label `desc-…`.

    Returns
    -------
    pathlib.Path
        The same folders below `derivatives`; `sub-01_task-rest_bold.nii.gz` becomes `sub-01_task-rest_desc-denoised_bold.nii.gz`.
    """
    # What is made of a derivative has a description of its own.
    stem = "_".join(part for part in _stem(scan.name).split("_") if not part.startswith("desc-"))
    entities, _, modality = stem.rpartition("_")
    return pathlib.Path(derivatives) / scan.parent.relative_to(study) / f"{entities}_desc-{description}_{modality}.nii.gz"


@contextlib.contextmanager
def claimed(path):
    """Claim a file that is to be made, so that no two jobs make it; the claim ends with the block or with the process.

    Parameters
    ----------
    path : pathlib.Path
        Its folder is made if it is not there.

    Yields
    ------
    bool
        Whether the file is this job's to make; False if another one is at work on it.

    Raises
    ------
    InputError
        If the folder cannot be written.
    """
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.with_name(f".{path.name}.lock")
    with explained(lock):
        file = open(lock, "a")  # noqa: SIM115 closed below, whatever happens
    try:
        held = _locked(file, lock)
        try:
            yield held
        finally:
            if held:
                lock.unlink(missing_ok=True)
    finally:
        file.close()


def write_dataset_description(derivatives, study, command):
    """Write `dataset_description.json`, which makes a folder a dataset of derivatives; one that is there stays.

    Parameters
    ----------
    derivatives, study : path-like
    command : str
        What was typed.

    Raises
    ------
    InputError
        If the folder cannot be made or written.
    """
    path = pathlib.Path(derivatives) / "dataset_description.json"
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        return
    name = _read_json(pathlib.Path(study) / "dataset_description.json").get("Name", pathlib.Path(study).resolve().name)
    generated = {"Name": "keras_mri", "Version": keras_mri.__version__, "Description": command}
    facts = {
        "Name": f"{name}, restored by keras_mri",
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [generated],
        "DatasetLinks": {"raw": pathlib.Path(os.path.relpath(study, derivatives)).as_posix()},
    }
    _write_json(path, facts)


def write_sidecar(path, scan, study, provenance):
    """Write the `.json` beside a derivative: what the scan's own said of it, its source, and how it was made.

    Parameters
    ----------
    path : pathlib.Path
        The derivative's image.
    scan : pathlib.Path
    study : path-like
    provenance : dict
        Added under `keras_mri`.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    facts = _read_json(scan.with_name(_stem(scan.name) + ".json"))
    facts["Sources"] = [f"bids:raw:{scan.relative_to(study).as_posix()}"]
    facts["keras_mri"] = provenance
    _write_json(path.with_name(_stem(path.name) + ".json"), facts)


def _chosen(folder, kind, labels, flag):
    there = {_label(path.name): path for path in sorted(folder.glob(f"{kind}-*")) if path.is_dir()}
    absent = [label for label in map(_label, labels) if label not in there]
    if absent and there:
        raise InputError(f"{folder} has no {kind}-{f', {kind}-'.join(absent)}. Found: {', '.join(there)}. Choose with {flag}.")
    return [there[label] for label in dict.fromkeys(map(_label, labels))] if labels and there else list(there.values())


def _label(name):
    """Return the label of an entity: sub-01 → 01."""
    return name.rpartition("-")[2]


def _stem(name):
    return name.removesuffix(".gz").removesuffix(".nii")


def _locked(file, lock):
    """Return whether this process now holds the lock on an open file; the system takes it back when the process ends."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise InputError(
            f"the file system of {lock.parent} knows no locks ({error.strerror}), so jobs cannot tell who does what. "
            "Write to another folder, and copy afterwards."
        ) from error
    # Whoever held it before may have removed the file between our opening and locking it: then this lock guards nothing.
    return lock.exists() and os.path.samestat(os.fstat(file.fileno()), lock.stat())


def _read_json(path):
    """Return the object in a JSON file: dict, empty if there is none or it is damaged."""
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return facts if isinstance(facts, dict) else {}


def _write_json(path, facts):
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
