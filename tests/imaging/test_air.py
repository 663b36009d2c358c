"""Air: its noise, colour and channels are those that were drawn, also where a mask fades it or anatomy leaks into it."""

import numpy as np
import pytest
from scipy import ndimage

from keras_mri.imaging import phantoms
from keras_mri.imaging.air import air_sigma, look_at_air
from keras_mri.imaging.noise import add_gaussian_noise, add_rician_noise, estimate_sigma, sigma_and_source, tissue_sigma
from keras_mri.imaging.runs.noise import RunNoise

_SHAPE, _SIGMA = (64, 60, 40), 20.0


def _head(texture=0.05):
    data, _ = phantoms.head(_SHAPE)
    return (data * (1 + texture * np.random.default_rng(3).standard_normal(_SHAPE))).astype(np.float32)


def _of_channels(head, coils, rng):
    """The root of the sum of squares of complex images, each with its share of the signal."""
    power = sum(
        (head / np.sqrt(coils) + _SIGMA * rng.standard_normal(_SHAPE)) ** 2 + (_SIGMA * rng.standard_normal(_SHAPE)) ** 2
        for _ in range(coils)
    )
    return np.sqrt(power).astype(np.float32)


@pytest.mark.parametrize(("coils", "ratio"), [(1, 1.913), (4, 3.88), (16, 7.91)])
def test_channels_follow_from_the_closed_form_of_mean_over_sd(coils, ratio, rng):
    air = look_at_air(_of_channels(_head(), coils, rng))
    assert air.magnitude and air.channels == pytest.approx(coils, rel=0.15)
    assert air.ratio == pytest.approx(ratio, rel=0.08)
    assert air.sigma == pytest.approx(_SIGMA, rel=0.06)


def test_noise_that_is_no_magnitude_is_told_from_it(rng):
    head = _head()
    normal = add_gaussian_noise(head, _SIGMA, rng)
    for scan in (normal, np.abs(normal)):
        assert not look_at_air(scan).magnitude
    assert look_at_air(add_rician_noise(head, _SIGMA, rng)).magnitude
    assert look_at_air(head) is None


def test_a_mask_that_fades_takes_no_noise_away(rng):
    scan = add_rician_noise(_head(), _SIGMA, rng)
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, side) for side in _SHAPE], indexing="ij"))
    # As scanners do that scale the background down around the head.
    faded = scan * np.clip((1.25 - np.sqrt((grid[:2] ** 2).sum(axis=0))) / 0.25, 0, 1).astype(np.float32)
    assert (faded == 0).mean() > 0.03
    assert _SIGMA * 0.7 < air_sigma(faded) < _SIGMA * 1.05


def test_ghosts_do_not_count_as_noise(rng):
    head = _head()
    ghost = 0.04 * np.roll(head, _SHAPE[1] // 2, axis=1)
    assert air_sigma(add_rician_noise(head + ghost, _SIGMA, rng)) == pytest.approx(_SIGMA, rel=0.08)


def test_the_share_of_correlated_noise_in_haar_coefficients_is_known_from_air(rng):
    lags = (0.35, 0.4, 0.0)
    noise = RunNoise(np.ones(1), tuple((lag, 0.0, 0.0) for lag in lags)).draw((*_SHAPE, 2), rng)
    scan = np.hypot(_head() + _SIGMA * noise[..., 0], _SIGMA * noise[..., 1])
    assert look_at_air(scan).haar == pytest.approx(np.sqrt(0.65 * 0.6), rel=0.12)


def test_noise_that_is_stronger_in_the_head_and_shared_by_neighbours_is_seen(rng):
    noise = RunNoise(np.ones(1), ((0.3, 0.0, 0.0), (0.35, 0.0, 0.0), (0.0, 0.0, 0.0))).draw((*_SHAPE, 2), rng)
    head = _head(texture=0.02)
    strength = np.where(head > 0, 150.0, 70.0)
    scan = np.hypot(head + strength * noise[..., 0], strength * noise[..., 1]).astype(np.float32)
    assert tissue_sigma(scan) < 0.8 * 150
    sigma, source = sigma_and_source(scan)
    assert sigma == pytest.approx(150, rel=0.12)
    assert source == "image"


def test_slabs_of_a_large_volume_tell_what_all_of_it_would(rng):
    head = ndimage.zoom(phantoms.head((48, 45, 41))[0], 4, order=1)
    scan = add_rician_noise(head, _SIGMA, rng)
    assert scan.size > 4_000_000
    assert estimate_sigma(scan) == pytest.approx(estimate_sigma(scan[:, :, :72]), rel=0.1)
    assert estimate_sigma(scan) == pytest.approx(np.hypot(_SIGMA, 0.0075 * 700), rel=0.1)


@pytest.mark.parametrize("sigma", [180.0, 250.0])
def test_air_that_noise_makes_nearly_as_bright_as_tissue_is_still_air(sigma, rng):
    scan = add_rician_noise(_head(), sigma, rng)
    # The mean of the air is 1.25 sigma: above the darkest fifth of the head's range.
    assert 1.25 * sigma > 0.2 * np.percentile(scan, 95)
    air = look_at_air(scan)
    assert air.magnitude and air.channels == 1 and air.sigma == pytest.approx(sigma, rel=0.05)


def test_dark_tissue_of_a_masked_scan_is_no_bright_air(rng):
    head = _head()
    for noise in (5.0, 40.0):
        assert look_at_air(np.where(head > 0, add_rician_noise(head, noise, rng), 0)) is None
