import contextlib
import csv
import dataclasses
import io
import shutil
import subprocess
import sys
import types

import h5py
import keras
import nibabel
import numpy as np
import pytest

from keras_mri import train
from keras_mri.errors import InputError
from keras_mri.imaging import phantoms
from keras_mri.io.locks import claimed
from keras_mri.systems import SYSTEMS

# Five frames: on maps, as a run of twelve frames trains by default, see systems/wgan/test_run_training.py.
SMALL = "--frames 5 --epochs 3 --steps-per-epoch 2 --batch-size 2 --filters 2 2 --depths 1 1 --patch-shape 8 8 4 --warm-up 0.5".split()
SMALL += "--precision float32".split()


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
    assert len(rows) >= 3 and rows[0]["error"] and rows[-1]["critic_loss"]
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
    from keras_mri.systems.wgan import system as wgan

    def diverge(images, config, callbacks):
        callbacks[-1].on_epoch_end(0, {"error": 1.0})
        assert (tmp_path / "out" / "model.csv").exists()
        raise InputError("training diverged")

    (tmp_path / "out").mkdir()
    monkeypatch.setattr(wgan, "SYSTEM", dataclasses.replace(wgan.SYSTEM, train=diverge))
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
        (["wgan", "sample", "-o", "model.hdf5"], "must end in .h5 or .keras"),
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
    from keras_mri.io.nifti_reading import open_image

    shipped = nibabel.load(open_image("sample").name)
    assert shipped.shape == (128, 96, 24, 2)
    np.testing.assert_allclose(shipped.header.get_zooms(), (2, 2, 2.2, 2000), rtol=1e-3)


def test_noise2average_also_writes_the_denoised_repetitions(eagerly, tmp_path, write_nifti, rng):
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


def test_super_resolution_also_writes_the_last_network_and_who_was_what(eagerly, tmp_path, write_nifti, capsys):
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


def test_super_resolution_takes_a_table_and_no_images(eagerly, tmp_path, write_nifti):
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


def test_what_latent_diffusion_writes(trained_pair):
    assert "autoencoder:" in trained_pair.errors and "denoiser:" in trained_pair.errors and "left" in trained_pair.errors
    assert {file.name for file in trained_pair.folder.iterdir()} == {"ldm.h5", "ldm.csv", "ldm.png"}
    with open(trained_pair.folder / "ldm.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert float(rows[0]["val_error"]) > float(rows[2]["val_error"]) and float(rows[-1]["val_error"]) < 1.5
    with h5py.File(trained_pair.path) as file:
        facts = str(file.attrs["keras_mri"])
    assert str(trained_pair.folder.parent) not in facts and "events.tsv" in facts and '"lh"' in facts
    bare = keras.models.load_model(trained_pair.path, compile=False)
    assert {"encoder", "decoder", "denoiser"} <= {layer.name for layer in bare.layers}


SLICES = "--filters 2 3 --depths 1 1 --epochs 2 --steps-per-epoch 2 --batch-size 2 --precision float32".split()


@pytest.fixture(scope="module")
def interrupted_training(tmp_path_factory):
    """Train on slices once, interrupted: the scan, the folder of what is left, and what was printed."""
    from keras_mri.training.resuming import TrainingState

    folder, scan = tmp_path_factory.mktemp("interrupted"), tmp_path_factory.mktemp("slices") / "scan.nii.gz"
    data = (1000 * np.random.default_rng(0).random((16, 16, 9))).astype(np.float32)
    nibabel.save(nibabel.Nifti1Image(data, phantoms.oblique_affine()), scan)

    begun = []

    def interrupted(self, batch, logs=None):
        saved(self, batch, logs)
        begun.append(batch)
        if len(begun) == 4:  # before the last step of the second epoch
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        saved = TrainingState.on_train_batch_begin
        patch.setattr(TrainingState, "every", property(lambda self: 0.0, lambda self, value: None), raising=False)
        patch.setattr(TrainingState, "on_train_batch_begin", interrupted)
        with contextlib.redirect_stderr(io.StringIO()) as said:
            assert train.main(["cnn", str(scan), *SLICES, "-o", str(folder / "model.h5")]) == 130
    return scan, folder, said.getvalue()


@pytest.fixture
def unfinished(interrupted_training, tmp_path):
    """A copy of the interrupted training: its command, its folder, and what was printed."""
    scan, left, said = interrupted_training
    folder = shutil.copytree(left, tmp_path / "copy")
    return ["cnn", str(scan), *SLICES, "-o", str(folder / "model.h5")], folder, said


def test_an_interrupted_training_is_written_and_can_be_taken_up(unfinished, capfd):
    command, folder, said = unfinished
    assert "model.state holds the interrupted training: the same command with --resume goes on from there" in said
    assert (folder / "model.h5").exists()
    assert train.main(command) == 2
    assert "model.state exists: a training that has not ended. Go on with --resume, or start again" in capfd.readouterr().err
    assert train.main([*command, "--resume"]) == 0
    assert "s into the training" in capfd.readouterr().err
    assert sorted(file.name for file in folder.iterdir() if "state" in file.name) == []


def test_another_command_cannot_take_a_training_up(unfinished, capfd):
    command, folder, _ = unfinished
    before = (folder / "model.state" / "last").read_bytes()
    assert train.main([*command, "--resume", "--learning-rate", "0.01", "--filters", "2", "4"]) == 2
    said = capfd.readouterr().err
    assert "What differs: --learning-rate: 0.001 → 0.01; --filters: 2 3 → 2 4. Repeat its command with --resume" in said
    assert (folder / "model.state" / "last").read_bytes() == before


def test_an_unfinished_training_can_be_started_again(unfinished, capfd):
    command, folder, _ = unfinished
    assert train.main([*command, "--overwrite"]) == 0
    assert "s into the training" not in capfd.readouterr().err and not (folder / "model.state").exists()


def test_a_training_that_has_ended_is_not_resumed_from_its_beginning(unfinished, capfd):
    command, folder, _ = unfinished
    shutil.rmtree(folder / "model.state")
    before = (folder / "model.h5").read_bytes()
    assert train.main([*command, "--resume"]) == 2
    said = capfd.readouterr().err
    assert "model.h5 exists and" in said and "this training has ended, so there is nothing to resume. To train" in said
    assert (folder / "model.h5").read_bytes() == before


def test_ctrl_c_before_the_first_epoch_has_ended_writes_no_network(unfinished, capfd, monkeypatch):
    from keras_mri.training.resuming import TrainingState

    def interrupted(self, batch, logs=None):
        raise KeyboardInterrupt

    command, folder, _ = unfinished
    shutil.rmtree(folder)
    folder.mkdir()
    monkeypatch.setattr(TrainingState, "on_train_batch_begin", interrupted)
    assert train.main(command) == 130
    assert "interrupted before the first epoch ended: there is no network yet" in capfd.readouterr().err
    assert not list(folder.iterdir())


def test_a_second_training_of_one_name_is_refused_and_takes_nothing_from_the_first(unfinished, capfd):
    command, folder, _ = unfinished
    before = {file: file.stat().st_mtime_ns for file in folder.rglob("*")}
    with claimed(folder / "model.h5"):
        for options in ([], ["--overwrite"], ["--resume"]):
            assert train.main([*command, *options]) == 2
            assert "model.h5 is being trained by another process. Name another file with -o." in capfd.readouterr().err
    assert {file: file.stat().st_mtime_ns for file in folder.rglob("*")} == before


def test_with_nothing_to_take_up_the_training_starts_at_its_beginning(unfinished, capfd):
    command, folder, _ = unfinished
    for name in [file for file in folder.iterdir() if file.name.startswith("model")]:
        shutil.rmtree(name) if name.is_dir() else name.unlink()
    assert train.main([*command, "--resume"]) == 0
    assert "model.state does not exist: the training starts at its beginning" in capfd.readouterr().err
