"""A folder of BIDS derivatives: the names of its files, its description, and the JSON file beside each image."""

import json
import os
import pathlib
import typing
import urllib.parse

import numpy as np

import keras_mri
from keras_mri.errors import remark
from keras_mri.io.bids.metadata import nearest, read_bounded, read_object, stem
from keras_mri.io.whole_files import explained, replacing

# The release of the standard whose names and fields are used.
BIDS_VERSION = "1.10.0"
# Suffix of a scan, the ending of a file that it needs, and the suffix of that file if it is another.
_COMPANIONS = (("dwi", ".bval", None), ("dwi", ".bvec", None), ("asl", ".tsv", "aslcontext"))
# What a side-car says of the slices of a scan.
_OF_SLICES = ("SliceThickness", "SpacingBetweenSlices", "SliceTiming")
# Share of exact zeros around a brain that nearly fills its box, an ellipsoid: 1 - π/6, and some of it for its being no ellipsoid.
_LEAST_ZEROS = 0.4
_README = """# Scans restored by keras_mri

Each image here is the scan of the same folder and name in the raw dataset, without its noise. The grid, the header
and the unit of the intensities are those of the scan; after super-resolution the grid is finer. The `.json` file beside it
has the metadata of the scan (collected from all side-cars that apply), `Sources`, and under `keras_mri` the network, its
options and versions, warnings, and the verdict: how much noise was there, and what was removed.

First written by keras_mri {version}: `{command}`

For research, not for diagnosis.
"""


class Carried(typing.NamedTuple):
    """What a derivative takes over from its scan.

    Parameters
    ----------
    facts : dict
        Fields of the side-car.
    companions : dict of str to bytes
        Files without which the scan has no meaning, by the end of their name: `.bval`, `.bvec`, `aslcontext.tsv`.
    """

    facts: dict
    companions: dict


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
    *entities, modality = _parts(scan)
    return pathlib.Path(derivatives) / scan.parent.relative_to(study) / "_".join([*entities, f"desc-{description}", f"{modality}.nii.gz"])


def write_dataset_description(derivatives, study, command):
    """Write what makes a folder a dataset of derivatives, unless the folder has it: a description, a README, and what BIDS may ignore.

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
    folder, study = pathlib.Path(derivatives), pathlib.Path(study)
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
    links = _links(study, folder)
    path = folder / "dataset_description.json"
    if path.exists():
        if links and read_object(path).get("DatasetLinks", {}) != links:
            remark(path, f"is kept as it is, but its DatasetLinks are not {json.dumps(links)}, to which Sources of new files refer")
    else:
        raw = study / path.name
        name = (read_object(raw) if raw.is_file() else {}).get("Name")
        _write_json(path, _description(name if isinstance(name, str) else study.resolve().name, links, command))
    if not any((folder / name).exists() for name in ("README", "README.md", "README.rst", "README.txt")):
        _write_text(folder / "README.md", _README.format(version=keras_mri.__version__, command=command))
    if not (folder / ".bidsignore").exists():
        _write_text(folder / ".bidsignore", "*.html\n")


def carried(image, result=None):
    """Return what a derivative takes over from its scan, and name by remarks what is missing or cannot be read.

    Parameters
    ----------
    image : Volume
        From a file of the study.
    result : Volume, optional
        The derivative: on another grid it has other slices, and takes over nothing of theirs.

    Returns
    -------
    Carried
    """
    facts = dict(image.metadata.facts)
    if result is not None and result.shape[:3] != image.shape[:3]:
        facts = {name: fact for name, fact in facts.items() if name not in _OF_SLICES}
    if not isinstance(facts.get("SkullStripped"), bool):
        facts["SkullStripped"] = _lies_in_zeros(image)
        if facts["SkullStripped"]:
            remark(image.name, "exact zeros surround the brain: its derivative is SkullStripped; the scan's side-car can correct it")
    return Carried(facts, _companions(image.file))


def write_sidecar(path, scan, study, provenance, taken):
    """Write the `.json` beside a derivative: the metadata of the scan, its source, and how the derivative was made.

    Parameters
    ----------
    path : pathlib.Path
        The derivative's image.
    scan : pathlib.Path
    study : path-like
    provenance : dict
        Added under `keras_mri`.
    taken : Carried
        From the scan.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    source = f"bids:raw:{pathlib.Path(scan).relative_to(study).as_posix()}"
    described = [f"Restored by keras_mri {keras_mri.__version__}", taken.facts.get("Description")]
    facts = {"Description": "; the scan: ".join(map(str, filter(None, described))), "Sources": [source], "keras_mri": provenance}
    _write_json(path.with_name(stem(path.name) + ".json"), {**taken.facts, **facts})


def write_companions(path, scan, taken):
    """Write the files without which a scan has no meaning beside its derivative: gradients of dwi, the order of volumes of asl.

    They have the name of the scan's own and no `desc-`, as BIDS wants it: by inheritance they apply to the derivative.

    Parameters
    ----------
    path, scan : pathlib.Path
        The derivative's image, and the scan.
    taken : Carried
        From the scan.

    Raises
    ------
    InputError
        If one cannot be written.
    """
    *entities, suffix = _parts(scan)
    for ending, raw in taken.companions.items():
        companion = path.with_name("_".join([*entities, (suffix if ending.startswith(".") else "") + ending]))
        if not companion.exists():
            with replacing(companion) as temporary:
                temporary.write_bytes(raw)
        elif read_bounded(companion) != raw:
            remark(companion, "is there already and is kept, although it differs from the one that applies to the scan")


def _parts(scan):
    """Return entities and suffix of a scan's name: the derivative of a derivative has a description of its own."""
    return [part for part in stem(scan.name).split("_") if not part.startswith("desc-")]


def _description(name, links, command):
    return {
        "Name": f"{name}, restored by keras_mri",
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "keras_mri", "Version": keras_mri.__version__, "Description": command}],
        **({"DatasetLinks": links} if links else {}),
    }


def _links(study, folder):
    """Return where the raw data are, seen from the derivatives; nothing where no relative path leads there (another drive)."""
    try:
        return {"raw": urllib.parse.quote(pathlib.Path(os.path.relpath(study.resolve(), folder.resolve())).as_posix())}
    except ValueError:
        return {}


def _companions(scan):
    """Return the contents of the files without which a scan has no meaning, by what follows the suffix or stands for it."""
    companions = {}
    for suffix, ending, name in _COMPANIONS:
        if stem(pathlib.Path(scan).name).rpartition("_")[2] != suffix:
            continue
        path = nearest(scan, ending, suffix=name)
        raw = None if path is None else read_bounded(path)
        if raw is not None:
            companions[(name or "") + ending] = raw
        elif path is None:
            remark(scan, f"no {name or ''}{ending} applies to it, which BIDS asks for: its derivative has none either")
    return companions


def _lies_in_zeros(image):
    """Whether a brain is all that is there: exact zeros on all six faces of the volume and in much of it.

    Air that a scanner set to zero does not count: neck or brain reach a face.
    """
    zero = image.frame(image.n_frames // 2) == 0
    faces = (np.take(zero, side, axis=axis).all() for axis in range(3) for side in (0, -1))
    return bool(_LEAST_ZEROS < zero.mean() < 1 and all(faces))


def _write_json(path, facts):
    _write_text(path, json.dumps(facts, indent=2, ensure_ascii=False) + "\n")


def _write_text(path, text):
    with replacing(path) as temporary:
        # Half of a pair of surrogates, which JSON may name, is written as JSON names it.
        temporary.write_bytes(text.encode("utf-8", "backslashreplace"))
