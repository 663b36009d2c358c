"""Training on the noisy run alone: finite, repeatable, on runs of any shape, and what it refuses."""

import keras
import numpy as np
import pytest

from keras_mri.cli.training_job import TrainingJob
from keras_mri.errors import InputError
from keras_mri.imaging import phantoms
from keras_mri.networks.run_unet import run_unet
from keras_mri.saving import checkpoints
from keras_mri.systems.wgan import system as wgan
from keras_mri.systems.wgan.run_copies import recorrupted_copy, training_run
from keras_mri.systems.wgan.run_data import run_batches
from keras_mri.systems.wgan.settings import PRESETS, Config, as_runs
from tests.systems.contract import check_contract, trained
from tests.systems.wgan.run_networks import FLOAT32, checkpoint_of, head_run, volume_of, wilful_network

QUICK = dict(epochs=1, steps_per_epoch=1, batch_size=8, filters=(2, 3), depths=(1, 1), patch_shape=(8, 8, 4), precision="float32")


@pytest.fixture(scope="module")
def volume():
    return volume_of(head_run((14, 13, 9, 12), offset=150)[0])


def weights_of(volumes, callbacks=(), **settings):
    return trained(wgan.SYSTEM, volumes, Config(**{**QUICK, **settings}), callbacks).get_weights()


def test_the_contract(tmp_path, write_nifti):
    path = write_nifti(head_run((14, 13, 9, 12), offset=150)[0], "run.nii.gz")
    settings = {name: value for name, value in QUICK.items() if name not in ("epochs", "steps_per_epoch", "batch_size")}
    checkpoint, restored = check_contract("wgan", [path], tmp_path, once=True, **settings)
    assert checkpoint.network.input_shape == (None, None, None, None, 5) and checkpoint.network.name == "run_unet"
    assert restored.extremes[0] >= 0


@pytest.mark.slow
def test_the_contract_in_graphs_and_with_a_critic(tmp_path, write_nifti):
    path = write_nifti(head_run((14, 13, 9, 12), offset=150)[0], "run.nii.gz")
    settings = {name: value for name, value in QUICK.items() if name not in ("epochs", "steps_per_epoch", "batch_size")}
    check_contract("wgan", [path], tmp_path, adversarial_weight=0.1, warm_up=0.5, critic_steps=2, **settings)


def test_one_seed_gives_one_network_and_another_gives_another(eagerly, volume):
    first, again, other = (weights_of([volume], seed=seed, batch_size=4) for seed in (1, 1, 2))
    for one, two in zip(first, again, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-6)
    assert any(not np.allclose(one, two, atol=1e-5) for one, two in zip(first, other, strict=True))


def test_what_averages_is_not_changed_by_training(eagerly, volume):
    network = trained(wgan.SYSTEM, [volume], Config(**{**QUICK, "steps_per_epoch": 2, "learning_rate": 0.1}))
    np.testing.assert_array_equal(network.get_layer("around").get_weights()[0], np.eye(27).reshape(3, 3, 3, 1, 27))
    np.testing.assert_array_equal(network.get_layer("restored").get_weights()[0], np.ones((1, 1, 1, 31, 1)))
    assert network.get_layer("logits").get_weights()[0].any()


@pytest.mark.parametrize(
    ("shape", "settings", "together"),
    [
        ((9, 8, 7, 10), {}, True),
        ((9, 8, 7, 9), {}, False),
        ((9, 8, 7), {}, False),
        ((9, 8, 7, 12), dict(frames=1), False),
        ((9, 8, 7, 12), dict(frames=3), False),
        ((9, 8, 7, 12), dict(target="neighbour"), False),
        ((9, 8, 7, 12), PRESETS["published"], False),
    ],
    ids=["ten frames", "nine frames", "a volume", "frames 1", "frames 3", "neighbour", "published"],
)
def test_ten_frames_train_together_unless_single_frames_are_asked_for(shape, settings, together, monkeypatch):
    volume, config = volume_of(np.ones(shape, np.float32)), Config(**settings)
    assert as_runs([volume], config) == together
    monkeypatch.setattr("keras_mri.systems.wgan.run_training.train_on_runs", lambda *given: "of runs")
    monkeypatch.setattr("keras_mri.systems.wgan.data.denoising_data", lambda *given, **more: 1 / 0)
    if together:
        assert wgan.train([volume], config) == "of runs"
    else:
        with pytest.raises(ZeroDivisionError):
            wgan.train([volume], Config(**{**settings, "patch_shape": (16, 16, 8)}))


def test_a_run_beside_a_volume_trains_on_single_volumes():
    head, _ = phantoms.head((14, 13, 9))
    run = volume_of(head_run((14, 13, 9, 12))[0])
    assert as_runs([run], Config()) and not as_runs([run, volume_of(head)], Config())


def test_runs_of_different_shapes_and_lengths_train_together(eagerly):
    volumes = [volume_of(head_run(shape, seed=seed, offset=150)[0]) for seed, shape in enumerate([(14, 13, 9, 12), (10, 20, 11, 17)])]
    weights = weights_of(volumes, patch_shape=None)
    assert all(np.isfinite(weight).all() for weight in weights)


@pytest.mark.parametrize("shape", [(17, 14, 1, 11), (15, 3, 2, 10), (15, 13, 11, 10)])
def test_thin_and_odd_runs_train_and_are_restored_in_their_shape(eagerly, shape):
    volume = volume_of(head_run(shape, offset=150)[0])
    network = trained(wgan.SYSTEM, [volume], Config(**{**QUICK, "patch_shape": None}))
    restored = wgan.predict(checkpoint_of(network), [volume], FLOAT32).data
    assert restored.shape == shape and np.isfinite(restored).all()


def test_three_levels_and_one_train(eagerly, volume):
    for filters, depths in (((2, 2, 2), (1, 1, 1)), ((2,), (1,))):
        weights = weights_of([volume], filters=filters, depths=depths, patch_shape=(8, 8, 4))
        assert all(np.isfinite(weight).all() for weight in weights)


def test_the_critic_comes_last_and_the_history_tells_both(eagerly, volume):
    class Follow(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            rows.append(logs)

    rows = []
    weights = weights_of([volume], [Follow()], epochs=2, adversarial_weight=0.1, warm_up=0.5, batch_size=2)
    assert {"loss", "error", "kept", "response_error", "val_error"} <= set(rows[0]) and "critic_loss" not in rows[0]
    assert {"critic_loss", "adversarial_loss"} <= set(rows[-1])
    assert all(np.isfinite(list(row.values())).all() for row in rows) and all(np.isfinite(weight).all() for weight in weights)


def test_by_default_there_is_no_critic(eagerly, volume):
    class Follow(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            rows.append(logs)

    rows = []
    weights_of([volume], [Follow()], warm_up=0.5)
    assert rows and not any("critic_loss" in row for row in rows)


def test_the_file_says_that_it_takes_maps_what_it_keeps_and_what_was_found(eagerly, volume):
    job = TrainingJob("wgan", Config(**QUICK, keep=0.8), [volume]).run()
    assert job.checkpoint.inference == {"scaling": "percentile", "input": "maps", "keep": 0.8}
    (found,) = job.checkpoint.training["runs"]
    assert (found["frames"], found["kind"], found["unlike"]) == (12, "run", {})
    assert job.checkpoint.training["input"] == "maps"
    assert any(title.startswith("removed × ") for title in job.panels)


def test_training_starts_from_the_weights_of_a_file(eagerly, volume, tmp_path):
    start = wilful_network()
    checkpoints.save(checkpoint_of(start), tmp_path / "start.h5")
    settings = dict(filters=(3, 4), learning_rate=1e-9, initial=str(tmp_path / "start.h5"))
    for one, two in zip(weights_of([volume], **settings), start.get_weights(), strict=True):
        np.testing.assert_allclose(one, two, atol=1e-6)
    with pytest.raises(InputError, match=r"start.h5 has other layers than `filters` and `depths` name \(5 channels\). Use `initial` none"):
        weights_of([volume], initial=str(tmp_path / "start.h5"))


def test_without_a_choice_the_pre_trained_network_is_the_start_if_there_is_one(eagerly, volume, tmp_path, monkeypatch):
    start = run_unet()
    checkpoints.save(checkpoint_of(start), tmp_path / "wgan_run.h5")
    monkeypatch.setattr("keras_mri.saving.pretrained.path_of", lambda name: tmp_path / name)
    usual = dict(filters=None, depths=None, batch_size=1, learning_rate=1e-9)
    for one, two in zip(weights_of([volume], **usual), start.get_weights(), strict=True):
        np.testing.assert_allclose(one, two, atol=1e-6)
    random = weights_of([volume], **usual, initial="none")
    assert any(np.abs(one - two).max() > 0.01 for one, two in zip(random, start.get_weights(), strict=True))
    # Layers of other sizes start at random, without a word.
    assert weights_of([volume])[1].shape == (2,)


def test_without_a_pre_trained_network_training_starts_at_random_unless_it_was_asked_for(eagerly, volume, monkeypatch):
    def missing(name):
        raise InputError(f"the pre-trained network {name} was not found")

    monkeypatch.setattr("keras_mri.saving.pretrained.path_of", missing)
    assert all(np.isfinite(weight).all() for weight in weights_of([volume], filters=None, depths=None, batch_size=1))
    with pytest.raises(InputError, match="wgan_run.h5 was not found"):
        weights_of([volume], initial="pretrained")


def test_options_that_a_run_has_no_use_for_are_left_aside_with_a_remark(eagerly, volume, caplog):
    weights_of([volume])
    assert "has no meaning" not in caplog.text
    weights_of([volume], noise="rician", noise_range=(0.0, 0.1))
    assert "`noise`, `noise_range` has no meaning for a run and is ignored; `frames` 1 trains on single frames" in caplog.text


def test_a_short_run_is_said_to_train_the_network_of_single_volumes(volume, caplog, monkeypatch):
    monkeypatch.setattr("keras_mri.training.two_phases.fit_in_two_phases", lambda *given: None)
    weights_of([volume_of(head_run((14, 13, 9, 9))[0])])
    assert "bold.nii.gz: 9 frames, fewer than 10: each is denoised by itself" in caplog.text
    caplog.clear()
    weights_of([volume_of(head_run((14, 13, 9, 9))[0])], frames=1)
    assert "fewer than 10" not in caplog.text


def test_a_start_that_is_not_there_is_said(volume):
    with pytest.raises(InputError, match="nowhere.h5 is not a file"):
        weights_of([volume], initial="nowhere.h5")


def test_a_patch_larger_than_the_run_names_the_largest_valid(volume):
    with pytest.raises(InputError, match=r"`patch_shape` must lie inside.*\(32, 32, 16\).*Largest valid"):
        weights_of([volume], patch_shape=(32, 32, 16))


def test_a_patch_that_the_network_cannot_halve_names_the_nearest(eagerly, volume):
    with pytest.raises(InputError, match=r"divisible by 2.*\(9, 8, 4\).*Nearest valid: \(8, 8, 4\)"):
        weights_of([volume], patch_shape=(9, 8, 4))


def test_a_run_that_does_not_vary_is_refused_in_one_message():
    frame, _ = phantoms.head((14, 13, 9))
    with pytest.raises(InputError):
        weights_of([volume_of(np.repeat(frame[..., None] + 1, 12, axis=3))])


def test_large_batches_leave_something_to_validate():
    part = training_run(head_run((14, 13, 9, 12), offset=150)[0])
    batches = run_batches([recorrupted_copy(part, np.random.default_rng(0))], (8, 8, 4), 20, 1, 0)
    assert len(list(batches.validation)) > 0


@pytest.mark.slow
def test_a_short_training_removes_noise_and_keeps_activations():
    clean, brain, active, course = phantoms.bold_run((24, 22, 16, 48), amplitude=0.04, drift=0.0)
    noisy = phantoms.noisy_volume(clean + 100, 20.0, seed=3)
    config = Config(epochs=3, steps_per_epoch=40, filters=(4, 8), depths=(1, 2), learning_rate=3e-3, precision="float32")
    network = trained(wgan.SYSTEM, [noisy], config)
    restored = wgan.predict(checkpoint_of(network), [noisy], FLOAT32).data
    before, after = ((run - 100 - clean)[brain].std() for run in (noisy.data, restored))
    assert after < 0.6 * before
    contrast = (course - course.mean()) / ((course - course.mean()) ** 2).sum()
    truth, kept = ((run @ contrast)[active].mean() for run in (clean, restored))
    assert kept > 0.7 * truth
