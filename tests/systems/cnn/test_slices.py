"""Slices: which, where, how scaled, how noisy, and which of them validate."""

import dataclasses

import numpy as np
import pytest

from keras_mri.errors import InputError
from keras_mri.imaging.intensity import fit_image_scaling
from keras_mri.io.volumes import Volume
from keras_mri.systems.cnn.settings import PRESETS, Config
from keras_mri.systems.cnn.slices import Cut, Slices, cut_slices, fitting_slices, split_slices, with_noise

PUBLISHED = Config(**PRESETS["published"])


def numbered_run(shape, affine):
    """A run whose intensity says where it is: 1 + x + 100 y + 10,000 z + 1,000,000 t, exactly representable."""
    x, y, z, t = np.indices(shape)
    return Volume.from_array(1 + x + 100 * y + 10_000 * z + 1_000_000 * t, affine)


def place(intensity):
    """The inverse: (x, y, z, t)."""
    number = np.rint(intensity).astype(int) - 1
    return number % 100, number // 100 % 100, number // 10_000 % 100, number // 1_000_000


def cut_of(volumes, config, factor):
    """The slices that the options ask for."""
    cut = Cut(config.axis, config.slices, config.time_points, config.percentiles)
    return cut_slices(volumes, cut, factor, config.noise_range, config.seed)


def noisy_of(slices, rows, config):
    return with_noise(slices, rows, config.noise, config.seed, config.clip)


def split_of(slices, config):
    return split_slices(slices, config.split, config.seed)


def intensities(slices, volume, config):
    return fit_image_scaling(volume, config.percentiles or "percentile").invert(slices.clean.astype(np.float64))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_each_slice_is_where_its_place_says(affine, axis):
    volume = numbered_run((8, 6, 10, 3), affine)
    config = Config(axis=axis, slices=4, time_points=2)
    slices = cut_of([volume], config, 2)
    assert len(slices) == 8 and slices.clean.dtype == np.float32
    found = np.array(place(intensities(slices, volume, config)))
    # The number of the slice and the frame, at every pixel; scaling in float32 errs by less than half a number here.
    np.testing.assert_array_equal(found[axis], np.broadcast_to(slices.places[:, 1, None, None], found[axis].shape))
    np.testing.assert_array_equal(found[3], np.broadcast_to(slices.places[:, 2, None, None], found[3].shape))
    first = (volume.shape[axis] - 4) // 2
    np.testing.assert_array_equal(np.unique(slices.places[:, 1]), np.arange(first, first + 4))


def test_the_published_data_are_the_ten_central_slices_of_the_first_hundred_frames(affine, rng):
    data = rng.random((8, 8, 30, 110)).astype(np.float32)
    volume = Volume.from_array(data, affine)
    slices = cut_of([volume], PUBLISHED, 2)
    assert slices.clean.shape == (1000, 8, 8)
    assert set(slices.places[:, 1]) == set(range(10, 20)) and set(slices.places[:, 2]) == set(range(100))
    # By hand, from the definition; the percentiles are those of frames spread over the run.
    low, high = np.percentile(volume.sample_frames(16), (1, 99))
    row = 37 * 10 + 4
    np.testing.assert_allclose(slices.clean[row], np.clip((data[:, :, 14, 37] - low) / (high - low), 0, 1), atol=1e-6)
    assert slices.clean.min() == 0 and slices.clean.max() == 1
    np.testing.assert_allclose(slices.sigma, 0.06, rtol=1e-6)


def test_the_published_noise_has_its_sd_and_is_clipped(affine):
    clean = np.full((400, 16, 16), 0.5, np.float32)
    slices = Slices(clean, np.full(400, 0.06, np.float32))
    noisy = noisy_of(slices, range(400), PUBLISHED)
    assert (noisy - clean).std() == pytest.approx(0.06, rel=0.01) and abs((noisy - clean).mean()) < 1e-3
    dark = noisy_of(dataclasses.replace(slices, clean=np.zeros_like(clean)), range(400), PUBLISHED)
    # Half of a normal variable, the rest at 0: mean σ / sqrt(2π).
    assert dark.min() == 0 and dark.mean() == pytest.approx(0.06 / np.sqrt(2 * np.pi), rel=0.02)


def test_by_itself_nothing_is_clipped_and_air_is_left_out(affine):
    data = np.zeros((12, 12, 9), np.float32)
    data[3:9, 3:9, 2:7] = np.random.default_rng(0).uniform(0.5, 1.0, (6, 6, 5))
    data[5, 5, 4] = 50
    slices = cut_of([Volume.from_array(data, affine)], Config(), 2)
    assert sorted(set(slices.places[:, 1])) == [2, 3, 4, 5, 6]
    assert slices.clean.max() > 1.1


def test_the_noise_of_a_slice_is_the_same_whenever_it_is_drawn(affine):
    slices = cut_of([numbered_run((8, 6, 10, 3), affine)], Config(slices=4), 2)
    together = noisy_of(slices, range(len(slices)), Config())
    np.testing.assert_array_equal(noisy_of(slices, [7, 2], Config()), together[[7, 2]])
    assert not np.array_equal(noisy_of(slices, [7], Config(seed=1))[0], together[7])
    levels = np.std(together - slices.clean, axis=(1, 2))
    assert np.corrcoef(levels, slices.sigma)[0, 1] > 0.9
    # Evenly over 0 … 0.2: the middles of equal parts.
    np.testing.assert_allclose(np.sort(slices.sigma), 0.2 * (np.arange(len(slices)) + 0.5) / len(slices), rtol=1e-5)


def test_rician_noise_raises_the_dark(affine):
    slices = Slices(np.zeros((50, 16, 16), np.float32), np.full(50, 0.1, np.float32))
    noisy = noisy_of(slices, range(50), Config(noise="rician"))
    # Rayleigh: mean σ sqrt(π / 2).
    assert noisy.min() >= 0 and noisy.mean() == pytest.approx(0.1 * np.sqrt(np.pi / 2), rel=0.02)


def test_scans_of_two_sizes_give_their_middles(affine):
    volumes = [numbered_run((11, 8, 6, 1), affine), numbered_run((8, 9, 6, 1), affine)]
    slices = cut_of(volumes, Config(slices=2), 2)
    assert slices.clean.shape == (4, 8, 8)
    x, y, *_ = place(intensities(slices, volumes[0], Config()))
    assert (x[0].min(), x[0].max(), y[0].min(), y[0].max()) == (1, 8, 0, 7)


@pytest.mark.parametrize(("positions", "held_out", "unused"), [(10, [6, 7], [5, 8]), (5, [3], [2, 4]), (2, [1], []), (3, [2], [])])
def test_the_slices_that_validate_show_anatomy_that_never_trained(positions, held_out, unused):
    places = np.array([(scan, 4 + position, t) for scan in range(2) for t in range(3) for position in range(positions)])
    slices = Slices(np.zeros((len(places), 2, 2), np.float32), np.zeros(len(places)), places=places)
    training, validation = split_of(slices, Config())
    assert set(places[validation, 1] - 4) == set(held_out)
    assert set(places[training, 1] - 4) == set(range(positions)) - set(held_out) - set(unused)
    # All scans and time points of these positions, and nothing twice.
    assert len(validation) == 6 * len(held_out) and not set(training) & set(validation)


def test_the_published_split_is_a_random_fifth():
    places = np.array([(0, position, t) for t in range(10) for position in range(5)])
    slices = Slices(np.zeros((50, 2, 2), np.float32), np.zeros(50), places=places)
    training, validation = split_of(slices, PUBLISHED)
    assert sorted([*training, *validation]) == list(range(50)) and len(validation) == 10
    assert not np.array_equal(validation, split_of(slices, dataclasses.replace(PUBLISHED, seed=1))[1])


def test_of_a_data_set_from_elsewhere_the_last_fifth_validates_and_that_is_said(caplog):
    slices = Slices(np.zeros((10, 2, 2), np.float32), np.zeros(10))
    training, validation = split_of(slices, Config())
    assert list(validation) == [8, 9] and list(training) == list(range(8))
    assert "may show anatomy that trains" in caplog.text


@pytest.mark.parametrize("places", [None, np.array([(0, 3, 0), (0, 3, 1)])])
def test_too_few_slices_to_hold_any_out(places):
    slices = Slices(np.zeros((2, 4, 4), np.float32), np.zeros(2), places=places)
    with pytest.raises(InputError, match="at least two positions, or five slices. Received: 2 slice"):
        split_of(slices, Config())


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (Config(slices=11), "`slices` must not exceed the 10 slices of image along axis 2. Received: 11."),
        (Config(axis=0, filters=(1, 2, 3, 4), depths=(1, 1, 1, 1)), "at least 8 × 8 pixels. Received: 6 × 10"),
    ],
)
def test_scans_that_are_too_small_are_refused(affine, config, message):
    with pytest.raises(InputError, match=message):
        cut_of([numbered_run((8, 6, 10, 3), affine)], config, 2 ** (len(config.filters) - 1))


def test_slices_are_cut_to_what_a_network_can_halve(rng):
    clean = rng.random((3, 9, 7)).astype(np.float32)
    slices = fitting_slices(Slices(clean, np.zeros(3), 2 * clean), 4)
    np.testing.assert_array_equal(slices.clean, clean[:, :8, 1:5])
    np.testing.assert_array_equal(slices.noisy, 2 * clean[:, :8, 1:5])
