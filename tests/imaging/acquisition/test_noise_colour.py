"""The colour of noise: found in scans that were made with it, and undone without loss."""

import numpy as np
import pytest
from scipy import ndimage

from keras_mri.imaging import phantoms
from keras_mri.imaging.acquisition.acquired_band import acquired_band
from keras_mri.imaging.acquisition.noise_colour import Colour, coloured, noise_colour, whitened
from keras_mri.imaging.acquisition.scanner_noise import Scanner, add_scanner_noise

SHAPE = (64, 60, 48)


@pytest.fixture(scope="module")
def head():
    """A phantom of a head without edges as sharp as no scanner measures them, its maximum near 1; air around it."""
    data = phantoms.head(SHAPE, seed=3)[0]
    return (ndimage.gaussian_filter(data, 0.7) / data.max()).astype(np.float32)


def noisy(head, scanner, sigma=0.05):
    return add_scanner_noise(head, sigma, scanner, np.random.default_rng(0))[0]


@pytest.mark.parametrize("share", [0.5, 0.65, 0.75, 0.9])
def test_zero_filling_is_found_to_a_frequency(head, share):
    found = acquired_band(noisy(head, Scanner(matrix=(share, share, 1.0))))
    assert found[:2] == pytest.approx((share, share), abs=2.5 / 60) and found[2] == 1


@pytest.mark.parametrize("scanner", [Scanner(), Scanner(fwhm=(1.2, 1.2, 0.0)), Scanner(strongest=3.0), Scanner(magnitude=True)])
def test_other_noise_has_no_cliff(head, scanner):
    assert acquired_band(noisy(head, scanner)) == (1, 1, 1)


def test_a_scan_that_is_zero_filled_itself_is_found(head):
    colour = Colour((0.6, 1.0, 1.0))
    filled = coloured(whitened(noisy(head, Scanner()), colour), SHAPE)
    assert acquired_band(filled)[0] == pytest.approx(0.6, abs=2.5 / 64)


@pytest.mark.parametrize("data", [np.zeros(SHAPE, np.float32), np.ones(SHAPE, np.float32), np.ones((4, 5, 3), np.float32)])
def test_of_nothing_nothing_is_told(data):
    assert noise_colour(data).white


@pytest.mark.parametrize("colour", [Colour((0.65, 0.5, 1.0)), Colour((0.7, 1.0, 0.9)), Colour()])
def test_what_lies_in_the_band_goes_there_and_back_unchanged(colour):
    inside = np.random.default_rng(1).standard_normal(colour.measured_shape(SHAPE)).astype(np.float32)
    np.testing.assert_allclose(whitened(coloured(inside, SHAPE), colour), inside, atol=2e-5)


def test_a_plain_image_keeps_its_level():
    colour = Colour((0.5, 0.75, 1.0))
    plain = np.full(SHAPE, 0.7, np.float32)
    assert np.allclose(whitened(plain, colour), 0.7, atol=1e-5) and whitened(plain, colour).shape == (33, 45, 48)
    assert np.allclose(coloured(whitened(plain, colour), SHAPE), 0.7, atol=1e-5)


def test_coloured_noise_becomes_white():
    noise = add_scanner_noise(np.zeros(SHAPE, np.float32), 1.0, Scanner(matrix=(0.65, 0.5, 1.0)), np.random.default_rng(0))[0]
    white = whitened(noise, Colour((0.65, 0.5, 1.0)))
    for axis in range(2):
        before = np.mean(noise * np.roll(noise, 1, axis=axis)) / noise.var()
        after = np.mean(white * np.roll(white, 1, axis=axis)) / white.var()
        assert before > 0.3 and abs(after) < 0.05


def test_weak_noise_and_cliffs_of_anatomy_are_left_alone(head):
    assert noise_colour(noisy(head, Scanner(), sigma=0.004)).white
    assert noise_colour(noisy(head, Scanner(matrix=(0.5, 0.5, 1.0)), sigma=0.001)).white


@pytest.mark.parametrize("magnitude", [False, True])
@pytest.mark.parametrize("sigma", [0.01, 0.03])
def test_a_cliff_of_anatomy_is_not_one_of_noise_that_air_shows_to_be_white(head, sigma, magnitude):
    band = Colour((0.55, 0.55, 1.0))
    sharp = np.maximum(coloured(whitened(phantoms.head(SHAPE, seed=3)[0].astype(np.float32), band), SHAPE), 0)
    scan = noisy(sharp / sharp.max(), Scanner(magnitude=magnitude), sigma)
    # By its spectrum alone it is zero-filled.
    assert min(acquired_band(scan)) < 0.7 and noise_colour(scan).white


@pytest.mark.parametrize("magnitude", [False, True])
@pytest.mark.parametrize("share", [0.5, 0.65, 0.75])
def test_air_with_the_noise_of_zero_filling_lets_the_cliff_stand(head, share, magnitude):
    found = noise_colour(noisy(head, Scanner(matrix=(share, share, 1.0), magnitude=magnitude)))
    # A magnitude has some power beyond the cliff: it is found to two frequencies.
    assert found.share[:2] == pytest.approx((share, share), abs=3.5 / 60) and found.share[2] == 1
