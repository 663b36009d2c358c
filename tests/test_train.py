import contextlib
import csv
import io
import subprocess
import sys
import types

import h5py
import keras
import nibabel
import numpy as np
import pytest

from keras_mri import phantoms, train
from keras_mri.errors import InputError
from keras_mri.systems import SYSTEMS

SMALL = (
    "--epochs 3 --steps-per-epoch 2 --batch-size 2 --filters 2 2 --depths 1 1 --patch-shape 8 8 4 --precision float32 --warm-up 0.5".split()
)


@pytest.fixture
def scan(write_nifti):
    data, *_ = phantoms.bold_run((17, 15, 9, 12))
    return str(write_nifti(data))


@pytest.fixture(scope="module")
def training(tmp_path_factory):
    """Train once, keeping the second epoch: the scan, its bytes before, and the folder of what was written."""
    folder = tmp_path_factory.mktemp("training")
    scan, (data, *_) = folder / "scan.nii.gz", phantoms.bold_run((17, 15, 9, 12))
    nibabel.save(nibabel.Nifti1Image(data, phantoms.oblique_affine()), scan)
    before, out = scan.read_bytes(), folder / "out"
    out.mkdir()
    with contextlib.redirect_stderr(io.StringIO()) as errors:
        status = train.main(["wgan", str(scan), *SMALL, "--checkpoint-every", "2", "-o", str(out / "model.h5")])
    return types.SimpleNamespace(scan=scan, before=before, folder=out, path=out / "model.h5", status=status, errors=errors.getvalue())


def test_train_writes_a_network_a_history_and_a_figure(training):
    assert training.status == 0
    written = {file.name for file in training.folder.iterdir()}
    assert {name for name in written if "_epoch" not in name} == {"model.csv", "model.h5", "model.png"}
    assert keras.models.load_model(training.path, compile=False).input_shape == (None, None, None, None, 5)
    with open(training.path.with_suffix(".csv"), newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) >= 3 and rows[0]["l1"] and rows[-1]["critic_loss"]
    assert "estimated noise SD" in training.errors and "left" in training.errors and f"wrote {training.path}" in training.errors
    with h5py.File(training.path) as file:
        assert str(training.folder.parent) not in str(file.attrs["keras_mri"])


def test_networks_and_figures_of_chosen_epochs_are_kept(training):
    assert {"model_epoch0002.h5", "model_epoch0002.png"} <= {file.name for file in training.folder.iterdir()}


def test_networks_of_an_earlier_training_are_not_replaced_unasked(scan, tmp_path, capsys):
    (tmp_path / "model_epoch0002.h5").write_text("mine")
    assert train.main(["wgan", scan, *SMALL, "--checkpoint-every", "2", "-o", str(tmp_path / "model.h5")]) == 2
    assert "model_epoch0002.h5 exists" in capsys.readouterr().err
    assert (tmp_path / "model_epoch0002.h5").read_text() == "mine"


def test_a_training_that_fails_leaves_no_file(scan, tmp_path, capsys, monkeypatch):
    from keras_mri.systems import wgan

    def diverge(images, config, callbacks):
        callbacks[-1].on_epoch_end(0, {"l1": 1.0})
        assert (tmp_path / "out" / "model.csv").exists()
        raise InputError("training diverged")

    (tmp_path / "out").mkdir()
    monkeypatch.setattr(wgan, "train", diverge)
    assert train.main(["wgan", scan, *SMALL, "-o", str(tmp_path / "out" / "model.h5")]) == 2
    assert "training diverged" in capsys.readouterr().err
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["wgam", "x.nii.gz"], f"unknown system 'wgam'. Expected one of: {', '.join(SYSTEMS)}. Did you mean 'wgan'?"),
        (["wgan", "x.nii.gz", "--epoch", "3"], "unknown option --epoch. Did you mean --epochs?"),
        (["wgan", "nowhere.nii.gz"], "nowhere.nii.gz is not a file"),
        (["wgan", "sample", "--time-budget", "soon"], "90s, 5m or 1h30m"),
        (["wgan", "sample", "--epochs", "0"], "--epochs must be at least 1. Received: 0"),
        (["wgan", "sample", "-o", "model.keras"], "must end in .h5"),
        (["wgan", "sample", "-o", "no/such/folder/model.h5"], "does not exist"),
        (["wgan", "sample", "--frames", "4"], "--frames must be 1, 3 or 5"),
        (["wgan"], "IMAGE"),
    ],
)
def test_wrong_usage_gets_one_message_and_exit_2_without_tensorflow(arguments, message, tmp_path, in_this_checkout):
    """In a process of its own, so that it shows what is imported and what is printed."""
    code = "import sys; from keras_mri.train import main; status = main(sys.argv[1:]); assert 'keras' not in sys.modules; sys.exit(status)"
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, cwd=tmp_path, env=in_this_checkout)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr and "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_existing_outputs_are_not_replaced_unasked(scan, tmp_path, capsys):
    (tmp_path / "model.csv").write_text("mine")
    assert train.main(["wgan", scan, "-o", str(tmp_path / "model.h5")]) == 2
    assert "model.csv exists" in capsys.readouterr().err
    assert (tmp_path / "model.csv").read_text() == "mine"


def test_the_input_is_not_touched(training):
    assert training.scan.read_bytes() == training.before


def test_a_patch_that_does_not_fit_leaves_no_file(scan, tmp_path, capsys):
    folder = tmp_path / "out"
    folder.mkdir()
    assert train.main(["wgan", scan, *SMALL, "--patch-shape", "32", "32", "8", "-o", str(folder / "model.h5")]) == 2
    assert "--patch-shape must lie inside the volume" in capsys.readouterr().err
    assert list(folder.iterdir()) == []


def test_the_sample_is_the_scan_that_nibabel_ships():
    from keras_mri.nifti import open_image

    shipped = nibabel.load(open_image("sample").name)
    assert shipped.shape == (128, 96, 24, 2)
    np.testing.assert_allclose(shipped.header.get_zooms(), (2, 2, 2.2, 2000), rtol=1e-3)


def test_noise2average_also_writes_the_denoised_repetitions(tmp_path, write_nifti, rng):
    clean = phantoms.head((16, 18, 14))[0]
    paths = [str(write_nifti(clean + rng.normal(0, 30, clean.shape).astype(np.float32), f"rep{k}.nii.gz")) for k in (1, 2)]
    small = "--initial none --filters 2 --epochs 1 --steps-per-epoch 1 --iterations 1 --patch-shape 8 8 8 --no-align".split()
    out = tmp_path / "n2a.h5"
    assert train.main(["n2a", *paths, "-o", str(out), *small]) == 0
    for path in (out, tmp_path / "n2a.csv", tmp_path / "n2a.png", tmp_path / "n2a_denoised.nii.gz"):
        assert path.is_file()
    image = nibabel.load(tmp_path / "n2a_denoised.nii.gz")
    assert image.shape == clean.shape and image.get_data_dtype() == np.float32
    # What exists is not replaced, and that is said before anything is computed.
    for path in (out, tmp_path / "n2a.csv", tmp_path / "n2a.png"):
        path.unlink()
    assert train.main(["n2a", *paths, "-o", str(out), *small]) == 2
    assert not out.exists()


def test_one_repetition_leaves_no_file(tmp_path, write_nifti, capsys):
    path = str(write_nifti(phantoms.head((16, 18, 14))[0]))
    assert train.main(["n2a", path, "-o", str(tmp_path / "n2a.h5")]) == 2
    assert "two or more repetitions" in capsys.readouterr().err
    assert sorted(tmp_path.iterdir()) == [tmp_path / "scan.nii.gz"]


SMALL_SR = (
    "--simulate 2 2 1 --filters 2 2 2 --depths 1 1 1 --discriminator-filters 2 --patch-shape 12 12 12 --epochs 2 --steps-per-epoch 1 "
    "--precision float32 --warm-up 0.5"
).split()


def test_super_resolution_also_writes_the_last_network_and_who_was_what(tmp_path, write_nifti, capsys):
    paths = [str(write_nifti(phantoms.head((19, 17, 14), seed)[0], f"sub-{seed}_T1w.nii.gz")) for seed in range(3)]
    out = tmp_path / "sr.h5"
    assert train.main(["sr", *paths, *SMALL_SR, "-o", str(out)]) == 0
    errors = capsys.readouterr().err
    files = {path.name for path in tmp_path.iterdir() if path.name.startswith("sr")}
    assert files == {"sr.h5", "sr_last.h5", "sr.csv", "sr.png", "sr_split.tsv"}
    assert "training: sub-" in errors and "test: sub-" in errors and "sr_last.h5" in errors and "sr_split.tsv" in errors
    lines = (tmp_path / "sr_split.tsv").read_text().splitlines()
    assert lines[0] == "subject\tpart" and len(lines) == 4
    best, last = (keras.models.load_model(path, compile=False) for path in (out, tmp_path / "sr_last.h5"))
    assert best.count_params() == last.count_params()
    with h5py.File(out) as file:
        assert str(tmp_path) not in str(file.attrs["keras_mri"])
    # What exists is not replaced, and that is said before anything is computed.
    for name in files - {"sr_last.h5"}:
        (tmp_path / name).unlink()
    assert train.main(["sr", *paths, *SMALL_SR, "-o", str(out)]) == 2
    assert "sr_last.h5 exists" in capsys.readouterr().err and not out.exists()


def test_super_resolution_takes_a_table_and_no_images(tmp_path, write_nifti):
    rows = ["subject\tsource\ttarget"]
    for seed in range(3):
        write_nifti(phantoms.head((19, 17, 14), seed)[0] + 1, f"{seed}_3t.nii.gz")
        write_nifti(2 * phantoms.head((19, 17, 14), seed)[0] + 1, f"{seed}_7t.nii.gz")
        rows.append(f"{seed}\t{seed}_3t.nii.gz\t{seed}_7t.nii.gz")
    (tmp_path / "pairs.tsv").write_text("\n".join(rows))
    out = tmp_path / "sr.h5"
    assert train.main(["sr", "--pairs", str(tmp_path / "pairs.tsv"), *SMALL_SR[4:], "-o", str(out)]) == 0
    with h5py.File(out) as file:
        assert str(tmp_path) not in str(file.attrs["keras_mri"]) and "pairs.tsv" in str(file.attrs["keras_mri"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sr"], "it is not clear which scans are source and target. Received: no images"),
        (["sr", "--simulate", "2", "2"], "expected 3 arguments"),
        (["sr", "--pairs", "nowhere.tsv"], "nowhere.tsv is not a file. Expected a table of pairs"),
        (["sr", ".", "--source-session", "1", "--target-session", "2"], "holds no folders sub-*"),
        (["wgan"], "the following arguments are required: IMAGE"),
    ],
)
def test_what_super_resolution_is_trained_from_must_be_clear(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert train.main(arguments) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_what_latent_diffusion_writes_is_what_generate_and_predict_read(tmp_path, write_nifti, capsys):
    from keras_mri import generate, predict

    header = nibabel.Nifti1Header()
    header.set_data_shape((13, 11, 9, 10))
    header.set_zooms((1, 1, 1, 2.0))
    scan = str(write_nifti(phantoms.bold_run((13, 11, 9, 10))[0] + 20, "bold.nii.gz", header=header))
    (tmp_path / "events.tsv").write_text("onset\tduration\ttrial_type\n0\t4\tface\n6\t4\thouse\n")
    out, samples, repaired = tmp_path / "ldm.h5", tmp_path / "samples", tmp_path / "repaired.nii.gz"
    small = "--filters 4 6 --unet-filters 4 6 --latent-channels 2 --epochs 2 --steps-per-epoch 2 --diffusion-steps 20 --precision float32"
    arguments = ["ldm", scan, "--events", str(tmp_path / "events.tsv"), *small.split(), "--checkpoint-every", "1", "-o", str(out)]
    assert train.main(arguments) == 0
    errors = capsys.readouterr().err
    assert "autoencoder:" in errors and "denoiser:" in errors and "left" in errors
    assert {"ldm.h5", "ldm.csv", "ldm.png", "ldm_epoch0001.h5", "ldm_epoch0002.h5"} <= {file.name for file in tmp_path.iterdir()}
    with h5py.File(out) as file:
        assert str(tmp_path) not in str(file.attrs["keras_mri"]) and '"face"' in str(file.attrs["keras_mri"])
    bare = keras.models.load_model(out, compile=False)
    assert {"encoder", "decoder", "denoiser"} <= {layer.name for layer in bare.layers}

    assert generate.main([str(out), "-n", "2", "--label", "house", "--guidance", "3", "--steps", "4", "-o", str(samples)]) == 0
    before, sample = nibabel.load(scan), nibabel.load(samples / "sample_0002.nii.gz")
    assert sample.shape == before.shape[:3]
    np.testing.assert_allclose(sample.affine, before.affine, atol=1e-5)
    mask = np.zeros((13, 11, 9), np.uint8)
    mask[:, 4:6] = 1
    missing = str(write_nifti(mask, "missing.nii.gz"))
    task = ["--task", "imputation", "--missing", missing, "--steps", "2", "--samples", "1"]
    assert predict.main([str(out), scan, *task, "-o", str(repaired)]) == 0
    after = nibabel.load(repaired)
    assert after.shape == before.shape and after.header.get_zooms()[3] == 2.0
    known = mask == 0
    np.testing.assert_array_equal(after.get_fdata()[known], before.get_fdata()[known])
