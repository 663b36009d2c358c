"""A folder of BIDS derivatives: the names of its files, its description, and the JSON file beside each image."""

import json
import os
import pathlib

import keras_mri
from keras_mri.io.whole_files import explained, replacing

# The release of the standard whose names and fields are used.
BIDS_VERSION = "1.10.0"


def derivative_path(scan, study, derivatives, description):
    """Return the path of a scan's derivative.

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
    # The derivative of a derivative has a description of its own.
    stem = "_".join(part for part in _stem(scan.name).split("_") if not part.startswith("desc-"))
    entities, _, modality = stem.rpartition("_")
    return pathlib.Path(derivatives) / scan.parent.relative_to(study) / f"{entities}_desc-{description}_{modality}.nii.gz"


def write_dataset_description(derivatives, study, command):
    """Write `dataset_description.json`, which makes a folder a dataset of derivatives, unless the folder has one.

    Parameters
    ----------
    derivatives, study : path-like
    command : str
        As typed.

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
    """Write the `.json` beside a derivative: the metadata of the scan, its source, and how the derivative was made.

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


def _stem(name):
    return name.removesuffix(".gz").removesuffix(".nii")


def _read_json(path):
    """Return the object in a JSON file: dict, empty if there is none or it is damaged."""
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return facts if isinstance(facts, dict) else {}


def _write_json(path, facts):
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8", errors="backslashreplace")
