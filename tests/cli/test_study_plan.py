import os
import pathlib

import pytest

from keras_mri.cli import study_options
from keras_mri.cli.study_plan import planned
from keras_mri.errors import InputError, remarks_kept
from keras_mri.systems.network_files import path_of_network


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Return a function that makes the files of a study, bids, in the folder where the test works."""
    monkeypatch.chdir(tmp_path)

    def make(*names):
        for name in names:
            path = tmp_path / "bids" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return tmp_path

    return make


def plan(line):
    line = study_options.read(line.split())
    parsed = study_options.parser(line.options).parse_all(line.arguments)
    return planned(parsed, path_of_network(parsed.model))


BOLD, T1W = "sub-01/func/sub-01_task-rest_bold.nii.gz", "sub-01/anat/sub-01_T1w.nii.gz"


@pytest.mark.parametrize(("network", "scan"), [("epi", BOLD), ("run", BOLD), ("t1w", T1W), ("n2a_t1w", T1W)])
def test_a_network_restores_what_it_was_trained_on(here, network, scan):
    here(BOLD, T1W)
    found = plan(f"{network} bids out participant")
    assert [str(path) for path, _ in found.pairs] == [f"bids/{scan}"] and found.remarks == []


def test_another_modality_is_a_choice(here):
    here(BOLD, T1W)
    assert [path.name for path, _ in plan("t1w bids out --modality bold").pairs] == ["sub-01_task-rest_bold.nii.gz"]


@pytest.mark.parametrize(
    ("names", "both"),
    [
        (["_desc-a_bold.nii.gz", "_desc-b_bold.nii.gz"], "sub-01_task-rest_desc-a_bold.nii.gz and .*sub-01_task-rest_desc-b_bold.nii.gz"),
        (["_bold.nii.gz", "_bold.nii"], "sub-01_task-rest_bold.nii and .*sub-01_task-rest_bold.nii.gz"),
        (["_bold.nii.gz", "_desc-preproc_bold.nii.gz"], "sub-01_task-rest_bold.nii.gz and .*desc-preproc_bold.nii.gz"),
    ],
)
def test_two_scans_never_share_a_derivative(here, names, both):
    here(*(f"sub-01/func/sub-01_task-rest{name}" for name in names))
    with pytest.raises(InputError, match=rf"two scans would have one derivative, sub-01/func/.*: .*{both}"):
        plan("epi bids out participant")
    assert not pathlib.Path("out").exists()


def test_echoes_and_runs_each_have_their_own(here):
    names = [
        f"sub-01/func/sub-01_task-rest{more}_bold.nii.gz" for more in ("", "_echo-1", "_echo-2", "_run-1", "_run-01", "_run-01_echo-1")
    ]
    here(*names)
    assert len({path for _, path in plan("epi bids out participant").pairs}) == len(names)


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("bids", "bids is BIDS_DIR itself: .* or bids/derivatives/keras_mri"),
        ("bids/.", "is BIDS_DIR itself"),
        ("bids/../bids", "is BIDS_DIR itself"),
        ("bids/sub-01", "is inside BIDS_DIR"),
        ("bids/out", "is inside BIDS_DIR"),
        ("link", "is BIDS_DIR itself"),
        ("other", "other holds a study of its own, of raw scans"),
        ("mixed", "would be a file among the scans"),
        ("file", "file is a file. Expected the folder for the derivatives"),
    ],
)
def test_a_study_is_never_written_into_a_study(here, out, message):
    root = here(BOLD)
    os.symlink(root / "bids", root / "link")
    (root / "file").write_text("mine")
    for name in ("other", "mixed"):
        (root / name).mkdir()
    (root / "other" / "dataset_description.json").write_text('{"Name": "raw", "BIDSVersion": "1.8.0"}')
    os.symlink(root / "bids" / "sub-01", root / "mixed" / "sub-01")
    with pytest.raises(InputError, match=message):
        plan(f"epi bids {out} participant")


@pytest.mark.parametrize("out", ["bids/derivatives/keras_mri", "bids/derivatives", "bids_denoised", "made"])
def test_derivatives_have_their_place(here, out):
    root = here(BOLD)
    (root / "made").mkdir()
    (root / "made" / "dataset_description.json").write_text('{"DatasetType": "derivative"}')
    ((_, path),) = plan(f"epi bids {out} participant").pairs
    assert str(path) == f"{out}/sub-01/func/sub-01_task-rest_desc-denoised_bold.nii.gz"


def test_a_folder_of_derivatives_is_taken_with_a_remark(here):
    root = here("sub-01/func/sub-01_task-rest_desc-preproc_bold.nii.gz")
    (root / "bids" / "dataset_description.json").write_text('{"DatasetType": "derivative", "GeneratedBy": [{"Name": "fMRIPrep"}]}')
    (remark,) = plan("epi bids out participant").remarks
    assert remark.startswith("bids: is a folder of derivatives, made by fMRIPrep:")


def test_what_is_left_out_and_what_is_missing_is_kept_for_the_pages(here):
    here(BOLD, "sub-01/func/sub-01_task-rest_part-phase_bold.nii.gz", "sub-02/anat/sub-02_T1w.nii.gz")
    with remarks_kept() as said:
        found = plan("epi bids out participant")
    assert found.left_out == [*said, "no bold image of sub-02"] and len(said) == 1 and found.missing == []
    assert plan("epi bids out participant --participant-label 01 1 02").missing == ["sub-1", "a bold image of sub-02"]


@pytest.mark.parametrize(
    ("blocked", "message"),
    [
        ("out", "out is not writable. Choose another folder for the derivatives; of a container, mount one that can be written"),
        (".", "new/er cannot be made: .* is not writable. Choose another"),
    ],
)
def test_a_folder_that_cannot_be_written_is_named_before_any_work(here, monkeypatch, blocked, message):
    root = here(BOLD)
    (root / "out").mkdir()
    # Root may write everywhere but on a file system that is read-only, as that of a container; there `os.access` says so to root, too.
    monkeypatch.setattr(os, "access", lambda path, mode: pathlib.Path(path).absolute() != (root / blocked).absolute())
    line = f"epi bids {'new/er' if blocked == '.' else 'out'} participant"
    with pytest.raises(InputError, match=message):
        plan(line)
    assert plan(f"{line} --dry-run").pairs and not (root / "new").exists()
