import numpy as np
import pytest

from keras_mri.imaging.painted.epi import EchoPlanar, beneath_coil, dephased, displaced, draw_echo_planar, drawn_epi, field_map

GRADIENT = EchoPlanar(echo_time=0.03, readout=0.03)


def ball(side=48, radius=12):
    centre = (side - 1) / 2
    return np.linalg.norm(np.indices((side,) * 3) - centre, axis=0), centre, radius


def test_the_field_around_a_ball_is_that_of_a_dipole_and_uniform_inside():
    """In closed form: χ/3 · R³ (2z² - x² - y²) / r⁵ outside, nothing but a constant inside."""
    distance, centre, radius = ball()
    field = field_map(distance < radius, field=3.0)
    strength = 42.577e6 * 3.0 * -9.4e-6 / 3
    along, across = (int(centre) + 18, int(centre) + 18)
    # Shimmed: what a constant inside would be is gone.
    r = along - centre
    expected = strength * radius**3 * 2 / r**3
    middle = int(round(centre))
    assert field[middle, middle, along] == pytest.approx(expected, rel=0.1)
    assert field[across, middle, middle] == pytest.approx(-expected / 2, rel=0.15)
    assert np.abs(field[distance < radius - 3]).max() < 0.1 * abs(strength)


def test_a_gradient_echo_loses_what_a_line_of_spins_loses_and_a_spin_echo_nothing():
    field = np.zeros((4, 4, 9), np.float32) + 5 * np.arange(9, dtype=np.float32)
    image = np.ones_like(field)
    lost = dephased(image, field, GRADIENT, (1.0, 1.0, 2.0))
    np.testing.assert_allclose(lost, abs(np.sinc(0.03 * 2 * 5)), rtol=1e-5)
    np.testing.assert_array_equal(dephased(image, field, EchoPlanar(0.0, 0.03), (1, 1, 2)), image)


def test_displacement_moves_signal_and_loses_none(rng):
    image = np.zeros((3, 20, 4), np.float32)
    image[:, 6:12] = rng.random((3, 6, 4)).astype(np.float32)
    moved = displaced(image, np.full(image.shape, 3.0, np.float32))
    # Half voxels are in use: each spreads over its neighbours by a quarter.
    np.testing.assert_allclose(moved.sum(axis=1), image.sum(axis=1), rtol=1e-5)
    centre = (moved * np.arange(20)[:, None]).sum(axis=1) / moved.sum(axis=1)
    before = (image * np.arange(20)[:, None]).sum(axis=1) / image.sum(axis=1)
    np.testing.assert_allclose(centre - before, 3, atol=1e-4)
    # Compressed to half, signal is twice as bright.
    squeezed = displaced(np.ones((1, 40, 1), np.float32), (-0.5 * (np.arange(40, dtype=np.float32) - 20))[None, :, None])
    np.testing.assert_allclose(squeezed[0, 14:26, 0], 2, rtol=0.02)


def test_the_coil_is_brightest_at_the_surface():
    distance, _, radius = ball()
    gain = beneath_coil(distance < radius, 0.5, 1.0)
    assert gain[distance < 1].mean() < gain[(distance > radius - 2) & (distance < radius - 1)].mean() <= 1.5
    np.testing.assert_allclose(gain[distance >= radius], 1.5)


def test_draws_are_functions_of_the_generator_and_have_the_voxels_asked_for():
    distance, _, radius = ball(32, 10)
    labels = np.select([distance < 4, distance < 8, distance < radius], [4, 2, 511], 0)
    first, again = (drawn_epi(labels, 2.0, (4.0, 4.0, 2.0), np.random.default_rng(3))[0] for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert first.shape == (16, 16, 32) and first.min() >= 0 and 0.3 < first.max() < 5
    assert draw_echo_planar(np.random.default_rng(0), spin_echo=True).echo_time == 0
    assert 0.02 <= draw_echo_planar(np.random.default_rng(0)).echo_time <= 0.04
