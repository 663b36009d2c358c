"""The noise of the benchmark's tables: variances, correlations and moments in closed form; the spectrum in BM4D's unit."""

import numpy as np
import pytest
from scipy import special

from experiments import noise_kinds
from experiments.baselines import bm4d, spectral_power

SHAPE = (24, 20, 18)
GAUSSIAN = [kind for kind, facts in noise_kinds.KINDS.items() if not facts.rician and not facts.masked]


def draws(kind, count=60):
    rng = np.random.default_rng(3)
    return np.stack([noise_kinds.draw(kind, SHAPE, rng) for _ in range(count)])


def lag(noise, axis):
    """Return the mean product of next neighbours, round the border too: noise from k-space is periodic."""
    return float((noise * np.roll(noise, 1, axis=axis + 1)).mean())


@pytest.mark.parametrize("kind", GAUSSIAN)
def test_noise_has_its_mean_sd_and_its_spectrum(kind):
    noise = draws(kind)
    # The root of a mean of n squares is 1 / 4n too small; filters leave 150,000 values independent: 0.2 % is a standard error.
    assert np.sqrt(np.mean(noise**2, axis=0)).mean() * (1 + 1 / (4 * len(noise))) == pytest.approx(1, abs=0.01)
    assert np.mean(noise**2) == pytest.approx(noise_kinds.spectrum(kind, SHAPE).mean(), rel=0.015)
    power = np.mean(np.abs(np.fft.fftn(noise, axes=(1, 2, 3))) ** 2, axis=0) / np.prod(SHAPE)
    if not noise_kinds.KINDS[kind].growing:
        # Where nothing was acquired there is nothing, up to float32; elsewhere 60 draws of a chi-square with 2 (1 at k = 0 and Nyquist).
        wanted = noise_kinds.spectrum(kind, SHAPE)
        assert np.all(power[wanted < 1e-9] < 1e-9)
        ratio = power[wanted > 1e-9] / wanted[wanted > 1e-9]
        assert ratio.mean() == pytest.approx(1, abs=0.01) and ratio.min() > 0.2 and ratio.max() < 2.8
        assert [lag(noise, axis) for axis in range(3)] == pytest.approx(noise_kinds.neighbours(kind, SHAPE), abs=0.015)


def test_neighbours_of_zero_filled_noise_are_a_dirichlet_kernel():
    """Frequencies −m … m of n, all as strong: the correlation one voxel apart is sin(π(2m + 1)/n) / ((2m + 1) sin(π/n))."""
    wanted = [np.sin(np.pi * (2 * m + 1) / n) / ((2 * m + 1) * np.sin(np.pi / n)) for m, n in ((6, 24), (5, 20))]
    assert noise_kinds.neighbours("zero-filled .5", SHAPE) == pytest.approx((*wanted, 0), abs=1e-9)


def test_neighbours_of_smoothed_noise_are_a_gaussian_s():
    """A Gaussian of SD s correlates neighbours by exp(−1 / 4s²), but for what its transfer function leaves beyond Nyquist."""
    s = 1.2 / 2.3548
    assert noise_kinds.neighbours("smoothed", (64, 64, 64)) == pytest.approx([np.exp(-1 / (4 * s**2))] * 3, abs=0.06)
    assert noise_kinds.neighbours("white", SHAPE) == pytest.approx((0, 0, 0), abs=1e-9)


def test_partial_fourier_keeps_its_share_and_colours_one_axis():
    f = noise_kinds.partial_fourier((8, 200, 6), 0.75)[0, :, 0]
    frequencies = np.fft.fftfreq(200)
    assert np.all(f[frequencies >= 0.25] == 0) and np.all(f[frequencies <= 0.15 - 1e-9] == 1)
    # The cosine's middle.
    assert f[frequencies == 0.2] == pytest.approx(0.5)
    x, y, z = noise_kinds.neighbours("partial Fourier .75", SHAPE)
    assert (x, z) == pytest.approx((0, 0), abs=1e-9) and 0.1 < y < 0.5


def test_growing_noise_is_three_times_as_strong_in_the_centre():
    sd = noise_kinds.sd_map("growing", (25, 21, 19))
    assert sd.mean() == pytest.approx(1) and sd[12, 10, 9] / sd[0, 0, 0] == pytest.approx(3)
    assert sd[0, 10, 9] == sd[12, 0, 9] == sd[0, 0, 0] and np.argmax(sd) == np.ravel_multi_index((12, 10, 9), sd.shape)


@pytest.mark.parametrize("signal", [0.0, 1.0, 6.0])
def test_rician_noise_has_rician_moments(signal):
    """E m² = A² + 2σ², and E m = σ √(π/2) L(−A² / 2σ²), L the Laguerre polynomial of order ½."""
    sigma = 0.5
    noisy = noise_kinds.add("rician", np.full((50, 50, 40), signal, np.float32), sigma, np.random.default_rng(1)).astype(np.float64)
    x = signal**2 / (2 * sigma**2)
    # exp(−x/2) ((1 + x) I0(x/2) + x I1(x/2)), scaled Bessel functions.
    mean = sigma * np.sqrt(np.pi / 2) * ((1 + x) * special.ive(0, x / 2) + x * special.ive(1, x / 2))
    assert noisy.mean() == pytest.approx(mean, rel=0.005) and np.mean(noisy**2) == pytest.approx(signal**2 + 2 * sigma**2, rel=0.01)
    assert noisy.min() >= 0


def test_masked_scans_have_no_noise_in_air():
    clean = np.zeros(SHAPE, np.float32)
    clean[4:20, 3:15], clean[:4] = 1, 0.02
    noisy, wanted = noise_kinds.add("masked", clean, 0.05, np.random.default_rng(0)), noise_kinds.truth("masked", clean)
    assert np.array_equal(noisy == 0, clean < 0.5) and np.array_equal(wanted, (clean == 1).astype(np.float32))
    assert (noisy - wanted)[4:20, 3:15].std() == pytest.approx(0.05, rel=0.05)
    assert noise_kinds.truth("white", clean) is clean


def test_the_same_seed_draws_the_same_noise_and_nothing_is_changed():
    clean = np.ones(SHAPE, np.float32)
    first, second = (noise_kinds.add("zero-filled .5", clean, 0.1, np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(first, second) and np.all(clean == 1) and first.dtype == np.float32


def test_spectral_power_is_k_space_s_energy():
    """By Parseval the squares in k-space have N times the energy of those in space: N² σ² in all."""
    power = spectral_power(noise_kinds.spectrum("smoothed", SHAPE), 0.1)
    assert power.sum() == pytest.approx(np.prod(SHAPE) ** 2 * 0.1**2)
    noise = 0.1 * draws("smoothed", 20)
    assert np.sum(np.abs(np.fft.fftn(noise, axes=(1, 2, 3))) ** 2) / 20 == pytest.approx(power.sum(), rel=0.02)


@pytest.mark.slow
def test_bm4d_takes_the_spectrum_in_this_unit():
    """A flat spectrum of N σ² is the same as σ; the true one denoises better than that."""
    pytest.importorskip("bm4d")
    rng = np.random.default_rng(2)
    clean = np.zeros((14, 12, 10), np.float32)
    clean[5:11] = 1
    noisy = noise_kinds.add("white", clean, 0.1, rng)
    flat = spectral_power(noise_kinds.spectrum("white", clean.shape), 0.1)
    np.testing.assert_allclose(bm4d(noisy, flat), bm4d(noisy, 0.1), atol=1e-5)
    noisy = noise_kinds.add("zero-filled .5", clean, 0.1, rng)
    told = bm4d(noisy, spectral_power(noise_kinds.spectrum("zero-filled .5", clean.shape), 0.1))
    assert np.std(told - clean) < 0.8 * np.std(bm4d(noisy, 0.1) - clean)
