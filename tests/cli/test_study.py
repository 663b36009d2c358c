import json

import nibabel
import numpy as np
import pytest

from keras_mri import predict
from keras_mri.cli import study
from keras_mri.io.derivatives import claimed
from keras_mri.networks.residual_unet import residual_unet
from keras_mri.saving import checkpoints
from keras_mri.saving.checkpoints import Checkpoint
from keras_mri.systems.wgan.settings import Config


@pytest.fixture
def model(tmp_path):
    network = residual_unet((None, None, None, 1), (2, 2), (1, 1))
    network.get_layer("residual").set_weights([np.full((1, 1, 1, 2, 1), 0.1), np.zeros(1)])
    checkpoints.save(Checkpoint(network, "wgan", Config().to_json(), {}), tmp_path / "model.h5")
    return str(tmp_path / "model.h5")


@pytest.fixture
def folder(tmp_path, write_nifti, rng):
    for subject in ("01", "02"):
        path = tmp_path / "study" / f"sub-{subject}" / "func"
        path.mkdir(parents=True)
        write_nifti((1000 * rng.random((9, 8, 7, 2))).astype(np.float32), path / f"sub-{subject}_task-rest_bold.nii.gz")
    return tmp_path / "study"


def outputs(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


FUNC = "sub-01/func/sub-01_task-rest_desc-denoised_bold"


def test_every_scan_of_a_study_becomes_a_derivative_equal_to_predict_s(model, folder, tmp_path, capsys):
    out = tmp_path / "derivatives"
    assert predict.main([model, str(folder), str(out), "participant", "--mirror", "left-right"]) == 0
    second = FUNC.replace("01", "02")
    assert outputs(out) == ["dataset_description.json", *(name + end for name in (FUNC, second) for end in (".json", ".nii.gz"))]
    assert "2 restored" in capsys.readouterr().err
    scan = folder / "sub-01/func/sub-01_task-rest_bold.nii.gz"
    predict.main([model, str(scan), "-o", str(tmp_path / "alone.nii.gz"), "--mirror", "left-right"])
    np.testing.assert_array_equal(nibabel.load(out / (FUNC + ".nii.gz")).get_fdata(), nibabel.load(tmp_path / "alone.nii.gz").get_fdata())
    facts = json.loads((out / (FUNC + ".json")).read_text())["keras_mri"]
    assert facts["network"] == "model.h5" and len(facts["sha256"]) == 64 and facts["options"]["mirror"] == "left-right"


def test_what_is_done_is_skipped_unless_overwritten(model, folder, tmp_path, capsys):
    out = tmp_path / "derivatives"
    predict.main([model, str(folder), str(out), "--participant-label", "01"])
    before = (out / (FUNC + ".nii.gz")).stat().st_mtime_ns
    assert predict.main([model, str(folder), str(out)]) == 0
    assert "1 restored; 1 were there already" in capsys.readouterr().err
    assert (out / (FUNC + ".nii.gz")).stat().st_mtime_ns == before
    assert predict.main([model, str(folder), str(out), "--overwrite"]) == 0
    assert (out / (FUNC + ".nii.gz")).stat().st_mtime_ns > before


def test_a_scan_that_fails_is_named_and_the_others_go_on(model, folder, tmp_path, capsys):
    (folder / "sub-01/func/sub-01_task-rest_bold.nii.gz").write_bytes(b"no image")
    out = tmp_path / "derivatives"
    assert predict.main([model, str(folder), str(out)]) == 1
    said = capsys.readouterr().err
    assert "sub-01_task-rest_bold.nii.gz failed: " in said and "1 restored; 1 failed" in said and "Traceback" not in said
    assert outputs(out) == ["dataset_description.json", *(FUNC.replace("01", "02") + end for end in (".json", ".nii.gz"))]


def test_a_bug_of_ours_keeps_its_traceback_and_the_others_go_on(model, folder, tmp_path, capsys, monkeypatch):
    real = study.differences_from_training

    def failing(volume, *rest):
        if "sub-01" in volume.name:
            raise ZeroDivisionError
        return real(volume, *rest)

    monkeypatch.setattr(study, "differences_from_training", failing)
    assert predict.main([model, str(folder), str(tmp_path / "derivatives")]) == 1
    said = capsys.readouterr().err
    assert "ZeroDivisionError" in said and "Traceback" in said and "1 restored; 1 failed" in said


def test_what_another_job_is_making_is_left_to_it(model, folder, tmp_path, capsys):
    out = tmp_path / "derivatives"
    with claimed(out / (FUNC + ".nii.gz")):
        assert predict.main([model, str(folder), str(out)]) == 0
    assert "1 restored; 1 being made by another job" in capsys.readouterr().err
    assert not (out / (FUNC + ".nii.gz")).exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--participant-label", "09"], "has no sub-09. Found: 01, 02"),
        (["--description", "de-noised"], "--description must be letters and digits"),
        (["group"], "invalid choice: 'group'"),
        (["--mirors", "all"], "Did you mean --mirror?"),
    ],
)
def test_wrong_options_are_said_before_anything_is_written(model, folder, tmp_path, capsys, arguments, message):
    out = tmp_path / "derivatives"
    assert predict.main([model, str(folder), str(out), *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_a_file_in_the_place_of_the_derivatives_is_kept(model, folder, tmp_path, capsys):
    (tmp_path / "out").write_text("mine")
    assert predict.main([model, str(folder), str(tmp_path / "out")]) == 2
    assert "out is a file. Expected the folder for the derivatives" in capsys.readouterr().err


def test_help_names_the_options_of_the_system(model, folder, capsys):
    with pytest.raises(SystemExit) as ended:
        predict.main([model, str(folder), "--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert "--participant-label" in text and "--mirror" in text and "BIDS_DIR" in text
