"""The bias of magnitude scans goes with their noise, and only then: with a Gaussian filter as denoiser."""

import numpy as np
import pytest
from scipy import ndimage

from keras_mri.imaging import phantoms
from keras_mri.imaging.intensity import Scaling
from keras_mri.imaging.judging import Judge
from keras_mri.imaging.noise import add_gaussian_noise, add_rician_noise
from keras_mri.imaging.verdict import ANATOMY_REMOVED
from keras_mri.inference.extremes import as_seen
from keras_mri.inference.magnitude import bias_removal
from keras_mri.inference.restoring import restored
from keras_mri.io.volumes import Volume

_SHAPE, _SMOOTH = (48, 45, 40), 1.5


def _head():
    return phantoms.head(_SHAPE)


def _denoised(scan, width, affine, keep=False):
    """Return a smoothed scan as prediction makes it, with what was found; and the scan."""
    volume, facts = Volume.from_array(scan, affine), {}
    seen = as_seen(volume)
    after = None if keep else bias_removal(seen.volume, facts)

    def run(t):
        frame = seen.volume.frame(t)
        return ndimage.gaussian_filter(frame, width) if width else frame

    result = restored(volume, Scaling(0.0, 1.0), run, None, seen, after)
    result.facts = facts
    return result, volume


@pytest.mark.parametrize("percent", [5, 9])
def test_air_loses_nine_tenths_of_its_bias(percent, rng, affine):
    clean, _ = _head()
    noisy = add_rician_noise(clean, percent / 100 * float(clean.max()), rng)
    result, _ = _denoised(noisy, _SMOOTH, affine)
    air = ndimage.binary_erosion(clean == 0, iterations=6)
    assert result.frame(0)[air].mean() < 0.1 * noisy[air].mean()
    assert result.facts["bias"] == pytest.approx(noisy[air].mean(), rel=0.15)
    kept, _ = _denoised(noisy, _SMOOTH, affine, keep=True)
    assert kept.frame(0)[air].mean() == pytest.approx(noisy[air].mean(), rel=0.05) and kept.facts == {}


def test_a_scan_that_keeps_its_noise_keeps_its_bias(rng, affine):
    clean, _ = _head()
    noisy = add_rician_noise(clean, 50.0, rng)
    result, _ = _denoised(noisy, 0, affine)
    np.testing.assert_array_equal(result.frame(0), noisy)
    assert result.facts == {}


def test_scans_that_are_no_magnitude_or_have_no_air_are_left(rng, affine):
    clean, brain = _head()
    normal = add_gaussian_noise(clean, 50.0, rng)
    rician = add_rician_noise(clean, 50.0, rng)
    for scan in (normal, np.abs(normal), np.maximum(normal, 0), np.where(brain, rician, 0).astype(np.float32), clean):
        assert bias_removal(Volume.from_array(scan, affine), {}) is None
    assert bias_removal(Volume.from_array(rician, affine), {}) is not None


def test_exact_zeros_stay_and_do_not_count_as_air(rng, affine):
    clean, _ = _head()
    noisy = add_rician_noise(clean, 50.0, rng)
    noisy[:, :12] = 0
    result, _ = _denoised(noisy, _SMOOTH, affine)
    assert (result.frame(0)[noisy == 0] == 0).all()
    assert result.facts["bias"] == pytest.approx(50 * np.sqrt(np.pi / 2), rel=0.15)


def test_all_frames_of_a_run_have_one_sigma(rng, affine):
    clean, _ = _head()
    run = np.stack([add_rician_noise(clean, 50.0, rng) for _ in range(3)], axis=-1)
    result, _ = _denoised(run, 0, affine)
    remove = bias_removal(result.source, {})
    mean = np.full(_SHAPE, 50 * np.sqrt(np.pi / 2) + 30, np.float32)
    first, last = remove(0, mean), remove(2, mean)
    assert np.median(first) == pytest.approx(np.median(last), rel=0.02)


def test_the_verdict_does_not_call_bias_anatomy(rng, affine):
    clean, brain = _head()
    # As noise-free as a perfect denoiser leaves it, but for the bias.
    noisy = add_rician_noise(clean, 90.0, rng)
    volume, facts = Volume.from_array(noisy, affine), {}
    mean = np.mean([add_rician_noise(clean, 90.0, rng) for _ in range(40)], axis=0)
    result = restored(volume, Scaling(0.0, 1.0), lambda t: mean, after=bias_removal(volume, facts))
    result.facts = facts
    judge = Judge(volume, result, brain, facts=result.facts)
    judge.add(0, noisy, result.frame(0))
    verdict = judge.verdict()
    assert verdict.word != ANATOMY_REMOVED and verdict.share == pytest.approx(1, abs=0.12)
    assert verdict.bias == pytest.approx(90 * np.sqrt(np.pi / 2), rel=0.1)
    assert any("`keep_bias` leaves it" in remark for remark in verdict.remarks())
