"""A sixth system is one folder and one line in the table: everything else of the house works with it unasked."""

import csv

import keras
import nibabel
import numpy as np
import pytest

import keras_mri
from keras_mri import generate, info, predict, train
from keras_mri.imaging import phantoms
from keras_mri.systems import SYSTEMS, Entry
from keras_mri.training import fit

SMALL = "--epochs 3 --steps-per-epoch 2 --precision float32".split()


@pytest.fixture(autouse=True)
def _registered(monkeypatch):
    monkeypatch.setitem(SYSTEMS, "toy", Entry("tests.sixth_system", "denoise with one convolution", "toy.h5"))


@pytest.fixture
def scan(write_nifti):
    return write_nifti(phantoms.head((13, 12, 11), seed=1)[0])


@pytest.fixture
def network(scan, tmp_path):
    path = tmp_path / "toy.h5"
    assert train.main(["toy", str(scan), *SMALL, "-o", str(path)]) == 0
    return path


def test_it_trains_and_saves(network):
    assert keras.models.load_model(network, compile=False).name == "toy"
    with open(network.with_suffix(".csv")) as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"] and float(rows[-1]["val_error"]) < float(rows[0]["val_error"])
    assert network.with_suffix(".png").is_file()


def test_it_predicts_with_its_own_options_and_reports(network, scan, tmp_path):
    out, page = tmp_path / "out.nii.gz", tmp_path / "page.html"
    assert predict.main([str(network), str(scan), "--strength", "0", "-o", str(out), "--report", str(page)]) == 0
    np.testing.assert_allclose(nibabel.load(out).get_fdata(), nibabel.load(scan).get_fdata(), rtol=1e-5, atol=1e-4)
    text = page.read_text()
    assert "toy" in text and "strength" in text and "SD 0 to 0.2" in text


def test_an_option_of_another_system_is_refused(network, scan, tmp_path, capsys):
    assert predict.main([str(network), str(scan), "--upsample", "2", "2", "2", "-o", str(tmp_path / "out.nii")]) == 2
    assert "unknown option --upsample" in capsys.readouterr().err


def test_it_resumes(scan, tmp_path, monkeypatch):
    whole, parted = tmp_path / "whole.h5", tmp_path / "parted.h5"
    command = ["toy", str(scan), *SMALL, "--state-every", "0.001s", "-o"]
    assert train.main([*command, str(whole)]) == 0

    class InterruptAfterFour(keras.callbacks.Callback):
        steps = 0

        def on_train_batch_end(self, batch, logs=None):
            InterruptAfterFour.steps += 1
            if InterruptAfterFour.steps == 4:
                raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(fit, "_show_pace", lambda callbacks: callbacks.append(InterruptAfterFour()))
        assert train.main([*command, str(parted)]) == 130
    assert parted.with_suffix(".state").exists()
    assert train.main([*command, str(parted), "--resume"]) == 0
    first, second = (keras.models.load_model(path, compile=False).get_weights() for path in (whole, parted))
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_other_commands_know_it(network, capsys):
    assert info.main([str(network)]) == 0
    assert "denoise with one convolution" in capsys.readouterr().out
    assert generate.main([str(network), "-o", str(network.parent / "samples")]) == 2
    assert "'toy'" in capsys.readouterr().err
    assert train.main(["toy", "--nois-range", "0", "1"]) == 2
    assert "Did you mean --noise-range?" in capsys.readouterr().err


def test_the_python_door_knows_it(network, scan):
    restored = keras_mri.restore(network, scan, strength=0.5)
    assert restored.shape == (13, 12, 11)
    with pytest.raises(keras_mri.InputError, match="unknown option `strenght` of toy. Did you mean `strength`?"):
        keras_mri.restore(network, scan, strenght=0.5)
    fitted = keras_mri.fit("toy", scan, epochs=1, steps_per_epoch=1)
    assert set(fitted.panels) == {"restored", "scan"}


def test_keras_own_format_is_written_beside_the_h5_and_both_are_read(scan, tmp_path, capsys):
    path = tmp_path / "toy.keras"
    assert train.main(["toy", str(scan), *SMALL, "-o", str(path)]) == 0
    assert sorted(file.name for file in tmp_path.glob("toy*")) == ["toy.csv", "toy.h5", "toy.keras", "toy.png"]
    results = []
    for network in (path, path.with_suffix(".h5")):
        assert predict.main([str(network), str(scan), "-o", str(tmp_path / "out.nii"), "--overwrite"]) == 0
        results.append(nibabel.load(tmp_path / "out.nii").get_fdata())
    np.testing.assert_array_equal(*results)
    assert info.main([str(path)]) == 0 and "largest  0.2" in capsys.readouterr().out
    assert train.main(["toy", str(scan), *SMALL, "-o", str(path)]) == 2
    assert "toy.keras exists" in capsys.readouterr().err
