"""The training for thick slices: batches by their own matrices, the contract, and what it starts from."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from keras_mri.errors import InputError
from keras_mri.imaging import phantoms
from keras_mri.io.volumes import Volume
from keras_mri.networks.residual_unet import thick_slices_unet
from keras_mri.saving import checkpoints
from keras_mri.systems.network_files import checkpoint_for
from keras_mri.systems.sr import system as sr
from keras_mri.systems.sr.augmentation import with_thick_slices
from keras_mri.systems.sr.settings import Config, PredictConfig
from keras_mri.systems.sr.slice_data import slice_data
from keras_mri.systems.sr.slice_network import first_network
from keras_mri.systems.sr.stacks import drawn_stacks
from tests.systems.contract import check_contract, trained

SMALL = dict(thick_slices=(2.0, 4.0), patch_shape=(12, 12, 12), precision="float32")
TINY = dict(**SMALL, initial="none", filters=(2, 3), depths=(1, 1))
SHAPE = (22, 21, 20)


@pytest.fixture
def scans():
    return [Volume.from_array(phantoms.head(SHAPE, seed)[0], np.diag([1.0, 1.0, 1.0, 1.0]), name=f"sub-{seed}_T1w") for seed in range(3)]


def test_patches_are_measured_and_interpolated_along_their_last_axis(rng):
    stacks = drawn_stacks(8, (2.0, 4.0), rng)
    patch = rng.normal(size=(5, 6, 32, 1)).astype(np.float32)
    patches = tf.data.Dataset.from_tensors(patch).repeat(4)
    places = []
    for measured in with_thick_slices(patches, 7, stacks, 0.0):
        source, distance, target = np.moveaxis(measured.numpy(), -1, 0)
        np.testing.assert_array_equal(target, patch[:, :, 12:20, 0])
        fits = np.abs(np.einsum("xyj,kij->kxyi", patch[..., 0], stacks.blur) - source).max(axis=(1, 2, 3))
        places.append(fits.argmin())
        assert fits.min() < 1e-4
        np.testing.assert_allclose(distance, np.broadcast_to(stacks.distance[places[-1]], source.shape))
    assert len(set(places)) > 1


def test_the_noise_of_slices_is_as_strong_as_was_drawn(rng):
    stacks = drawn_stacks(8, (2.0, 4.0), rng)
    patches = tf.data.Dataset.from_tensors(np.zeros((24, 24, 32, 1), np.float32)).repeat(200)
    found = np.array([patch.numpy()[..., 0].std() for patch in with_thick_slices(patches, 7, stacks, 0.1)])
    # Uniform from 0 to 0.1, times what the spline leaves: a little less than 1.
    assert 0.03 < found.mean() < 0.055 and found.max() < 0.12 and found.min() < 0.01


def test_batches_have_two_channels_and_are_the_same_again(scans):
    config = Config(**TINY, batch_size=2)
    parts = sr.prepare(scans, config)
    first, second = (slice_data(parts, config, 2) for _ in range(2))
    assert first.patch_shape == (12, 12, 12)
    for (source, target), (again, _) in zip(first.training.take(2), second.training.take(2)):
        assert source.shape == (2, 12, 12, 12, 2) and target.shape == (2, 12, 12, 12, 1)
        np.testing.assert_array_equal(source, again)
        assert 0 < np.abs(source[..., 0] - target[..., 0]).mean() < 0.3 and -0.1 < target.numpy().min() and target.numpy().max() < 1.5
    assert [source.shape for source, _ in first.validation] == [(2, 12, 12, 12, 2)] * 12


@pytest.mark.parametrize("count", [1, 3])
def test_a_slab_is_held_out_of_few_scans(scans, count):
    config = Config(**{**TINY, "patch_shape": None}, batch_size=2)
    parts = sr.prepare(scans[:count], config)
    assert parts.slabs == (count < 3)
    batches = slice_data(parts, config, 2)
    assert all(np.isfinite(source).all() for source, _ in batches.validation)


def test_the_contract(tmp_path, write_nifti):
    paths = [write_nifti(phantoms.head(SHAPE, seed)[0], f"sub-{seed}_T1w.nii.gz", np.diag([-1.0, 1.0, 1.0, 1.0])) for seed in range(3)]
    # Voxels of 1 mm are fine enough: predicted as they are.
    checkpoint, restored = check_contract("sr", paths, tmp_path, **TINY)
    assert checkpoint.inference["slices"] == {"voxel": [1.0, 1.0], "spacing": [2.0, 4.0]}
    np.testing.assert_array_equal(restored.data, restored.source.data)
    assert sr.predict(checkpoint, [paths[0]], PredictConfig(voxel=0.5)).shape == (44, 42, 40)


def test_the_picture_and_the_split_of_a_training(scans):
    config = sr.settle(Config(**TINY))
    made = sr.outcome(checkpoint_for(thick_slices_unet((2, 3), (1, 1), 0.2), "sr", config), sr.prepare(scans, config), config)
    assert list(made.panels) == ["slices (test)", "restored", "target"] and "_split.tsv" in made.files


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """A network of thick slices where the pre-trained ones are."""
    monkeypatch.setattr("keras_mri.saving.pretrained.FOLDERS", [tmp_path])
    network = thick_slices_unet((2, 3), (1, 1), 0.2)
    network.get_layer("residual").set_weights([np.full((1, 1, 1, 2, 1), 0.1), np.zeros(1)])
    checkpoints.save(checkpoint_for(network, "sr", Config(**TINY)), tmp_path / "sr_any.h5")
    return network


def test_training_starts_from_the_pre_trained_network(shipped, tmp_path):
    for initial in (None, "pretrained", str(tmp_path / "sr_any.h5")):
        started = first_network(Config(**SMALL, initial=initial))
        for weight, expected in zip(started.get_weights(), shipped.get_weights(), strict=True):
            np.testing.assert_array_equal(weight, expected)
    assert first_network(Config(**TINY)) is None
    # Other layers were asked for, and nobody named a network.
    assert first_network(Config(**SMALL, filters=(2, 3), depths=(1, 1))) is None


def test_a_training_goes_on_from_where_it_starts(shipped, scans, eagerly):
    config = Config(**SMALL, epochs=1, steps_per_epoch=1, learning_rate=1e-9)
    network = trained(sr.SYSTEM, scans, config)
    for weight, expected in zip(network.get_weights(), shipped.get_weights(), strict=True):
        np.testing.assert_allclose(weight, expected, atol=1e-6)


def test_an_initial_network_that_does_not_fit_is_an_error(shipped, tmp_path, monkeypatch):
    with pytest.raises(InputError, match="has its own layers. Received: `initial` with other `filters` or `depths`"):
        first_network(Config(**SMALL, initial="pretrained", filters=(2, 3), depths=(1, 1)))
    of_pairs = dataclasses.replace(checkpoint_for(shipped, "sr", Config()), inference={"scaling": "mask", "simulate": None, "tile": None})
    checkpoints.save(of_pairs, tmp_path / "pairs.h5")
    with pytest.raises(InputError, match="pairs.h5 holds a network of pairs of scans. Expected one of thick slices"):
        first_network(Config(**SMALL, initial=str(tmp_path / "pairs.h5")))
    monkeypatch.setattr("keras_mri.saving.pretrained.FOLDERS", [tmp_path / "empty"])
    assert first_network(Config(**SMALL)) is None
    with pytest.raises(InputError, match="sr_any.h5 was not found"):
        first_network(Config(**SMALL, initial="pretrained"))


def test_runs_and_coarse_scans_are_refused(scans):
    run = Volume.from_array(np.stack([scans[0].frame(0)] * 2, axis=-1), scans[0].affine, name="run")
    with pytest.raises(InputError, match="pairs are 3D volumes. Received: run"):
        sr.prepare([run], Config(**TINY))
    coarse = Volume.from_array(scans[0].frame(0), np.diag([3.0, 3.0, 3.0, 1.0]), name="coarse")
    with pytest.raises(InputError, match="`thick_slices` 2 4 needs scans with voxels of 1.8 mm or less. Received: coarse"):
        trained(sr.SYSTEM, [coarse], Config(**TINY))


@pytest.mark.slow
def test_training_sharpens_slices_of_a_head_it_has_not_seen():
    from keras_mri.imaging.acquisition.slice_profiles import profile_matrix
    from keras_mri.imaging.metrics import psnr

    affine = np.diag([1.0, 1.0, 1.0, 1.0])
    scans = [Volume.from_array(phantoms.head((40, 36, 32), seed)[0], affine, name=f"sub-{seed}") for seed in range(3)]
    config = Config(
        thick_slices=(2.0, 4.0), initial="none", filters=(16, 32), depths=(1, 2), patch_shape=(16, 16, 16), epochs=10, steps_per_epoch=60,
        noise=0.0, precision="float32",
    )  # fmt: skip
    network = trained(sr.SYSTEM, scans, config)
    unseen, brain = phantoms.head((40, 36, 33), seed=9)
    thick = Volume.from_array(
        (unseen @ profile_matrix(33, 11, 1.0, 3.0, 3.0, "gaussian").T).astype(np.float32), np.diag([1.0, 1.0, 3.0, 1.0])
    )
    plain = checkpoint_for(thick_slices_unet((2, 3), (1, 1), 0.2), "sr", config)
    cubic, fine = (sr.predict(made, [thick], PredictConfig()).frame(0) for made in (plain, checkpoint_for(network, "sr", config)))
    assert psnr(unseen, fine, brain) > psnr(unseen, cubic, brain) + 1
