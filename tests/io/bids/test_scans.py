import pytest

from keras_mri.errors import InputError, remarks_kept
from keras_mri.io.bids.scans import Choice, is_raw, made_by, study_scans


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


def found(folder, modality="bold", participant_label=(), session_label=(), **labels):
    return study_scans(folder, modality, Choice(participant_label, session_label, labels))


def test_all_scans_of_a_modality_are_found_with_and_without_sessions(study):
    assert names(found(study).scans) == ["sub-01-1", "sub-01-2", "sub-02_ses-a", "sub-02_ses-b"]
    assert [path.name for path in found(study, "T1w").scans] == ["sub-01_T1w.nii.gz"]
    assert found(study, "T1w").without == ["sub-02"] and found(study, "T1w").missing == []


def test_participants_and_sessions_are_chosen_by_label(study):
    both = ["sub-02_ses-a", "sub-02_ses-b"]
    assert names(found(study, "bold", ["sub-02"]).scans) == names(found(study, "bold", ["02"]).scans) == both
    assert names(found(study, session_label=["ses-b"]).scans) == names(found(study, "bold", ["02"], ["b"]).scans) == ["sub-02_ses-b"]


def test_what_was_asked_for_and_is_not_there_is_named_beside_what_is(study):
    assert found(study, "bold", ["02", "07"]).missing == ["sub-07"]
    assert names(found(study, "bold", ["02", "07"]).scans) == ["sub-02_ses-a", "sub-02_ses-b"]
    assert found(study, session_label=["b", "c"]).missing == ["sub-01 ses-b", "sub-01 ses-c", "sub-02 ses-c"]
    assert found(study, "T1w", ["01", "02"]).missing == ["a T1w image of sub-02"]
    assert found(study, run=["1", "9"]).missing == ["a bold image with run-9"]
    assert found(study).missing == []


def test_further_labels_are_whole_too(study):
    for name in ("sub-01_task-rest-2_bold", "sub-01_task-rest_run-01_bold"):
        (study / "sub-01/func" / f"{name}.nii.gz").touch()
    assert [scan.name for scan in found(study, run=["01"]).scans] == ["sub-01_task-rest_run-01_bold.nii.gz"]
    assert names(found(study, run=["run-1"]).scans) == ["sub-01-1"]
    assert [scan.name for scan in found(study, task=["rest-2"]).scans] == ["sub-01_task-rest-2_bold.nii.gz"]


def test_hyphens_and_leading_zeros_make_other_people(tmp_path):
    subjects = ["sub-1", "sub-01", "sub-CON-01", "sub-PAT-01", "sub-CON-1"]
    for subject in subjects:
        (tmp_path / subject / "func").mkdir(parents=True)
        (tmp_path / subject / "func" / f"{subject}_task-rest_bold.nii.gz").touch()
    assert {scan.parts[-3] for scan in found(tmp_path).scans} == set(subjects)
    for label in ("1", "sub-01", "CON-01"):
        (scan,) = found(tmp_path, "bold", [label]).scans
        assert scan.parts[-3] == f"sub-{label.removeprefix('sub-')}"


def test_a_subject_may_have_scans_beside_its_sessions(study):
    (study / "sub-02/func").mkdir()
    (study / "sub-02/func/sub-02_task-rest_run-3_bold.nii.gz").touch()
    assert len(found(study, "bold", ["02"]).scans) == 3


def test_hidden_files_and_folders_are_no_scans(study):
    (study / "sub-01/func/._sub-01_task-rest_run-1_bold.nii.gz").touch()
    (study / "sub-01/func/sub-01_task-rest_run-7_bold.nii.gz").mkdir()
    assert names(found(study, "bold", ["01"]).scans) == ["sub-01-1", "sub-01-2"]


@pytest.mark.parametrize("part", ["phase", "real", "imag"])
def test_what_is_no_magnitude_is_left_out_and_said(study, part):
    for name in (part, "mag"):
        (study / f"sub-01/func/sub-01_task-rest_part-{name}_bold.nii.gz").touch()
    with remarks_kept() as remarks:
        scans = found(study).scans
    assert [scan.name for scan in scans if "part" in scan.name] == ["sub-01_task-rest_part-mag_bold.nii.gz"]
    assert remarks == [
        f"sub-01_task-rest_part-{part}_bold.nii.gz: left out: part-{part} is not a magnitude image, and networks restore magnitude images"
    ]


def test_what_keras_mri_made_is_no_input(study):
    func = study / "sub-01/func"
    for description in ("denoised", "smooth", "preproc"):
        (func / f"sub-01_task-rest_desc-{description}_bold.nii.gz").touch()
    (func / "sub-01_task-rest_desc-smooth_bold.json").write_text('{"keras_mri": {}}')
    with remarks_kept() as remarks:
        scans = found(study, "bold", ["01"]).scans
    assert [scan.name for scan in scans if "desc" in scan.name] == ["sub-01_task-rest_desc-preproc_bold.nii.gz"]
    assert [text.partition("_bold")[0] for text in remarks] == ["sub-01_task-rest_desc-denoised", "sub-01_task-rest_desc-smooth"]


def test_a_whole_folder_of_ours_holds_no_inputs(study):
    (study / "dataset_description.json").write_text('{"DatasetType": "derivative", "GeneratedBy": [{"Name": "keras_mri"}]}')
    with pytest.raises(InputError, match="is left: all were left out"):
        found(study)


@pytest.mark.parametrize(
    ("text", "tools", "raw"),
    [
        ('{"DatasetType": "derivative", "GeneratedBy": [{"Name": "fMRIPrep"}]}', ["fMRIPrep"], False),
        ('{"Name": "old", "PipelineDescription": {"Name": "fmriprep"}}', ["fmriprep"], False),
        ('{"Name": "raw", "DatasetType": "raw", "GeneratedBy": [{"Name": "heudiconv"}]}', None, True),
        ('{"Name": "raw of before 1.4"}', None, True),
        ('\ufeff{"DatasetType": "derivative"}', [], False),
        ("no JSON", None, False),
        (None, None, False),
    ],
)
def test_a_folder_says_whether_its_scans_are_raw(tmp_path, text, tools, raw):
    if text is not None:
        (tmp_path / "dataset_description.json").write_text(text, encoding="utf-8")
    assert made_by(tmp_path) == tools and is_raw(tmp_path) == raw


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        (dict(modality="T2w"), r"no T2w image in the chosen part of .*\. Found: T1w, bold\. Choose with `modality`"),
        (dict(modality="bold", participant_label=["07", "1"]), r"has no sub-07, sub-1\. Found: 01, 02\. Choose with `participant_label`"),
        (dict(modality="bold", session_label=["c"]), r"no subject of .* has the session\(s\) c\. Found: ses-a, ses-b\. Choose"),
        (dict(modality="bold", task=["rset"]), r"has task-rset\. Found: task-rest\."),
        (dict(modality="bold", acq=["hi"]), r"has acq-hi\. Found: no acq in the names\."),
    ],
)
def test_what_is_not_there_is_said_with_what_is(study, choice, message):
    with pytest.raises(InputError, match=message):
        found(study, **choice)


def test_a_folder_without_subjects_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"holds no folders sub-\*\. Expected a BIDS folder"):
        found(tmp_path, "bold", ["01"])
