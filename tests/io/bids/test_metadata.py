"""Side-cars apply by their place and their name, the nearest wins, and what cannot be read is named and ignored."""

import json
import os

import pytest

from keras_mri.errors import remarks_kept
from keras_mri.io.bids.metadata import inherited, nearest, read_object

SCAN = "sub-01/ses-2/func/sub-01_ses-2_task-rest_acq-fast_bold.nii.gz"


@pytest.fixture
def study(tmp_path):
    (tmp_path / SCAN).parent.mkdir(parents=True)
    return tmp_path


def write(path, facts):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(facts))


@pytest.mark.parametrize(
    "name",
    [
        "bold.json",
        "task-rest_bold.json",
        "acq-fast_task-rest_bold.json",
        "sub-01/sub-01_bold.json",
        "sub-01/task-rest_bold.json",
        "sub-01/ses-2/ses-2_acq-fast_bold.json",
        "sub-01/ses-2/func/sub-01_ses-2_task-rest_bold.json",
        SCAN.replace(".nii.gz", ".json"),
    ],
)
@pytest.mark.parametrize("given", [True, False])
def test_a_side_car_applies_from_every_level(study, name, given):
    write(study / name, {"EchoTime": 0.03})
    metadata = inherited(study / SCAN, study if given else None)
    assert metadata.facts == {"EchoTime": 0.03} and metadata.origins == {"EchoTime": study / name}


@pytest.mark.parametrize(
    "name",
    [
        "task-other_bold.json",
        "T1w.json",
        "task-rest_acq-fast_echo-1_bold.json",
        "task-rest_sbref.json",
        "task-rest.json",
        "sub-02/sub-02_task-rest_bold.json",
        "sub-01/ses-1/sub-01_ses-1_bold.json",
        "sub-01/ses-2/anat/sub-01_ses-2_bold.json",
        "sub-01/ses-2/func/sub-01_ses-2_task-rest_run-1_bold.json",
        "._task-rest_bold.json",
        "task-res_bold.json",
        "../bold.json",
    ],
)
def test_what_has_another_entity_suffix_or_place_does_not_apply(tmp_path, name):
    study = tmp_path / "study"
    write(study / name, {"EchoTime": 0.03})
    (study / SCAN).parent.mkdir(parents=True, exist_ok=True)
    assert inherited(study / SCAN, study).facts == {}
    assert inherited(study / SCAN).facts == {}


def test_the_nearer_wins_field_by_field_and_within_a_folder_the_one_that_names_more(study):
    write(study / "bold.json", {"a": 0, "b": 0, "c": 0, "d": 0, "e": 0})
    write(study / "task-rest_bold.json", {"b": 1, "c": 1, "d": 1, "e": 1})
    write(study / "sub-01/sub-01_bold.json", {"c": 2, "d": 2, "e": 2})
    write(study / "sub-01/ses-2/sub-01_ses-2_bold.json", {"d": 3, "e": 3})
    write(study / SCAN.replace(".nii.gz", ".json"), {"e": 4})
    with remarks_kept() as remarks:
        assert inherited(study / SCAN).facts == {"a": 0, "b": 1, "c": 2, "d": 3, "e": 4}
    assert remarks == []


def test_two_side_cars_that_are_equally_near_and_disagree_are_named(study):
    write(study / "task-rest_bold.json", {"EchoTime": 0.02, "FlipAngle": 70})
    write(study / "acq-fast_bold.json", {"EchoTime": 0.03, "FlipAngle": 70})
    with remarks_kept() as remarks:
        assert inherited(study / SCAN).facts == {"EchoTime": 0.02, "FlipAngle": 70}
    name = SCAN.rpartition("/")[2]
    assert remarks == [f"task-rest_bold.json: contradicts acq-fast_bold.json, which is as near to {name}; task-rest_bold.json is followed"]


def test_outside_of_a_study_only_the_file_of_the_same_name_is_read(tmp_path, monkeypatch):
    write(tmp_path / "bold.json", {"EchoTime": 1})
    write(tmp_path / "my_bold.json", {"EchoTime": 0.03})
    for name in ("my_bold.nii.gz", "my_bold.nii", "my_bold.hdr", "my_bold.mgz"):
        assert inherited(tmp_path / name).facts == {"EchoTime": 0.03}
    assert inherited(tmp_path / "another_bold.nii").facts == {}
    monkeypatch.chdir(tmp_path)
    assert inherited("my_bold.nii").facts == {"EchoTime": 0.03}


def test_a_scan_named_from_its_own_folder_has_the_study_s_metadata(study, monkeypatch):
    write(study / "task-rest_bold.json", {"EchoTime": 0.03})
    monkeypatch.chdir((study / SCAN).parent)
    assert inherited(SCAN.rpartition("/")[2]).facts == {"EchoTime": 0.03}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1"])
def test_a_side_car_is_read_in_every_usual_encoding(tmp_path, encoding):
    path = tmp_path / "scan.json"
    path.write_bytes('{"InstitutionName": "Universität Zürich", "EchoTime": 0.03}'.encode(encoding))
    with remarks_kept() as remarks:
        assert read_object(path) == {"InstitutionName": "Universität Zürich", "EchoTime": 0.03}
    assert remarks == (["scan.json: is not in UTF-8, as BIDS requires, and is read as Latin-1"] if encoding == "latin-1" else [])


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        (b"", "Expecting value"),
        (b"no JSON", "Expecting value"),
        (b'{"EchoTime": 0.03', "Expecting ',' delimiter"),
        (b'{"EchoTime": 0.03,}', ""),
        (b"[1, 2]", "no JSON object"),
        (b"null", "no JSON object"),
        (b'{"EchoTime": NaN}', "NaN is no number in JSON"),
        (b'{"EchoTime": [-Infinity]}', "-Infinity is no number in JSON"),
        (b'{"EchoTime": [{"x": 1e999}]}', "a number is too large"),
        (b'{"EchoTime": ' + b"9" * 5000 + b"}", ""),
        (b'{"x": ' + b"[" * 60 + b"]" * 60 + b"}", "more than 50 lists or objects in one another"),
        (b'{"x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "more than 50 lists or objects in one another"),
        (b'{"x": "' + b"x" * 10_000_000 + b'"}', "is ignored: larger than 10 MB"),
        (bytes(range(256)), ""),
        (b"\xff\xfe\x00", ""),
        (b'{"x": "a\nb"}', "Invalid control character"),
    ],
)
def test_a_broken_side_car_is_named_and_left_aside(tmp_path, written, reason):
    path = tmp_path / "scan.json"
    path.write_bytes(written)
    with remarks_kept() as remarks:
        assert inherited(tmp_path / "scan.nii").facts == {}
    (said,) = remarks
    assert said.startswith("scan.json: ") and "ignored" in said and reason in said and len(said) < 200


def test_a_broken_side_car_does_not_keep_the_others_from_being_read(study):
    write(study / "bold.json", {"EchoTime": 0.03})
    (study / "task-rest_bold.json").write_text("{")
    with remarks_kept() as remarks:
        assert inherited(study / SCAN).facts == {"EchoTime": 0.03}
    assert len(remarks) == 1 and remarks[0].startswith("task-rest_bold.json: its metadata are ignored")


def test_what_is_no_ordinary_file_is_named_and_never_waited_for(tmp_path):
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "link.json").symlink_to(tmp_path / "annexed")
    os.mkfifo(tmp_path / "pipe.json")
    with remarks_kept() as remarks:
        assert [inherited(tmp_path / f"{name}.nii").facts for name in ("folder", "link", "pipe")] == [{}, {}, {}]
    assert remarks == [
        "folder.json: is ignored: no ordinary file",
        "link.json: is ignored: a link to nothing; get its content first",
        "pipe.json: is ignored: no ordinary file",
    ]


def test_the_nearest_file_of_another_kind_applies_alone(study):
    scan = study / "sub-01/ses-2/dwi/sub-01_ses-2_dir-AP_dwi.nii.gz"
    assert nearest(scan, ".bval") is None
    places = ["dwi.bval", "dir-AP_dwi.bval", "sub-01/sub-01_dwi.bval", "sub-01/ses-2/dwi/sub-01_ses-2_dir-AP_dwi.bval"]
    for place in places:
        (study / place).parent.mkdir(parents=True, exist_ok=True)
        (study / place).write_text("0")
        assert nearest(scan, ".bval") == study / place
    (study / "aslcontext.tsv").write_text("volume_type")
    asl = study / "sub-01/ses-2/perf/sub-01_ses-2_asl.nii.gz"
    assert nearest(asl, ".tsv", suffix="aslcontext") == study / "aslcontext.tsv" and nearest(asl, ".tsv") is None
