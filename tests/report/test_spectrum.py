"""Radial power against noise whose power is known and a wave whose frequency is."""

import numpy as np
import pytest

from keras_mri.report.spectrum import radial_power


@pytest.mark.parametrize("shape", [(40, 36, 33), (37, 42, 1)])
def test_white_noise_has_its_variance_at_every_frequency(rng, shape):
    noise = np.mean([radial_power(rng.normal(50, 3, shape).astype(np.float32), (2.0, 2.0, 2.0))[1] for _ in range(12)], axis=0)
    # From the fourth bin on enough coefficients are averaged; the mean of 50 leaves no trace.
    np.testing.assert_allclose(noise[3:], 9, rtol=0.35)
    assert noise.mean() == pytest.approx(9, rel=0.06)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_wave_shows_at_its_frequency_in_cycles_per_millimetre(axis):
    shape, zooms = (32, 36, 28), (2.0, 1.5, 2.5)
    places = np.arange(shape[axis]) * zooms[axis]
    wave = np.cos(2 * np.pi * 0.125 * places).reshape([-1 if a == axis else 1 for a in range(3)])
    frequencies, power = radial_power(np.broadcast_to(wave, shape).astype(np.float32), zooms)
    assert frequencies[np.argmax(power)] == pytest.approx(0.125, abs=1 / 70)
    assert power.max() > 100 * np.median(power)


def test_frequencies_reach_from_one_cycle_in_the_field_of_view_to_half_a_cycle_in_a_voxel(rng):
    frequencies, _ = radial_power(rng.random((32, 20, 10), dtype=np.float32), (2.0, 1.0, 4.0))
    assert (frequencies[0], frequencies[-1]) == pytest.approx((1 / 64, 0.5))
    assert (np.diff(frequencies) > 0).all()


def test_half_of_the_last_axis_counts_for_both_halves(rng):
    data = rng.random((6, 8, 10), dtype=np.float32)
    for turned in (data.transpose(2, 0, 1), data.transpose(1, 2, 0)):
        np.testing.assert_allclose(radial_power(turned, (1, 1, 1))[1], radial_power(data, (1, 1, 1))[1], rtol=1e-4)
