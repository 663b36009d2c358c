"""Noise as scanners write it against closed forms: variance, colour, the moments of Rician and chi-distributed magnitudes."""

import dataclasses

import numpy as np
import pytest
from scipy import special

from keras_mri.imaging.acquisition.kspace_filters import autocorrelation
from keras_mri.imaging.acquisition.scanner_noise import Scanner, add_scanner_noise, draw_scanner

SHAPE, SIGMA = (48, 48, 48), 0.07


def noisy(level, scanner, seed=0):
    """Return noise on an image of one level."""
    return add_scanner_noise(np.full(SHAPE, level, np.float32), SIGMA, scanner, np.random.default_rng(seed))


@pytest.mark.parametrize(
    "scanner",
    [
        Scanner(),
        Scanner(matrix=(0.6, 0.75, 1.0)),
        Scanner(fourier=(1.0, 0.75, 1.0), fwhm=(1.2, 1.2, 0.0)),
        Scanner(matrix=(0.7, 0.7, 0.7), hanning=True),
    ],
)
def test_the_real_part_keeps_mean_and_sd_whatever_the_filters(scanner):
    image, sd = noisy(0.5, scanner)
    assert image.dtype == np.float32 and (sd == np.float32(SIGMA)).all()
    assert image.mean() == pytest.approx(0.5, abs=0.002) and image.std() == pytest.approx(SIGMA, rel=0.03)


def test_neighbours_share_what_the_filters_say():
    scanner = Scanner(matrix=(0.6, 1.0, 1.0), fwhm=(0.0, 1.3, 0.0))
    noise = noisy(0.0, scanner)[0] / SIGMA
    for axis, weights in enumerate(scanner.filters(SHAPE)):
        expected = 0.0 if weights is None else autocorrelation(weights)[1].real
        assert np.mean(noise * np.roll(noise, 1, axis=axis)) == pytest.approx(expected, abs=0.02)


def test_uneven_noise_has_the_sd_of_its_map():
    image, sd = noisy(0.0, Scanner(strongest=4.0))
    assert sd.mean() == pytest.approx(SIGMA, rel=1e-4) and sd.max() / sd.min() > 2
    strong, weak = sd > np.quantile(sd, 0.9), sd < np.quantile(sd, 0.1)
    assert (image[strong] / sd[strong]).std() == pytest.approx(1, rel=0.03)
    assert (image[weak] / sd[weak]).std() == pytest.approx(1, rel=0.03)


@pytest.mark.parametrize("snr", [0.0, 0.5, 1.0, 3.0])
def test_a_magnitude_of_one_coil_has_the_moments_of_rice(snr):
    image, _ = noisy(snr * SIGMA, Scanner(magnitude=True))
    # E M = σ √(π/2) L½(-A²/2σ²); E M² = A² + 2σ².
    x = -(snr**2) / 2
    laguerre = np.exp(x / 2) * ((1 - x) * special.ive(0, -x / 2) * np.exp(-x / 2) - x * special.ive(1, -x / 2) * np.exp(-x / 2))
    assert image.mean() == pytest.approx(SIGMA * np.sqrt(np.pi / 2) * laguerre, rel=0.006)
    assert np.mean(image**2) == pytest.approx(SIGMA**2 * (snr**2 + 2), rel=0.01)


@pytest.mark.parametrize("coils", [2, 4, 8])
def test_a_magnitude_of_several_coils_is_chi_distributed_in_air(coils):
    image, _ = noisy(0.0, Scanner(magnitude=True, coils=coils))
    mean = np.sqrt(2) * np.exp(special.gammaln(coils + 0.5) - special.gammaln(coils))
    assert image.mean() == pytest.approx(SIGMA * mean, rel=0.005)
    assert np.mean(image**2) == pytest.approx(2 * coils * SIGMA**2, rel=0.01)


@pytest.mark.parametrize("coils", [1, 4])
def test_bright_tissue_has_the_same_noise_with_any_number_of_coils(coils):
    image, _ = noisy(40 * SIGMA, Scanner(magnitude=True, coils=coils))
    assert image.std() == pytest.approx(SIGMA, rel=0.02)


def test_draws_differ_and_stay_within_what_scanners_do():
    rng = np.random.default_rng(0)
    drawn = [draw_scanner(rng) for _ in range(300)]
    assert all(0.5 <= share <= 1 for scanner in drawn for share in (*scanner.matrix, *scanner.fourier))
    assert all(0 <= width < 2.2 for scanner in drawn for width in scanner.fwhm)
    assert all(1 <= scanner.strongest <= 4 and 1 <= scanner.coils <= 8 for scanner in drawn)
    assert all(scanner.coils == 1 for scanner in drawn if not scanner.magnitude)
    for field in dataclasses.fields(Scanner):
        plain = [getattr(scanner, field.name) == field.default for scanner in drawn]
        assert 0.1 < np.mean(plain) < 0.95, field.name
    assert [draw_scanner(np.random.default_rng(5))] * 2 == [draw_scanner(np.random.default_rng(5)) for _ in range(2)]
