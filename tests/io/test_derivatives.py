import json
import pathlib

import pytest

from keras_mri.io.derivatives import derivative_path, write_dataset_description, write_sidecar


@pytest.mark.parametrize(
    ("scan", "expected"),
    [
        ("sub-01/func/sub-01_task-rest_bold.nii", "sub-01/func/sub-01_task-rest_desc-denoised_bold.nii.gz"),
        ("sub-01/ses-1/anat/sub-01_ses-1_T1w.nii.gz", "sub-01/ses-1/anat/sub-01_ses-1_desc-denoised_T1w.nii.gz"),
        ("sub-01/func/sub-01_desc-preproc_bold.nii.gz", "sub-01/func/sub-01_desc-denoised_bold.nii.gz"),
    ],
)
def test_a_derivative_keeps_folders_and_entities(scan, expected):
    assert derivative_path(pathlib.Path("in", scan), pathlib.Path("in"), pathlib.Path("out"), "denoised") == pathlib.Path("out", expected)


def test_the_dataset_is_described_once(tmp_path):
    study, out = tmp_path / "study", tmp_path / "out" / "denoised"
    study.mkdir()
    (study / "dataset_description.json").write_text('{"Name": "Bananas", "BIDSVersion": "1.8.0"}')
    write_dataset_description(out, study, "the command")
    facts = json.loads((out / "dataset_description.json").read_text())
    assert facts["DatasetType"] == "derivative" and facts["Name"] == "Bananas, restored by keras_mri" and facts["BIDSVersion"]
    assert facts["GeneratedBy"][0]["Name"] == "keras_mri" and facts["GeneratedBy"][0]["Description"] == "the command"
    assert facts["DatasetLinks"] == {"raw": "../../study"}
    write_dataset_description(out, study, "another")
    assert json.loads((out / "dataset_description.json").read_text()) == facts


@pytest.mark.parametrize("written", ['{"RepetitionTime": 2.0, "Sources": ["old"]}', "no JSON", "[1]", None])
def test_a_sidecar_goes_on_from_the_scan_s_own(tmp_path, written):
    scan, path = tmp_path / "func" / "sub-01_bold.nii.gz", tmp_path / "out_bold.nii.gz"
    scan.parent.mkdir()
    if written is not None:
        (scan.parent / "sub-01_bold.json").write_text(written)
    write_sidecar(path, scan, tmp_path, {"network": "n.h5"})
    facts = json.loads((tmp_path / "out_bold.json").read_text())
    assert facts.get("RepetitionTime") == (2.0 if written and "2.0" in written else None)
    assert facts["Sources"] == ["bids:raw:func/sub-01_bold.nii.gz"] and facts["keras_mri"] == {"network": "n.h5"}
