import json
import pathlib

import numpy as np
import pytest

from keras_mri.errors import remarks_kept
from keras_mri.io.bids.derivatives import carried, derivative_path, write_companions, write_dataset_description, write_sidecar
from keras_mri.io.nifti_reading import open_image
from keras_mri.io.volumes import Volume


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


def test_a_folder_of_derivatives_explains_itself(tmp_path):
    (tmp_path / "my study").mkdir()
    write_dataset_description(tmp_path / "out", tmp_path / "my study", "python -m keras_mri.predict epi my_study out")
    text = (tmp_path / "out" / "README.md").read_text()
    assert "`python -m keras_mri.predict epi my_study out`" in text and len(text) > 200 and str(tmp_path) not in text
    assert (tmp_path / "out" / ".bidsignore").read_text() == "*.html\n"
    facts = json.loads((tmp_path / "out" / "dataset_description.json").read_text())
    # A URI reference, relative to the folder; the name of the study is that of its folder.
    assert facts["DatasetLinks"] == {"raw": "../my%20study"} and facts["Name"] == "my study, restored by keras_mri"


def test_files_that_a_folder_of_derivatives_has_are_kept_and_another_source_is_named(tmp_path):
    study, out = tmp_path / "study", tmp_path / "out"
    study.mkdir()
    out.mkdir()
    written = {"README": "mine", ".bidsignore": "", "dataset_description.json": '{"Name": "mine", "DatasetLinks": {"raw": "../other"}}'}
    for name, text in written.items():
        (out / name).write_text(text)
    with remarks_kept() as remarks:
        write_dataset_description(out, study, "the command")
    assert {path.name: path.read_text() for path in out.iterdir()} == written
    assert len(remarks) == 1 and '{"raw": "../study"}' in remarks[0] and remarks[0].startswith("dataset_description.json: is kept")


@pytest.mark.parametrize("raw", ["no JSON", '{"Name": ["no", "text"]}', "{}"])
def test_a_study_without_a_usable_name_is_called_by_its_folder(tmp_path, raw):
    study = tmp_path / "bananas"
    study.mkdir()
    (study / "dataset_description.json").write_text(raw)
    write_dataset_description(tmp_path / "out", study, "the command")
    assert json.loads((tmp_path / "out" / "dataset_description.json").read_text())["Name"] == "bananas, restored by keras_mri"


@pytest.fixture
def study(tmp_path, write_nifti, rng):
    """Return a function that writes a scan of a study, and opens it."""

    def write(name, shape=(5, 4, 3), data=None):
        (tmp_path / "study" / name).parent.mkdir(parents=True, exist_ok=True)
        return open_image(write_nifti((rng.random(shape) + 1).astype(np.float32) if data is None else data, f"study/{name}"))

    return write


@pytest.mark.parametrize("written", ['{"RepetitionTime": 2.0, "Sources": ["old"]}', "no JSON", "[1]", None])
def test_a_sidecar_goes_on_from_the_scan_s_own(tmp_path, study, written):
    image = study("sub-01/func/sub-01_bold.nii.gz")
    if written is not None:
        (image.file.parent / "sub-01_bold.json").write_text(written)
    write_sidecar(tmp_path / "out_bold.nii.gz", image.file, tmp_path / "study", {"network": "n.h5"}, carried(image))
    facts = json.loads((tmp_path / "out_bold.json").read_text())
    assert facts.get("RepetitionTime") == (2.0 if written and "2.0" in written else None)
    assert facts["Sources"] == ["bids:raw:sub-01/func/sub-01_bold.nii.gz"] and facts["keras_mri"] == {"network": "n.h5"}
    assert facts["SkullStripped"] is False


def test_on_another_grid_nothing_is_taken_over_of_the_slices(study):
    image = study("sub-01/anat/sub-01_T2w.nii.gz")
    of_slices = {"SliceThickness": 3.0, "SpacingBetweenSlices": 3.3, "SliceTiming": [0.0, 0.5, 1.0]}
    (image.file.parent / "sub-01_T2w.json").write_text(json.dumps({"EchoTime": 0.1, **of_slices}))
    finer = Volume(image.frame, (5, 4, 10), image.affine, image.header, image.name, source=image)
    assert carried(image).facts == carried(image, image).facts == {"EchoTime": 0.1, **of_slices, "SkullStripped": False}
    assert carried(image, finer).facts == {"EchoTime": 0.1, "SkullStripped": False}


def test_a_sidecar_has_what_the_scan_inherits_because_its_own_folder_inherits_nothing(tmp_path, study):
    image = study("sub-01/func/sub-01_task-rest_bold.nii.gz", (5, 4, 3, 2))
    (tmp_path / "study/task-rest_bold.json").write_bytes(b'\xef\xbb\xbf{"RepetitionTime": 2.0, "TaskName": "r\xc3\xa9st"}')
    (tmp_path / "study/sub-01/sub-01_bold.json").write_text('{"EchoTime": 0.03, "Note": "\\ud800", "Description": "Rest"}')
    write_sidecar(tmp_path / "out_bold.nii.gz", image.file, tmp_path / "study", {}, carried(image))
    facts = json.loads((tmp_path / "out_bold.json").read_text(encoding="utf-8"))
    assert (facts["RepetitionTime"], facts["TaskName"], facts["EchoTime"], facts["Note"]) == (2.0, "rést", 0.03, "\ud800")
    assert facts["Description"].startswith("Restored by keras_mri ") and facts["Description"].endswith("; the scan: Rest")


def stripped(shape=(9, 8, 7), faces=0):
    data = np.zeros(shape, np.float32)
    data[2:-2, 2:-2, 2:-2] = np.arange(data[2:-2, 2:-2, 2:-2].size).reshape(data[2:-2, 2:-2, 2:-2].shape) + 1
    data[4, 4, :faces] = 5
    return data


@pytest.mark.parametrize(
    ("data", "said", "expected"),
    [
        (stripped(), None, True),
        (stripped(), False, False),
        (stripped(), "yes", True),
        # A neck reaches the lowest slice; the scanner set the air around it to zero.
        (stripped(faces=5), None, False),
        (stripped(faces=5), True, True),
        (stripped() + 1, None, False),
        # Nothing but a margin of one voxel.
        (np.pad(np.arange(1, 16**3 + 1, dtype=np.float32).reshape(16, 16, 16), 1), None, False),
        (np.stack([stripped()] * 2, axis=-1), None, True),
    ],
)
def test_a_brain_in_zeros_is_skull_stripped_unless_the_scan_says_otherwise(study, data, said, expected):
    image = study("sub-01/anat/sub-01_T1w.nii.gz", data=data)
    if said is not None:
        (image.file.parent / "sub-01_T1w.json").write_text(json.dumps({"SkullStripped": said}))
    with remarks_kept() as remarks:
        assert carried(image).facts["SkullStripped"] is expected
    assert bool(remarks) == (expected and said is not True)


@pytest.mark.parametrize(
    ("scan", "files", "expected"),
    [
        ("dwi/sub-01_dwi", {"dwi/sub-01_dwi.bval": "0 1", "dwi/sub-01_dwi.bvec": "x"}, {"sub-01_dwi.bval": "0 1", "sub-01_dwi.bvec": "x"}),
        ("dwi/sub-01_ce-1_dwi", {"../dwi.bval": "a", "sub-01_dwi.bvec": "b"}, {"sub-01_ce-1_dwi.bval": "a", "sub-01_ce-1_dwi.bvec": "b"}),
        ("dwi/sub-01_desc-x_dwi", {"dwi/sub-01_desc-x_dwi.bval": "a", "dwi.bvec": "b"}, {"sub-01_dwi.bval": "a", "sub-01_dwi.bvec": "b"}),
        ("dwi/sub-01_dwi", {"dwi/sub-01_dwi.bval": "0"}, {"sub-01_dwi.bval": "0"}),
        ("perf/sub-01_asl", {"../aslcontext.tsv": "volume_type\ncontrol\n"}, {"sub-01_aslcontext.tsv": "volume_type\ncontrol\n"}),
        ("func/sub-01_task-x_bold", {"func/sub-01_task-x_events.tsv": "onset", "func/sub-01_task-x_bold.bval": "0"}, {}),
    ],
)  # fmt: skip
def test_gradients_and_the_order_of_volumes_go_along_and_events_do_not(tmp_path, study, scan, files, expected):
    image = study(f"sub-01/{scan}.nii.gz")
    for name, text in files.items():
        (tmp_path / "study/sub-01" / name).write_text(text)
    out = tmp_path / "out"
    out.mkdir()
    with remarks_kept() as remarks:
        write_companions(out / f"{image.file.name}", image.file, carried(image))
    assert {path.name: path.read_text() for path in out.iterdir()} == expected
    missing = [f"{image.file.name}: no .bvec applies to it, which BIDS asks for: its derivative has none either"]
    assert remarks == (missing if list(expected) == ["sub-01_dwi.bval"] else [])


def test_a_companion_that_is_there_is_kept_and_named_if_it_differs(tmp_path, study):
    image = study("sub-01/dwi/sub-01_dwi.nii.gz")
    for ending in ("bval", "bvec"):
        (image.file.parent / f"sub-01_dwi.{ending}").write_text("new")
    (tmp_path / "sub-01_dwi.bval").write_text("mine")
    (tmp_path / "sub-01_dwi.bvec").write_text("new")
    with remarks_kept() as remarks:
        write_companions(tmp_path / "sub-01_desc-denoised_dwi.nii.gz", image.file, carried(image))
    assert (tmp_path / "sub-01_dwi.bval").read_text() == "mine"
    assert remarks == ["sub-01_dwi.bval: is there already and is kept, although it differs from the one that applies to the scan"]
