import pathlib

import pytest

from keras_mri.cli.training_job import Files, TrainingJob
from keras_mri.errors import InputError
from keras_mri.imaging import phantoms
from keras_mri.io.volumes import Volume
from keras_mri.systems.records import modalities
from keras_mri.systems.wgan.settings import Config

SMALL = dict(epochs=1, steps_per_epoch=1, filters=(2, 2), depths=(1, 1), patch_shape=(8, 8, 8), adversarial_weight=0.0, precision="float32")


@pytest.fixture
def images(affine):
    return [Volume.from_array(phantoms.head((13, 12, 11), seed=1)[0], affine)]


def test_without_files_nothing_is_written(images, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    trained = TrainingJob("wgan", Config(**SMALL), images).run()
    assert not list(tmp_path.iterdir()) and capsys.readouterr().err == ""
    assert trained.checkpoint.training["zooms"] == [list(images[0].zooms)] and trained.checkpoint.inference == {"scaling": "percentile"}
    # What was chosen on the way is recorded.
    assert trained.checkpoint.config["precision"] == "float32" and "modalities" not in trained.checkpoint.training


@pytest.mark.parametrize(
    ("names", "kinds"),
    [
        (["a/sub-01_T2w.nii", "a/sub-01_T1w.nii", "b/sub-02_T1w.nii"], ["T1w", "T2w"]),
        (["bold.nii.gz", "head_Miller.nii"], ["bold"]),
        (["head_Miller.nii"], []),
    ],
)
def test_the_kinds_of_scans_are_recorded_and_no_other_word_of_their_names(names, kinds, images):
    assert modalities([Volume(images[0].frame, images[0].shape, images[0].affine, None, name) for name in names]) == kinds


def test_a_network_records_what_it_was_trained_on(images):
    named = Volume(images[0].frame, images[0].shape, images[0].affine, images[0].header, "home/sub-01_T2w.nii.gz")
    trained = TrainingJob("wgan", Config(**SMALL), [named]).run()
    assert trained.checkpoint.training["modalities"] == ["T2w"]


def test_with_files_they_lie_beside_one_another(images, tmp_path, capsys):
    files = Files(tmp_path / "network.h5", tmp_path / "network.state", None, {"system": "wgan", "config": {}, "images": []})
    TrainingJob("wgan", Config(**SMALL), images).run(files)
    names = ["network.csv", "network.h5", "network.png"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    said = capsys.readouterr().err
    assert all(str(tmp_path / name) in said for name in names)


def test_a_training_that_fails_leaves_no_history(images, tmp_path, monkeypatch):
    files = Files(tmp_path / "network.h5", tmp_path / "network.state", None, {"system": "wgan", "config": {}, "images": []})

    def full(*_, **__):
        raise InputError("the disk is full")

    monkeypatch.setattr("keras_mri.saving.checkpoints.save", full)
    with pytest.raises(InputError, match="the disk is full"):
        TrainingJob("wgan", Config(**SMALL), images).run(files)
    assert not list(tmp_path.iterdir())


def test_files_of_another_machine_go_to_a_folder_of_their_own():
    files = Files(pathlib.Path("out/network.h5"), pathlib.Path("out/network.state"), 60.0, {}).within("elsewhere")
    assert (files.network, files.state) == (pathlib.Path("elsewhere/network.h5"), pathlib.Path("elsewhere/network.state"))
