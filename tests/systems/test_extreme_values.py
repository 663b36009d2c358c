"""Every system, given scans with values that no tissue has: by networks that spread whatever they see over its surroundings."""

import keras
import numpy as np
import pytest
from scipy import ndimage

from keras_mri.imaging import phantoms
from keras_mri.io.volumes import Volume
from keras_mri.systems.cnn import system as cnn
from keras_mri.systems.cnn.settings import PRESETS as OF_SLICES
from keras_mri.systems.cnn.settings import Config as SliceConfig
from keras_mri.systems.cnn.settings import PredictConfig as SliceOptions
from keras_mri.systems.ldm import system as ldm
from keras_mri.systems.ldm.settings import Config as LatentConfig
from keras_mri.systems.n2a import system as n2a
from keras_mri.systems.n2a.settings import Config as RepetitionConfig
from keras_mri.systems.n2a.settings import PredictConfig as RepetitionOptions
from keras_mri.systems.network_files import checkpoint_for
from keras_mri.systems.sr import system as sr
from keras_mri.systems.sr.settings import Config as FineConfig
from keras_mri.systems.sr.settings import PredictConfig as FineOptions
from keras_mri.systems.wgan import system as wgan
from keras_mri.systems.wgan.settings import Config, PredictConfig
from tests.systems.wgan.run_networks import FLOAT32, WIDEST, checkpoint_of, network_that_takes, volume_of

SHAPE, SIGMA = (19, 17, 14), 40
PLACES = (9, 8, 7), (5, 6, 7), (13, 10, 4), (9, 9, 7)
VALUES = 1e6, 32516, -32767, 5e4


@pytest.fixture(scope="module")
def head():
    """Tissue of about 1000 with noise, on a background of exact zeros."""
    clean = phantoms.head(SHAPE, seed=3)[0]
    return np.where(clean > 0, phantoms.noisy_volume(clean, SIGMA, seed=4, model="rician").data, 0).astype(np.float32)


def with_spikes(data, values=VALUES):
    spiked, where = data.copy(), np.zeros(data.shape, bool)
    for place, value in zip(PLACES, values):
        place = place if data.ndim == 3 else (*place, data.shape[3] // 2)
        spiked[place], where[place] = value, True
    return spiked, where


def blur(dimensions=3, frames=1):
    """A network that gives the mean of 3 voxels along each axis, and of all frames."""
    image = keras.Input((*[None] * dimensions, frames))
    kind = keras.layers.Conv3D if dimensions == 3 else keras.layers.Conv2D
    network = keras.Model(image, kind(1, 3, padding="same", name="residual")(image), name="blur")
    weights = np.full((*[3] * dimensions, frames, 1), 1 / (3**dimensions * frames))
    network.get_layer("residual").set_weights([weights, np.zeros(1)])
    return network


def volume(data, affine, name="scan.nii"):
    return data if isinstance(data, Volume) else Volume.from_array(data, affine, name=name)


def of_volumes(frames=1, **settings):
    options = PredictConfig(precision="float32", mirror="none")
    checkpoint = checkpoint_for(blur(frames=frames), "wgan", Config(**settings))
    return lambda data, affine: wgan.predict(checkpoint, [volume(data, affine)], options)


def of_slices(**settings):
    checkpoint = checkpoint_for(blur(2), "cnn", SliceConfig(**settings))
    return lambda data, affine: cnn.predict(checkpoint, [volume(data, affine)], SliceOptions(precision="float32", mirror="none"))


def of_fine_scans(**options):
    checkpoint = checkpoint_for(blur(), "sr", FineConfig(simulate=(2.0, 2.0, 1.0)))
    options = FineOptions(precision="float32", mirror="none", **options)
    return lambda data, affine: sr.predict(checkpoint, [volume(data, affine)], options)


def of_repetitions(**settings):
    checkpoint = checkpoint_for(blur(), "n2a", RepetitionConfig(initial="none", filters=2, **settings))

    def restore(data, affine):
        other = np.where(data == 0, 0, phantoms.noisy_volume(phantoms.head(SHAPE, seed=3)[0], SIGMA, seed=5).data)
        options = RepetitionOptions(precision="float32", mask=volume(phantoms.head(SHAPE, seed=3)[1], affine))
        return n2a.predict(checkpoint, [volume(data, affine), volume(other, affine, "2.nii")], options)

    return restore


OF_ONE = [
    of_volumes(),
    of_volumes(scaling="minmax"),
    of_slices(),
    of_slices(**{name: OF_SLICES["published"][name] for name in ("percentiles", "clip")}),
    of_fine_scans(),
]


@pytest.mark.parametrize("restore", OF_ONE, ids=["wgan", "wgan minmax", "cnn", "cnn published", "sr"])
def test_spikes_and_zeros_stay_and_no_other_voxel_knows_of_them(restore, head, affine):
    spiked, where = with_spikes(head)
    plain, result = restore(head, affine).data, restore(spiked, affine).data
    np.testing.assert_array_equal(result[where], spiked[where])
    np.testing.assert_array_equal(result[head == 0], 0)
    np.testing.assert_array_equal(plain[head == 0], 0)
    assert np.abs(result - plain)[~where].max() < 0.5 * SIGMA < np.abs(plain - head).max()


def test_windows_of_frames_too(head, affine, rng):
    run = np.where(head[..., None] > 0, head[..., None] + rng.normal(0, SIGMA, (*SHAPE, 5)), 0).astype(np.float32)
    spiked, where = with_spikes(run)
    plain, result = (of_volumes(3)(data, affine).data for data in (run, spiked))
    np.testing.assert_array_equal(result[where], spiked[where])
    np.testing.assert_array_equal(result[run == 0], 0)
    assert np.abs(result - plain)[~where].max() < 0.5 * SIGMA


def test_the_network_of_runs_too(head, rng):
    run = np.where(head[..., None] > 0, head[..., None] + rng.normal(0, SIGMA, (*SHAPE, 14)), 0).astype(np.float32)
    spiked, where = with_spikes(run)
    averaging = checkpoint_of(network_that_takes(WIDEST))
    plain, result = (wgan.predict(averaging, [volume_of(data)], FLOAT32).data for data in (run, spiked))
    np.testing.assert_array_equal(result[where], spiked[where])
    np.testing.assert_array_equal(result[run == 0], 0)
    assert np.abs(result - plain)[~where].max() < 0.5 * SIGMA


@pytest.mark.parametrize("settings", [{}, dict(scaling="zscore"), dict(restore="each")])
def test_the_average_of_repetitions_keeps_what_was_measured_and_others_know_nothing_of_it(head, affine, settings):
    spiked, where = with_spikes(head)
    restore = of_repetitions(**settings)
    plain, result = restore(head, affine), restore(spiked, affine)
    np.testing.assert_array_equal(result.data[where], result.source.data[where])
    np.testing.assert_allclose(2 * result.data[where], spiked[where], atol=2000)
    np.testing.assert_array_equal(result.data[head == 0], 0)
    assert np.abs(result.data - plain.data)[~where].max() < 0.5 * SIGMA


def test_a_finer_grid_shows_no_ringing_of_spikes(head, affine):
    spiked, where = with_spikes(head)
    plain, result = (of_fine_scans(upsample=(2, 2, 1))(data, affine).data for data in (head, spiked))
    fine = np.repeat(np.repeat(where, 2, axis=0), 2, axis=1)
    np.testing.assert_array_equal(result[fine], np.repeat(np.repeat(spiked, 2, axis=0), 2, axis=1)[fine])
    assert np.abs(result - plain)[~fine].max() < SIGMA
    empty = ndimage.minimum_filter(head == 0, 3, mode="nearest")
    np.testing.assert_array_equal(result[np.repeat(np.repeat(empty, 2, axis=0), 2, axis=1)], 0)


@pytest.mark.parametrize("restore", OF_ONE, ids=["wgan", "wgan minmax", "cnn", "cnn published", "sr"])
def test_a_pedestal_changes_nothing_but_the_level(restore, head, affine):
    """What lies 10 million higher is restored like what does not: as in air of noise, without negative values."""
    air = np.hypot(*np.random.default_rng(8).normal(0, SIGMA, (2, *SHAPE)))
    filled = np.where(head == 0, air, head).astype(np.float32)
    plain = restore(filled, affine).data
    high = Volume(lambda t: filled.astype(np.float64) + 1e7, SHAPE, affine, name="high.nii")
    result = restore(high, affine).data
    assert np.abs(result - 1e7 - plain).max() < 0.1 * SIGMA


@pytest.mark.parametrize("name", ["wgan", "n2a", "sr", "cnn", "ldm"])
def test_trainings_see_nothing_of_spikes_either(name, head, affine, monkeypatch):
    """The data that each training starts from, of a scan with spikes, is that of the scan without, but for some voxels within tissue."""
    spiked, where = with_spikes(head)
    plain, result = (_training_data(name, data, affine, monkeypatch) for data in (head, spiked))
    assert plain.shape == result.shape
    changed = np.abs(result - plain) > 0.02 * plain.max()
    assert changed.mean() < 0.02 and result.max() <= 1.1 * plain.max() and result.min() >= 1.1 * min(plain.min(), 0)


def _training_data(name, data, affine, monkeypatch):
    scan = volume(data, affine)
    if name == "wgan":
        seen = []
        monkeypatch.setattr("keras_mri.systems.wgan.data.denoising_data", lambda volumes, *_, **__: seen.extend(volumes) or 1 / 0)
        with pytest.raises(ZeroDivisionError):
            wgan.train([scan], Config(frames=1, patch_shape=(8, 8, 8)))
        return seen[0].data
    if name == "n2a":
        other = volume(phantoms.noisy_volume(phantoms.head(SHAPE, seed=3)[0], SIGMA, seed=5).data, affine)
        return n2a.prepare([scan, other], RepetitionConfig(initial="none", align=False)).data[0, ..., 0]
    if name == "sr":
        pair = sr.prepare([scan], FineConfig(simulate=(2.0, 2.0, 1.0))).training[0]
        return pair.z_scores()[0]
    if name == "cnn":
        return cnn.prepare([scan], SliceConfig(filters=(2, 3), depths=(1, 1))).clean
    return ldm.prepare([scan], LatentConfig()).runs[0]
