"""A small valid study in BIDS, of noise on a head-like object: bold, T1w, dwi and asl, with metadata where the standard lets them lie."""

import json

import nibabel
import numpy as np

SHAPE = (24, 22, 16)
FRAMES = {"bold": 14, "dwi": 14, "asl": 24}
# Seconds between the frames; the unit of the asl's header is milliseconds.
REPETITION_TIMES = {"bold": 2.0, "dwi": 3.0, "asl": 4.0}
_MANUFACTURER = {"MagneticFieldStrength": 3, "Manufacturer": "None", "EchoTime": 0.03}
_ASL = {
    **_MANUFACTURER,
    "ArterialSpinLabelingType": "PCASL",
    "PostLabelingDelay": 1.8,
    "LabelingDuration": 1.8,
    "BackgroundSuppression": False,
    "M0Type": "Absent",
    "MRAcquisitionType": "3D",
    "RepetitionTimePreparation": 4.0,
    "PulseSequenceType": "3D_GRASE",
    "TotalAcquiredPairs": 12,
}


def make_study(folder):
    """Write the study.

    Parameters
    ----------
    folder : pathlib.Path
        Must not exist.

    Returns
    -------
    pathlib.Path
        `folder`.
    """
    folder.mkdir(parents=True)
    (folder / "README").write_text("A study of noise on a head-like object, made by keras_mri's experiments/08_bids.\n")
    _write(folder / "dataset_description.json", {"Name": "Noisy heads", "BIDSVersion": "1.10.0", "DatasetType": "raw", "License": "CC0"})
    for subject in ("01", "02"):
        _scans(folder / f"sub-{subject}", f"sub-{subject}", np.random.default_rng(int(subject)))
    # By inheritance: what is the same in all scans lies in the root, what differs lies nearer.
    _write(folder / "task-rest_bold.json", {**_MANUFACTURER, "RepetitionTime": 2.0, "TaskName": "rest"})
    _write(folder / "asl.json", _ASL)
    (folder / "asl_aslcontext.tsv").rename(folder / "aslcontext.tsv")
    _write(folder / "sub-02" / "sub-02_task-rest_bold.json", {"EchoTime": 0.04})
    return folder


def _scans(folder, subject, rng):
    head = _head()
    _save(folder / "anat" / f"{subject}_T1w.nii.gz", head + rng.normal(0, 20, SHAPE))
    _write(folder / "anat" / f"{subject}_T1w.json", _MANUFACTURER)
    for datatype, name in (("func", "task-rest_bold"), ("dwi", "dwi"), ("perf", "asl")):
        suffix = name.rpartition("_")[2]
        frames = np.repeat(head[..., None], FRAMES[suffix], axis=3) + rng.normal(0, 20, (*SHAPE, FRAMES[suffix]))
        if suffix == "asl":
            frames[..., 1::2] *= 0.98
        _save(folder / datatype / f"{subject}_{name}.nii.gz", frames, REPETITION_TIMES[suffix], "msec" if suffix == "asl" else "sec")
    _write(folder / "func" / f"{subject}_task-rest_bold.json", {"SliceTiming": list(np.linspace(0, 1.9, SHAPE[2]).round(3))})
    (folder / "func" / f"{subject}_task-rest_events.tsv").write_text("onset\tduration\ttrial_type\n2\t4\tface\n")
    _gradients(folder, subject, rng)
    rows = "\n".join(["control", "label"] * (FRAMES["asl"] // 2))
    (folder.parent / "asl_aslcontext.tsv").write_text(f"volume_type\n{rows}\n")


def _gradients(folder, subject, rng):
    directions = rng.normal(size=(3, FRAMES["dwi"]))
    directions /= np.linalg.norm(directions, axis=0)
    directions[:, 0] = 0
    values = " ".join(["0"] + ["1000"] * (FRAMES["dwi"] - 1))
    _write(
        folder / "dwi" / f"{subject}_dwi.json",
        {**_MANUFACTURER, "RepetitionTime": 3.0, "PhaseEncodingDirection": "j", "TotalReadoutTime": 0.05},
    )
    # The table of b-values of one subject lies with the subject, the other one's beside the scan.
    place = folder / "dwi" if subject == "sub-01" else folder
    (place / f"{subject}_dwi.bval").write_text(values + "\n")
    (place / f"{subject}_dwi.bvec").write_text("\n".join(" ".join(f"{x:.5f}" for x in row) for row in directions) + "\n")


def _head():
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, side) for side in SHAPE), indexing="ij")
    radius = np.sqrt((x / 0.85) ** 2 + (y / 0.9) ** 2 + (z / 0.9) ** 2)
    return 1000 * np.where(radius < 1, 0.7 + 0.3 * np.cos(6 * x) * np.cos(5 * y + 1) * np.cos(4 * z), 0.05)


def _save(path, data, repetition_time=None, unit="sec"):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nibabel.Nifti1Image(np.abs(data).astype(np.float32), np.diag([3.0, 3.0, 3.0, 1.0]))
    image.header.set_xyzt_units("mm", unit)
    if repetition_time:
        image.header["pixdim"][4] = repetition_time * (1000 if unit == "msec" else 1)
    nibabel.save(image, path)


def _write(path, facts):
    path.write_text(json.dumps(facts, indent=1))
