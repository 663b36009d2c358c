import dataclasses
import logging
import re

import keras
import nibabel
import numpy as np
import pytest

from keras_mri.errors import InputError
from keras_mri.imaging import phantoms
from keras_mri.imaging.intensity import fit_scaling
from keras_mri.imaging.metrics import psnr
from keras_mri.imaging.noise import add_gaussian_noise
from keras_mri.io.volumes import Volume
from keras_mri.networks.munet import munet
from keras_mri.saving import checkpoints
from keras_mri.saving.checkpoints import Checkpoint
from keras_mri.systems.n2a import system as n2a
from keras_mri.systems.n2a.published_munet import load_published_munet
from keras_mri.systems.n2a.repetitions import Repetitions
from keras_mri.systems.n2a.settings import PRESETS, Config, PredictConfig
from keras_mri.systems.network_files import checkpoint_for
from keras_mri.training.callbacks import EpochLog
from keras_mri.training.resuming import TrainingState
from tests.systems.contract import check_contract
from tests.systems.n2a.test_published_munet import structural

SMALL = dict(initial="none", filters=2, patch_shape=(8, 8, 8), precision="float32", iterations=1, align=False)
SHAPE = (19, 17, 14)


@pytest.fixture
def paths(write_nifti):
    clean, _ = phantoms.head(SHAPE, seed=1)
    return [write_nifti(add_gaussian_noise(clean, 60, np.random.default_rng(k)), f"rep{k}.nii.gz") for k in range(3)]


def identity(filters=2, **values):
    return checkpoint_for(munet(1, filters, 0.05), "n2a", Config(**{**SMALL, **values}))


def train(scan, config, callbacks=()):
    return n2a.train(scan, n2a.settle(config), callbacks)


def repetitions(affine, count=2, sigma=60, frames=1):
    clean, brain = phantoms.head(SHAPE, seed=1)
    rng = np.random.default_rng(0)
    data = np.stack([add_gaussian_noise(np.stack([clean] * frames, axis=-1), sigma, rng) for _ in range(count)])
    return Repetitions(data, brain, False, bool(data.min() >= 0), Volume.from_array(data[0, ..., 0] if frames == 1 else data[0], affine))


@pytest.mark.parametrize(
    "settings",
    [
        dict(),
        dict(
            once=True,
            iterations=2,
            target="average",
            restore="each",
            mirror="left-right",
            restart=True,
            scaling="zscore",
            mirror_training="left-right",
        ),
        dict(once=True, network="munet_diffusion", noise_scale=None, filters=4),
    ],
)
def test_the_contract(paths, tmp_path, settings):
    # A bias before BatchNormalization has no gradient but rounding.
    same = settings.get("network") != "munet_diffusion"
    check_contract("n2a", paths, tmp_path, predicted=paths, same_weights=same, **{**SMALL, **settings})


@pytest.mark.slow
def test_the_contract_of_the_published_preset(tmp_path, write_nifti):
    clean, _ = phantoms.head((24, 22, 20))
    paths = [write_nifti(add_gaussian_noise(clean, 60, np.random.default_rng(k)), f"rep{k}.nii.gz") for k in range(2)]
    published = {name: value for name, value in PRESETS["published"].items() if name not in ("epochs", "steps_per_epoch", "batch_size")}
    checkpoint, _ = check_contract("n2a", paths, tmp_path, predicted=paths, once=True, **{**published, "patch_shape": (12, 12, 12)})
    # The count of tests/networks/test_munet.py, by hand.
    assert checkpoint.network.count_params() == 2_327_041


def test_an_untrained_network_gives_the_average(paths):
    restored = n2a.predict(identity(), paths, PredictConfig(align=False))
    first, *others = (nibabel.load(path).get_fdata() for path in paths)
    mask = n2a.prepare(paths, Config(**SMALL)).mask
    average = np.mean([first, *(other * first[mask].mean() / other[mask].mean() for other in others)], axis=0)
    # The noise of the phantom goes below 0, so nothing is cut there.
    assert average.min() < 0
    np.testing.assert_allclose(restored.data, average, atol=0.05)
    # A report compares with what was restored, which is not the first repetition.
    np.testing.assert_allclose(restored.source.data, average, atol=0.05)


def test_magnitudes_do_not_become_negative(affine):
    checkpoint = identity()
    checkpoint.network.get_layer("residual").set_weights([np.zeros((3, 3, 3, 2, 1)), np.full(1, -100.0)])
    scan = repetitions(affine)
    for magnitude in (True, False):
        denoised = n2a.outcome(checkpoint, dataclasses.replace(scan, magnitude=magnitude), Config(**SMALL)).files["_denoised.nii.gz"].data
        assert (denoised[scan.mask].min() < 0) != magnitude


def test_outside_the_mask_the_average_stays(affine):
    checkpoint = identity()
    checkpoint.network.get_layer("residual").set_weights([np.zeros((3, 3, 3, 2, 1)), np.full(1, 2.0)])
    scan = repetitions(affine)
    denoised = n2a.outcome(checkpoint, scan, Config(**SMALL)).files["_denoised.nii.gz"].data
    average = scan.average[..., 0]
    np.testing.assert_array_equal(denoised[~scan.mask], average[~scan.mask])
    assert np.abs(denoised - average)[scan.mask].min() > 1


def test_restoring_each_repetition_averages_the_restored_ones(affine):
    checkpoint = identity(restore="each")
    rng = np.random.default_rng(3)
    checkpoint.network.get_layer("residual").set_weights([rng.normal(0, 0.3, (3, 3, 3, 2, 1)), np.zeros(1)])
    scan = repetitions(affine)
    scaling = n2a._scaling(scan, Config(**SMALL))

    def restored(data):
        return scaling.invert(checkpoint.network.predict_on_batch(scaling.apply(data)[None])[0, ..., 0])

    # Each repetition and its mirror image; the phantom's first axis runs from right to left.
    wanted = np.mean([(restored(member) + restored(member[::-1])[::-1]) / 2 for member in scan.data], axis=0)
    denoised = n2a.outcome(checkpoint, scan, Config(**{**SMALL, "restore": "each", "mirror": "left-right"})).files["_denoised.nii.gz"].data
    np.testing.assert_allclose(denoised[scan.mask], wanted[scan.mask], rtol=1e-3, atol=0.5)


def test_the_result_averages_mirror_images_along_all_axes_and_a_target_none(affine):
    checkpoint = identity()
    rng = np.random.default_rng(3)
    checkpoint.network.get_layer("residual").set_weights([rng.normal(0, 0.3, (3, 3, 3, 2, 1)), np.zeros(1)])
    scan, config = repetitions(affine), Config(**SMALL)
    scaling = n2a._scaling(scan, config.scaling)

    def restored(data):
        return scaling.invert(checkpoint.network.predict_on_batch(scaling.apply(data)[None])[0, ..., 0])

    choices = [[axis for axis in range(3) if number >> axis & 1] for number in range(8)]
    wanted = np.mean([np.flip(restored(np.flip(scan.average, axes)), axes) for axes in choices], axis=0)
    found = n2a.outcome(checkpoint, scan, config).files["_denoised.nii.gz"].data
    np.testing.assert_allclose(found[scan.mask], wanted[scan.mask], rtol=1e-3, atol=0.5)
    plain = n2a._denoised(checkpoint.network, scan, checkpoint.inference, "none").data
    np.testing.assert_allclose(plain[scan.mask], restored(scan.average)[scan.mask], rtol=1e-3, atol=0.5)
    assert np.abs(plain - found)[scan.mask].max() > 5


def test_training_is_no_worse_than_its_start(eagerly, affine, caplog):
    caplog.set_level(logging.INFO, "keras_mri")
    # A learning rate that destroys the network: the start must be what is kept.
    config = Config(epochs=1, steps_per_epoch=3, learning_rate=1.0, **{**SMALL, "clip_norm": None, "anneal": False})
    scan = repetitions(affine)
    network = train(scan, config)
    example = np.random.default_rng(0).random((1, 8, 8, 8, 1), dtype=np.float32)
    np.testing.assert_allclose(network.predict_on_batch(example), example, atol=1e-5)
    assert "kept: the network of the start" in caplog.text


def test_what_is_worse_than_the_average_is_not_kept(eagerly, affine, tmp_path, caplog):
    harmful = identity()
    harmful.network.get_layer("residual").set_weights([np.zeros((3, 3, 3, 2, 1)), np.full(1, 10.0)])
    checkpoints.save(harmful, tmp_path / "harmful.h5")
    config = Config(epochs=1, steps_per_epoch=1, learning_rate=1e-9, **{**SMALL, "initial": str(tmp_path / "harmful.h5")})
    scan = repetitions(affine)
    network = train(scan, config)
    denoised = n2a.outcome(checkpoint_for(network, "n2a", config), scan, config).files["_denoised.nii.gz"].data
    np.testing.assert_allclose(denoised, scan.average[..., 0], atol=0.01)
    assert "restores nothing; train longer" in caplog.text


def test_a_scan_with_hardly_any_noise_ends_after_a_tenth_of_the_steps_with_the_average(eagerly, affine, caplog):
    class Count(keras.callbacks.Callback):
        steps = 0

        def on_train_batch_end(self, batch, logs=None):
            self.steps += 1

    scan, count = repetitions(affine, sigma=1), Count()
    config = Config(epochs=5, steps_per_epoch=8, learning_rate=1e-9, **SMALL)
    network = train(scan, config, [count])
    # Four of forty steps; the callback that counts comes before the one that ends.
    assert count.steps == 4
    assert re.search(r"warning: image: the repetitions differ by so little \(noise SD 0\.\d+ % of the range\)", caplog.text)
    denoised = n2a.outcome(checkpoint_for(network, "n2a", config), scan, config).files["_denoised.nii.gz"].data
    np.testing.assert_array_equal(denoised, scan.average[..., 0])


def test_a_network_that_restores_nothing_is_not_run(affine, monkeypatch):
    monkeypatch.setattr(n2a, "predictor", lambda *arguments: pytest.fail)
    checkpoint = identity()
    checkpoint.network.get_layer("residual").set_weights([np.zeros((3, 3, 3, 2, 1)), np.zeros(1)])
    scan = repetitions(affine)
    denoised = n2a.outcome(checkpoint, scan, Config(**SMALL)).files["_denoised.nii.gz"]
    np.testing.assert_array_equal(denoised.data, scan.average[..., 0])
    np.testing.assert_array_equal(denoised.source.data, scan.average[..., 0])


def test_a_scan_with_noise_is_trained_on_to_the_end(eagerly, affine):
    log = EpochLog()
    train(repetitions(affine, sigma=60), Config(epochs=2, steps_per_epoch=2, learning_rate=1e-9, **SMALL), [log])
    assert len(log.rows) == 2


def test_noise_is_measured_between_repetitions_as_a_share_of_the_range(affine):
    scan = repetitions(affine, count=3, sigma=30)
    # An average of three still has a maximum near that of the phantom, 1000.
    assert scan.noise == pytest.approx(30 / fit_scaling(scan.average).scale, rel=0.05)


def test_as_published_each_repetition_is_normalised_by_its_own_mean_and_sd(affine, write_nifti):
    clean, brain = phantoms.head(SHAPE, seed=1)
    images = [write_nifti(add_gaussian_noise(gain * clean, 150, np.random.default_rng(k)), f"r{k}.nii") for k, gain in enumerate((1, 1.4))]
    mask = write_nifti(brain.astype(np.uint8), "mask.nii.gz")
    scan = n2a.prepare(images, Config(**{**SMALL, "scaling": "zscore-each", "mask": str(mask)}))
    units = n2a._scaling(scan, "zscore-each").apply(scan.data)
    for path, repetition in zip(images, units):
        measured = nibabel.load(path).get_fdata()
        own = (measured - measured[brain].mean()) / measured[brain].std()
        np.testing.assert_allclose(repetition[brain][:, 0], own[brain], atol=2e-3)
    # The average has less noise: by its own SD, as `zscore` has it, a repetition would spread further.
    assert n2a._scaling(scan, "zscore").apply(scan.data)[0][brain].std() > 1.05


@pytest.mark.slow
def test_training_beats_the_average(affine):
    clean, brain = phantoms.head((40, 40, 32), seed=1)
    rng = np.random.default_rng(0)
    data = np.stack([add_gaussian_noise(clean[..., None], 60, rng) for _ in range(2)])
    scan = Repetitions(data, brain, False, False, Volume.from_array(data[0, ..., 0], affine))
    config = Config(patch_shape=(16, 16, 16), epochs=3, steps_per_epoch=60, iterations=1, learning_rate=1e-3)
    network = train(scan, config)
    denoised = n2a.outcome(checkpoint_for(network, "n2a", config), scan, config).files["_denoised.nii.gz"].data
    assert psnr(clean, denoised, brain) > psnr(clean, scan.average[..., 0], brain) + 0.5


def test_training_goes_on_from_a_network_of_ours(eagerly, affine, tmp_path):
    checkpoints.save(identity(filters=3), tmp_path / "start.h5")
    config = Config(epochs=1, steps_per_epoch=1, **{**SMALL, "filters": None, "initial": str(tmp_path / "start.h5")})
    network = train(repetitions(affine), config)
    assert network.get_layer("c1_1").filters == 3
    with pytest.raises(InputError, match="start.h5 has 3 filters. Received: `filters` 2. Use `initial` none"):
        train(repetitions(affine), Config(**{**SMALL, "initial": str(tmp_path / "start.h5")}))


def test_training_starts_from_a_published_network_in_its_units(tmp_path):
    structural(filters=2).save(tmp_path / "original.h5")
    config = n2a.settle(Config(**{**SMALL, "filters": None, "initial": str(tmp_path / "original.h5")}))
    assert (config.network, config.filters, config.noise_scale, config.scaling) == ("munet", 2, None, "zscore-each")
    network = n2a._network(config, frames=1)
    original = load_published_munet(tmp_path / "original.h5")
    example = np.random.default_rng(0).standard_normal((1, 8, 7, 6, 1)).astype(np.float32)
    np.testing.assert_allclose(network.predict_on_batch(example), original.predict_on_batch(example), atol=1e-4)


@pytest.mark.parametrize(
    ("initial", "message"),
    [("nowhere.h5", "nowhere.h5 is not a file"), ("wgan.h5", "a network of the system 'wgan'. Expected: 'n2a'")],
)
def test_a_start_that_is_none_is_refused_before_any_image_is_read(tmp_path, initial, message):
    checkpoints.save(Checkpoint(munet(1, 2, 0.05), "wgan", {}, {}), tmp_path / "wgan.h5")
    with pytest.raises(InputError, match=message):
        n2a.settle(Config(**{**SMALL, "initial": str(tmp_path / initial)}))


def test_no_path_of_the_users_is_stored():
    stored = Config(mask="/home/anna/mask.nii.gz", initial="/home/anna/start.h5").to_json()
    assert "anna" not in str(stored) and stored["initial"] == "start.h5"


def test_a_network_of_many_channels_needs_as_many_frames(affine, tmp_path):
    from keras_mri.networks.munet import munet_diffusion

    config = Config(**{**SMALL, "network": "munet_diffusion", "filters": 4, "noise_scale": None})
    checkpoints.save(checkpoint_for(munet_diffusion(3, 4), "n2a", config), tmp_path / "start.h5")
    config = Config(**{**SMALL, "filters": None, "initial": str(tmp_path / "start.h5")})
    with pytest.raises(InputError, match="sees 3 frames together. Received: repetitions of 2"):
        train(repetitions(affine, frames=2), config)


def test_the_example_shows_average_mask_and_what_was_removed(affine):
    panels = n2a.outcome(identity(), repetitions(affine), Config(**SMALL)).panels
    assert list(panels) == ["first repetition", "average of 2", "mask (given)", "removed × 5", "denoised"]
    assert {panel.shape for panel in panels.values()} == {SHAPE}


def test_frames_are_restored_one_by_one(affine):
    scan = repetitions(affine, frames=2)
    denoised = n2a.outcome(identity(), scan, Config(**SMALL)).files["_denoised.nii.gz"]
    assert denoised.shape == (*SHAPE, 2)
    np.testing.assert_allclose(denoised.data, scan.average, atol=1e-2)


def test_ctrl_c_keeps_the_best_network_so_far(eagerly, affine, caplog):
    class Interrupt(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    network = train(repetitions(affine), Config(epochs=50, steps_per_epoch=2, **SMALL), [Interrupt()])
    assert "interrupted: keeping the best network so far" in caplog.text
    assert all(np.isfinite(weight).all() for weight in network.get_weights())


def test_ctrl_c_between_two_iterations_is_remembered(eagerly, affine, tmp_path, monkeypatch):
    """So that the state of the training stays."""

    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(n2a, "_denoised", interrupted)
    state = TrainingState(tmp_path / "network.state", None, {})
    train(repetitions(affine), Config(epochs=1, steps_per_epoch=1, **{**SMALL, "iterations": 2}), [state])
    assert state.interrupted
