"""Filters of k-space: their shapes, and noise through them against the closed form of its variance and autocorrelation."""

import numpy as np
import pytest

from keras_mri.errors import InputError
from keras_mri.imaging.acquisition import kspace_filters as filters

SIDE = 64


def test_zero_filling_keeps_the_acquired_share():
    weights = filters.zero_filling(SIDE, 0.5)
    assert np.array_equal(np.fft.fftfreq(SIDE)[weights > 0], [f for f in np.fft.fftfreq(SIDE) if abs(f) <= 0.25])
    assert (filters.zero_filling(SIDE, 1.0) == 1).all()


def test_partial_fourier_keeps_one_side_and_tapers_the_other():
    weights = filters.partial_fourier(SIDE, 0.75, taper=0.1)
    frequency = np.fft.fftfreq(SIDE)
    assert (weights[frequency > -0.2] == 1).all() and (weights[frequency < -0.3] == 0).all()
    assert weights[frequency == -0.25] == pytest.approx(0.5)
    assert weights.mean() == pytest.approx(0.75, abs=1 / SIDE)
    assert (filters.partial_fourier(SIDE, 1) == 1).all()


def test_apodisation_is_a_gaussian_of_the_width_that_is_asked_for():
    kernel = np.fft.ifft(filters.gaussian_apodisation(SIDE, 3.0)).real
    # Half of the maximum lies 1.5 voxels away: between the first and second neighbour, by its own form.
    assert kernel[1] / kernel[0] == pytest.approx(0.5 ** ((1 / 1.5) ** 2), rel=1e-3)
    assert kernel[3] / kernel[0] == pytest.approx(0.5**4, rel=1e-2)
    assert (filters.gaussian_apodisation(SIDE, 0) == 1).all()


def test_hanning_falls_from_one_to_its_least():
    weights = filters.hanning(SIDE, least=0.2)
    assert weights[0] == 1 and weights[SIDE // 2] == pytest.approx(0.2)
    assert weights[SIDE // 4] == pytest.approx(0.6)
    assert filters.hanning(SIDE, 0.2, share=0.5)[SIDE // 4] == pytest.approx(0.2)


@pytest.mark.parametrize("share", [0.0, -0.1, 1.2])
def test_a_share_beyond_the_matrix_is_refused(share):
    with pytest.raises(InputError, match="acquired part"):
        filters.zero_filling(SIDE, share)
    with pytest.raises(InputError, match="acquired part"):
        filters.partial_fourier(SIDE, share)


def test_autocorrelation_of_zero_filling_is_the_kernel_of_a_box():
    weights = filters.zero_filling(SIDE, 0.5)
    kept, distance = int(weights.sum()), np.arange(1, SIDE)
    box = np.sin(np.pi * kept * distance / SIDE) / (kept * np.sin(np.pi * distance / SIDE))
    assert filters.autocorrelation(weights)[0] == 1
    assert np.allclose(filters.autocorrelation(weights)[1:].real, box, atol=1e-9)


@pytest.mark.parametrize(
    "weights",
    [filters.zero_filling(SIDE, 0.6), filters.partial_fourier(SIDE, 0.7), filters.gaussian_apodisation(SIDE, 1.6), filters.hanning(SIDE)],
)
def test_filtered_noise_keeps_its_variance_and_has_the_colour_of_its_filter(weights):
    noise = filters.coloured_noise((SIDE, 60, 60), [weights, None, None], np.random.default_rng(0))
    # 3600 rows: a mean square of this many numbers, of which a third are independent, scatters by less than 1 %.
    assert noise.real.var() == pytest.approx(1, rel=0.02) and noise.imag.var() == pytest.approx(1, rel=0.02)
    expected = filters.autocorrelation(weights)
    for distance in (1, 2, 3, 7):
        found = np.mean(noise * np.conj(np.roll(noise, distance, axis=0))) / 2
        assert found == pytest.approx(np.conj(expected[distance]), abs=0.015) or found == pytest.approx(expected[distance], abs=0.015)
    assert abs(np.mean(noise * np.conj(np.roll(noise, 1, axis=1)))) / 2 < 0.015
    spectrum = np.mean(np.abs(np.fft.fft(noise, axis=0, norm="ortho")) ** 2, axis=(1, 2)) / 2
    assert np.allclose(spectrum, weights**2 / np.mean(weights**2), rtol=0.08, atol=0.01)


def test_a_seed_draws_the_same_noise():
    draws = [filters.coloured_noise((8, 9, 10), [None] * 3, np.random.default_rng(seed)) for seed in (3, 3, 4)]
    assert np.array_equal(draws[0], draws[1]) and not np.array_equal(draws[0], draws[2])
    assert draws[0].dtype == np.complex64
