import json
import pathlib
import subprocess
import sys

import pytest

from keras_mri.errors import InputError
from keras_mri.io import derivatives
from keras_mri.io.derivatives import claimed, derivative_path, study_scans, write_dataset_description, write_sidecar


@pytest.fixture
def study(tmp_path):
    names = (
        "sub-02/ses-a/func/sub-02_ses-a_task-rest_bold.nii.gz",
        "sub-02/ses-b/func/sub-02_ses-b_task-rest_bold.nii.gz",
        "sub-01/func/sub-01_task-rest_run-1_bold.nii.gz",
        "sub-01/func/sub-01_task-rest_run-2_bold.nii",
        "sub-01/anat/sub-01_T1w.nii.gz",
        "derivatives/sub-01/func/sub-01_task-rest_bold.nii.gz",
        "sub-01/other/sub-01_task-rest_bold.nii.gz",
    )
    for name in names:
        path = tmp_path / "study" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "study"


def names(scans):
    return [path.name.split("_task")[0] + path.name.partition("run")[2][:2] for path in scans]


def test_all_scans_of_a_modality_are_found_with_and_without_sessions(study):
    assert names(study_scans(study, "bold")) == ["sub-01-1", "sub-01-2", "sub-02_ses-a", "sub-02_ses-b"]
    assert [path.name for path in study_scans(study, "T1w")] == ["sub-01_T1w.nii.gz"]


def test_participants_and_sessions_are_chosen_by_label(study):
    assert names(study_scans(study, "bold", ["sub-02"])) == names(study_scans(study, "bold", ["02"])) == ["sub-02_ses-a", "sub-02_ses-b"]
    assert names(study_scans(study, "bold", sessions=["ses-b"])) == names(study_scans(study, "bold", ["02"], ["b"])) == ["sub-02_ses-b"]


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        (dict(modality="T2w"), r"no T2w image in the chosen part of .*\. Found: T1w, bold\. Choose with --modality"),
        (dict(modality="bold", participants=["02", "07"]), r"has no sub-07\. Found: 01, 02\. Choose with --participant-label"),
        (dict(modality="bold", sessions=["c"]), r"no subject of .* has the session\(s\) c\. Choose with --session-label"),
    ],
)
def test_what_is_not_there_is_said_with_what_is(study, choice, message):
    with pytest.raises(InputError, match=message):
        study_scans(study, **choice)


def test_a_folder_without_subjects_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"holds no folders sub-\*\. Expected a BIDS folder"):
        study_scans(tmp_path, "bold", ["01"])


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


def test_another_process_cannot_claim_what_is_claimed_and_leaves_no_trace(tmp_path, in_this_checkout):
    path = tmp_path / "sub-01" / "func" / "x.nii.gz"
    program = (
        "import sys, pathlib; from keras_mri.io.derivatives import claimed\nwith claimed(pathlib.Path(sys.argv[1])) as ours: print(ours)"
    )

    def other():
        done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, env=in_this_checkout, check=True)
        return done.stdout.strip()

    with claimed(path) as ours:
        assert ours and other() == "False"
    assert other() == "True"
    assert list(path.parent.iterdir()) == []


def test_a_claim_ends_with_the_process_that_was_killed(tmp_path, in_this_checkout):
    path = tmp_path / "x.nii.gz"
    program = (
        "import os, sys, pathlib; from keras_mri.io.derivatives import claimed\n"
        "with claimed(pathlib.Path(sys.argv[1])) as ours: print(ours, flush=True); os.kill(os.getpid(), 9)"
    )
    killed = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, env=in_this_checkout)
    assert killed.returncode == -9 and killed.stdout == "True\n"
    with claimed(path) as ours:
        assert ours


def test_a_lock_on_a_file_that_was_removed_guards_nothing(tmp_path):
    lock = tmp_path / "lock"
    with open(lock, "a") as file:
        lock.unlink()
        lock.touch()
        assert not derivatives._locked(file, lock)


def test_a_file_system_without_locks_is_told(tmp_path, monkeypatch):
    class Unable:
        LOCK_EX = LOCK_NB = 0

        @staticmethod
        def flock(file, flags):
            raise OSError(38, "Function not implemented")

    monkeypatch.setattr(derivatives, "fcntl", Unable)
    with (
        pytest.raises(InputError, match=r"knows no locks \(Function not implemented\).*Write to another folder"),
        claimed(tmp_path / "x.nii.gz"),
    ):
        pass


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
