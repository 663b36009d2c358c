"""Batches of slices: shapes, pairs that belong together, fresh or fixed noise."""

import numpy as np
import pytest

from keras_mri.systems.cnn.data import slice_data
from keras_mri.systems.cnn.settings import PRESETS, Config
from keras_mri.systems.cnn.slices import Slices
from tests.systems.cnn.test_slices import noisy_of

PUBLISHED = Config(**{**PRESETS["published"], "batch_size": 4})


@pytest.fixture
def slices(rng):
    places = np.array([(0, position, t) for t in range(4) for position in range(10)])
    # Each slice is told by its mean: 0.01 · row, with a pattern that flips change.
    pattern = np.linspace(-1, 1, 48).reshape(8, 6) * 0.002
    clean = (0.2 + 0.01 * np.arange(40)[:, None, None] + pattern).astype(np.float32)
    return Slices(clean, np.full(40, 0.05, np.float32), None, places)


def rows_of(batch):
    return np.rint((batch.mean(axis=(1, 2, 3)) - 0.2) / 0.01).astype(int)


def batches(dataset, count):
    return [(noisy, clean) for (noisy, clean), _ in zip(dataset.as_numpy_iterator(), range(count))]


def test_fixed_noise_pairs_every_slice_with_its_own_draw(slices):
    data, held_out = slice_data(slices, PUBLISHED)
    # 32 of 40 train, in batches of 4.
    assert data.steps == 8 and len(held_out) == 8
    seen = []
    for noisy, clean in batches(data.training, 8):
        assert noisy.shape == clean.shape == (4, 8, 6, 1)
        rows = rows_of(clean)
        np.testing.assert_allclose(noisy[..., 0], noisy_of(slices, rows, PUBLISHED), atol=1e-6)
        seen += list(rows)
    assert sorted([*seen, *held_out]) == list(range(40))


def test_passes_differ_in_order(slices):
    rows = [list(rows_of(clean)) for _, clean in batches(slice_data(slices, PUBLISHED)[0].training, 16)]
    assert rows[:8] != rows[8:] and sorted(sum(rows[:8], [])) == sorted(sum(rows[8:], []))


def test_fresh_noise_is_new_in_every_pass_and_the_same_for_one_seed(slices):
    config = Config(batch_size=4, noise_range=(0.05, 0.05), flips=False)
    first, again = (batches(slice_data(slices, config)[0].training, 12) for _ in range(2))
    for (noisy, clean), (noisy_again, _) in zip(first, again):
        np.testing.assert_array_equal(noisy, noisy_again)
        assert noisy.shape == clean.shape == (4, 8, 6, 1)
        np.testing.assert_allclose(clean[..., 0], slices.clean[rows_of(clean)], atol=1e-6)
    noise = np.concatenate([noisy - clean for noisy, clean in first])
    assert noise.std() == pytest.approx(0.05, rel=0.05)
    rows = np.concatenate([rows_of(clean) for _, clean in first])
    twice = next(row for row in rows if (rows == row).sum() > 1)
    one, other = noise[rows == twice][:2]
    assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.5


def test_flips_mirror_input_and_target_together(slices):
    config = Config(batch_size=4, noise_range=(0.0, 0.0), flips=True)
    orders = set()
    for noisy, clean in batches(slice_data(slices, config)[0].training, 20):
        np.testing.assert_allclose(noisy, clean, atol=1e-6)
        for row, image in zip(rows_of(clean), clean[..., 0]):
            ways = {(a, b): slices.clean[row][::a, ::b] for a in (1, -1) for b in (1, -1)}
            matching = [way for way, wanted in ways.items() if np.allclose(image, wanted, atol=1e-6)]
            assert len(matching) == 1
            orders.update(matching)
    assert len(orders) == 4


def test_validation_is_fixed_and_complete(slices):
    data, _ = slice_data(slices, Config(batch_size=3))
    first, second = (np.concatenate([noisy for noisy, _ in data.validation.as_numpy_iterator()]) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    # A fifth of ten positions at four time points.
    assert first.shape == (8, 8, 6, 1)


def test_clipped_noise_stays_between_0_and_1(slices):
    config = Config(batch_size=4, noise_range=(0.5, 0.5), clip=True)
    noisy, clean = batches(slice_data(slices, config)[0].training, 1)[0]
    assert noisy.min() == 0 and noisy.max() == 1 and clean.min() > 0.1


def test_rician_noise_raises_the_dark(slices):
    dark = Slices(np.zeros((40, 8, 6), np.float32), slices.sigma, None, slices.places)
    data, _ = slice_data(dark, Config(batch_size=20, noise="rician", noise_range=(0.1, 0.1)))
    noisy = np.concatenate([noisy for noisy, _ in batches(data.training, 20)])
    # Rayleigh: mean σ sqrt(π / 2).
    assert noisy.mean() == pytest.approx(0.1 * np.sqrt(np.pi / 2), rel=0.02)
