import pathlib

import pytest

from keras_mri.io.bids.names import entities, is_magnitude, kind_of, label_of, modality_of, subject_of


@pytest.mark.parametrize(
    ("path", "subject"),
    [
        ("data/sub-07/ses-1/anat/sub-07_ses-1_T1w.nii.gz", "sub-07"),
        ("sub-07_copy.nii.gz", "sub-07"),
        ("sub-07.nii.gz", "sub-07"),
        ("sub-CON-01/anat/sub-CON-01_T1w.nii.gz", "sub-CON-01"),
        ("sub-CON-01/anat/T1w.nii.gz", "sub-CON-01"),
        ("sub-001_T1w.nii.gz", "sub-001"),
        ("sub-Müller_T1w.nii.gz", "sub-Müller"),
        ("sub-a+b_T1w.nii.gz", "sub-a+b"),
        ("sub-07 (1).nii.gz", "sub-07"),
        ("C:\\data\\sub-03\\sub-04_T1w.nii", "sub-04"),
        ("wmsub-05_T1w.nii", "wmsub-05_T1w.nii"),
        ("r_sub-05_T1w.nii", "sub-05"),
        ("a/T1w.nii.gz", "a/T1w.nii.gz"),
        ("b/T1w.nii.gz", "b/T1w.nii.gz"),
    ],
)
def test_the_subject_of_a_path_is_its_whole_label_or_the_path(path, subject):
    assert subject_of(path) == subject


def test_entities_are_split_at_underscores_and_at_the_first_hyphen_alone():
    name = "sub-CON-01_ses-2020-03_task-rest_run-01_echo-2_part-mag_bold.nii.gz"
    expected = {"sub": "CON-01", "ses": "2020-03", "task": "rest", "run": "01", "echo": "2", "part": "mag"}
    assert entities(name) == expected and entities("T1w.nii") == {}


@pytest.mark.parametrize(
    ("name", "modality", "kind"),
    [
        ("sub-01_task-rest_bold.nii.gz", "bold", "bold"),
        ("sub-01_T1w.nii", "T1w", "T1w"),
        ("sub-01_task-rest.nii.gz", "sub-01_task-rest.nii.gz", None),
        ("bold.nii.gz", "bold.nii.gz", "bold"),
        ("t1w.nii.gz", "t1w.nii.gz", "T1w"),
        ("head_Miller.nii.gz", "Miller", None),
        ("sub-01_m0scan.nii.gz", "m0scan", "m0scan"),
        ("sub-01_bold.json", "sub-01_bold.json", None),
    ],
)
def test_the_suffix_of_a_name_and_the_kind_of_scan_it_stands_for(name, modality, kind):
    assert modality_of(pathlib.PurePath(name)) == modality and kind_of(f"folder/{name}") == kind


@pytest.mark.parametrize(("part", "expected"), [("_part-mag", True), ("", True), ("_part-phase", False), ("_part-real", False)])
def test_magnitudes_are_told_by_their_part(part, expected):
    assert is_magnitude(pathlib.PurePath(f"sub-01_task-rest{part}_bold.nii.gz")) is expected


def test_a_label_is_what_follows_its_entity():
    assert label_of("sub-CON-01") == label_of("CON-01") == "CON-01" and label_of("ses-007", "ses") == "007"
