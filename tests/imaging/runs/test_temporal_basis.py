"""The basis of time courses gathers what voxels share in few columns, loses nothing, and puts noise last."""

import numpy as np
import pytest
from scipy import ndimage, stats

from keras_mri.errors import InputError
from keras_mri.imaging.runs.temporal_basis import SMOOTHING, TemporalCovariance, haemodynamic_response, temporal_basis


def _covariance(run):
    gathered = TemporalCovariance(np.ones(run.shape[:3], bool))
    for t in range(run.shape[3]):
        gathered.add(run[..., t] - run.mean(axis=3))
    return gathered.matrix()


def _noise(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("frames", [2, 3, 10, 37])
@pytest.mark.parametrize("repetition_time", [None, 0.7, 3.0, 40.0])
def test_columns_are_orthonormal_and_have_no_mean(frames, repetition_time):
    basis = temporal_basis(_covariance(_noise((9, 8, 7, frames))), repetition_time)
    assert basis.shape == (frames, frames - 1) and basis.dtype == np.float32
    np.testing.assert_allclose(basis.T @ basis, np.eye(frames - 1), atol=2e-6)
    np.testing.assert_allclose(basis.sum(axis=0), 0, atol=2e-6)


def test_fluctuations_come_back_from_their_maps():
    run = _noise((9, 8, 7, 20))
    fluctuations = run - run.mean(axis=3, keepdims=True)
    basis = temporal_basis(_covariance(run))
    np.testing.assert_allclose(fluctuations @ basis @ basis.T, fluctuations, atol=1e-5)


def test_a_run_that_does_not_vary_has_a_basis_too():
    basis = temporal_basis(np.zeros((12, 12)))
    np.testing.assert_allclose(basis.T @ basis, np.eye(11), atol=2e-6)


def test_what_voxels_share_is_gathered_in_the_first_components():
    shape, frames = (19, 18, 17), 60
    run = _noise((*shape, frames))
    course = np.sin(np.arange(frames) ** 1.5)
    course = (course - course.mean()) / np.linalg.norm(course - course.mean())
    # An eighth of the volume follows it, with an SD of half that of the noise.
    run[:9, :9, :9] += np.float32(0.5 * np.sqrt(frames)) * course.astype(np.float32)
    shares = (temporal_basis(_covariance(run)).T @ course) ** 2
    assert shares.sum() == pytest.approx(1, abs=1e-5)
    # Spread evenly, three of 59 components would hold a twentieth.
    assert shares[0] > 0.9 and shares[:3].sum() > 0.97


def test_columns_are_in_the_order_of_what_they_explain():
    shape, frames, powers = (19, 18, 17), 40, (9.0, 4.0, 1.0)
    # Three courses of three frequencies too fast for a haemodynamic response.
    courses = [np.cos(2 * np.pi * f * (np.arange(frames) + 0.5)) for f in (0.3, 0.375, 0.45)]
    run = _noise((*shape, frames))
    for part, (power, course) in zip(np.array_split(np.arange(19), 3), zip(powers, courses)):
        run[part] += np.float32(np.sqrt(power)) * course.astype(np.float32)
    basis = temporal_basis(_covariance(run))
    for k, course in enumerate(courses):
        assert abs(basis[:, k] @ course) / np.linalg.norm(course) > 0.95


def test_where_the_run_says_nothing_slow_courses_come_first():
    frames = 64
    basis = temporal_basis(np.eye(frames), 2.0)
    # Power above a quarter of the frame rate: a haemodynamic response has almost none there.
    spectrum = np.abs(np.fft.rfft(basis, axis=0)) ** 2
    fast = spectrum[frames // 4 :].sum(axis=0) / spectrum.sum(axis=0)
    assert fast[:20].max() < 0.1 and fast[-20:].min() > 0.9


def test_maps_of_white_noise_are_white_noise_of_the_same_sd():
    run = _noise((17, 16, 15, 24))
    maps = (run - run.mean(axis=3, keepdims=True)) @ temporal_basis(_covariance(run))
    # An SD measured in 4080 voxels has a relative error of 1 / √(2 · 4080) = 0.011.
    np.testing.assert_allclose(maps.std(axis=(0, 1, 2)), 1, atol=0.06)


def test_the_covariance_is_that_of_smoothed_time_courses():
    shape, frames = (23, 22, 21), 30
    matrix = _covariance(_noise((*shape, frames)))
    np.testing.assert_allclose(matrix, matrix.T)
    # The variance of white noise after smoothing is the sum of the squares of the kernel, of which the faces cut a part off.
    along = [(ndimage.gaussian_filter1d(np.eye(side), SMOOTHING, axis=0, mode="constant") ** 2).sum(axis=1)[::2].mean() for side in shape]
    # The mean of all frames was taken off.
    assert np.diag(matrix).mean() == pytest.approx(np.prod(along) * (1 - 1 / frames), rel=0.05)
    assert np.abs(matrix - np.diag(np.diag(matrix))).mean() < 0.15 * np.diag(matrix).mean()


def test_voxels_outside_of_tissue_have_no_say():
    tissue = np.zeros((19, 18, 17), bool)
    tissue[:, :, :9] = True
    noise, frames = _noise((19, 18, 17, 12)), 12
    wild = noise.copy()
    wild[:, :, 9:] *= 1000
    matrices = []
    for run in (noise, wild):
        gathered = TemporalCovariance(tissue)
        for t in range(frames):
            gathered.add(run[..., t])
        matrices.append(gathered.matrix())
    np.testing.assert_array_equal(*matrices)


def test_without_tissue_there_is_no_covariance():
    gathered = TemporalCovariance(np.zeros((5, 4, 3), bool))
    for t in range(6):
        gathered.add(_noise((5, 4, 3), t))
    np.testing.assert_array_equal(gathered.matrix(), np.zeros((6, 6)))


def test_the_response_is_the_difference_of_two_gamma_densities():
    t = np.arange(0, 32, 0.5)
    by_scipy = stats.gamma.pdf(t, 6) - stats.gamma.pdf(t, 16) / 6
    np.testing.assert_allclose(haemodynamic_response(0.5), by_scipy / by_scipy.max(), atol=1e-12)
    assert t[np.argmax(haemodynamic_response(0.5))] == 5.0
    assert len(haemodynamic_response(2.0)) == 16


def test_frames_too_far_apart_sample_no_response():
    np.testing.assert_array_equal(haemodynamic_response(40.0), [1.0])


@pytest.mark.parametrize("count", [0, 1])
def test_one_frame_has_no_time_courses(count):
    with pytest.raises(InputError, match=f"a run needs two frames or more. Received: {count}."):
        temporal_basis(np.zeros((count, count)))
