"""Recorrupted copies: the noise of input and target is independent, activations are in both, and all is in units of the noise."""

import numpy as np
import pytest

from keras_mri.imaging import phantoms
from keras_mri.imaging.runs.noise import RunNoise
from keras_mri.systems.wgan import run_copies
from keras_mri.systems.wgan.run_channels import noise_gains, run_channels, scores
from keras_mri.systems.wgan.run_copies import TARGET_NOISE, recorrupted_copy, training_run

SHAPE, FRAMES = (22, 20, 18), 40
_NONE = (0.0, 0.0, 0.0)
_COLOURED = ((0.38, 0.03, 0.0), (0.39, -0.04, 0.0), (0.16, 0.0, 0.0))


def noisy_run(lags=(_NONE,) * 3, shape=(*SHAPE, FRAMES), sigma=15.0, seed=0):
    """Return a head whose only fluctuation is noise, the same in all places."""
    head, _ = phantoms.head(shape[:3], seed)
    noise = RunNoise(np.ones((1, 1, 1), np.float32), lags).draw(shape, np.random.default_rng(seed))
    return (head[..., None] + 150 + sigma * noise).astype(np.float32)


@pytest.fixture(scope="module")
def without_activations():
    """A part that trains and a copy to which nothing was added, of white noise."""

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("keras_mri.systems.wgan.run_activations._AMPLITUDES", (1e-9, 2e-9))
        part = training_run(noisy_run())
        return part, recorrupted_copy(part, np.random.default_rng(1))


@pytest.fixture(scope="module")
def copy():
    return recorrupted_copy(training_run(noisy_run(_COLOURED, seed=2), 2.0), np.random.default_rng(3))


def test_the_noise_that_targets_have_by_hand():
    # y + n/2 has the variance 1.25, y - 2 n has 5.
    assert TARGET_NOISE == pytest.approx(5 / 1.25)


def test_noise_of_input_and_target_have_their_variances_and_no_correlation(without_activations):
    _, copy = without_activations
    inputs, targets = (array.astype(np.float64).ravel() for array in (copy.maps, copy.targets))
    # 300,000 values.
    assert inputs.var() == pytest.approx(1, abs=0.04)
    assert targets.var() == pytest.approx(TARGET_NOISE, abs=0.15)
    assert np.corrcoef(inputs, targets)[0, 1] == pytest.approx(0, abs=0.03)


def test_they_are_independent_in_the_tissue_and_between_neighbours_of_coloured_noise():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("keras_mri.systems.wgan.run_activations._AMPLITUDES", (1e-9, 2e-9))
        copy = recorrupted_copy(training_run(noisy_run(_COLOURED, seed=4)), np.random.default_rng(5))
    inputs, targets = copy.maps.astype(np.float64), copy.targets.astype(np.float64)
    for first, second in ((inputs, targets), (inputs[:, 1:], targets[:, :-1]), (inputs[:, :, :-1], targets[:, :, 1:])):
        assert np.corrcoef(first.ravel(), second.ravel())[0, 1] == pytest.approx(0, abs=0.06)
    assert inputs.var() == pytest.approx(1, abs=0.06)
    assert np.corrcoef(inputs[:, 1:].ravel(), inputs[:, :-1].ravel())[0, 1] == pytest.approx(0.38, abs=0.05)


def test_a_network_that_knows_the_truth_has_the_error_of_the_targets_noise(without_activations):
    """What the loss subtracts: the truth of a run without fluctuations is zero."""
    _, copy = without_activations
    error = (copy.targets.astype(np.float64) ** 2)[:, copy.tissue].mean()
    assert error == pytest.approx(TARGET_NOISE, rel=0.04)


def test_activations_are_in_input_and_target_alike_and_not_in_what_is_without(copy):
    activation = copy.maps - copy.without
    assert copy.power.sum() == pytest.approx(1) and (copy.power >= 0).all()
    strong = np.argsort(copy.power)[::-1][:3]
    for k in strong:
        by_target = (copy.targets[k] * activation[k]).sum() / (activation[k] ** 2).sum()
        # The noise of this estimate: SD 2 over the root of the activation's power.
        assert by_target == pytest.approx(1, abs=0.02 + 6 / float(np.sqrt((activation[k] ** 2).sum())))
    own = [(activation[k] ** 2)[copy.tissue].sum() for k in range(len(activation))]
    np.testing.assert_allclose(copy.power, np.array(own) / np.sum(own), rtol=1e-4)
    inside = copy.labels > 0
    assert np.abs(activation[:, inside]).max() > 1
    # A blob's faint rim, where it has less than three tenths of its peak, bears no label.
    assert (activation[:, ~inside] ** 2).sum() < 0.15 * (activation[:, inside] ** 2).sum()
    assert (activation[:, ~copy.tissue] == 0).all()


def test_copies_are_what_the_network_sees_in_prediction(copy):
    assert copy.maps.shape == copy.without.shape == copy.targets.shape == (FRAMES - 1, *SHAPE)
    assert copy.maps.dtype == np.float32 and copy.scores.dtype == np.float32
    assert copy.scores.shape == (FRAMES - 1, *SHAPE, 2)
    for maps, made in ((copy.maps, copy.scores), (copy.without, copy.scores_without)):
        lags = training_run(noisy_run(_COLOURED, seed=2), 2.0).noise.lags
        np.testing.assert_allclose(made[5], np.stack(scores(maps[5], noise_gains(lags)), axis=-1), atol=1e-5)
    made = run_channels(noisy_run(_COLOURED, seed=2), 2.0)
    np.testing.assert_allclose(copy.contrast, made.channels[0, ..., 3], atol=1e-3)
    # Noise alone has an activity near 0 (what it happens to share comes first, and the faces count twice), activations more.
    assert abs(copy.active_without[4:-4, 4:-4, 4:-4].mean()) < 0.25
    assert copy.active[copy.labels > 0].mean() > copy.active_without[copy.labels > 0].mean() + 0.1
    assert copy.tissue.dtype == bool


def test_a_seed_gives_the_same_copy_and_another_gives_another():
    part = training_run(noisy_run(shape=(12, 11, 10, 12)))
    first, again, other = (recorrupted_copy(part, np.random.default_rng(seed)) for seed in (7, 7, 8))
    for name, array in first._asdict().items():
        np.testing.assert_array_equal(array, getattr(again, name), err_msg=name)
    assert (first.maps != other.maps).any() and (first.labels != other.labels).any()


def test_the_run_stays_as_it_is():
    run = noisy_run(shape=(12, 11, 10, 12))
    before = run.copy()
    recorrupted_copy(training_run(run), np.random.default_rng(0))
    np.testing.assert_array_equal(run, before)


def test_exact_zeros_stay_zero_in_all_maps():
    run = noisy_run(shape=(14, 13, 12, 12))
    run[:4] = 0
    part = training_run(run)
    copy = recorrupted_copy(part, np.random.default_rng(0))
    empty = part.noise.sigma == 0
    assert empty.any() and not copy.tissue[empty].any()
    for maps in (copy.maps, copy.without, copy.targets):
        assert np.isfinite(maps).all() and (maps[:, empty] == 0).all()


def test_the_box_around_tissue_is_what_trains():
    run = np.zeros((40, 38, 36, 12), np.float32)
    run[10:22, 12:24, 14:26] = noisy_run(shape=(12, 12, 12, 12)) + 1000
    part = training_run(run)
    assert part.scaled.shape == (12 + 8, 12 + 8, 12 + 8, 12)
    assert part.tissue.shape == part.contrast.shape == part.scaled.shape[:3]
    np.testing.assert_allclose(part.scaled[4:-4, 4:-4, 4:-4].std(axis=3).mean(), 1, atol=0.15)


def test_of_a_large_run_the_slices_with_most_tissue_and_the_first_frames_train(monkeypatch):
    most = 40 * 38 * 18 * 12
    monkeypatch.setattr(run_copies, "_MOST_VALUES", most)
    monkeypatch.setattr(run_copies, "MOST_FRAMES", 12)
    run = np.zeros((40, 38, 30, 20), np.float32)
    # A few slices at one end, and a block of eighteen.
    run[:, :, 1:4] = run[:, :, 10:28] = 700
    run += np.random.default_rng(0).normal(0, 10, run.shape) * (run > 0)
    part = training_run(run.astype(np.float32))
    assert part.scaled.shape == (40, 38, 18, 12) and part.scaled.size <= most
    assert part.tissue.mean() > 0.9


@pytest.mark.parametrize("shape", [(9, 8, 7), (12, 3, 5)])
def test_a_thin_copy_is_thickened_by_its_outermost_voxels(shape):
    copy = recorrupted_copy(training_run(noisy_run(shape=(*shape, 12))), np.random.default_rng(0))
    thick = copy.thickened(8)
    sides = tuple(max(8, side) for side in shape)
    assert thick.maps.shape == (11, *sides) and thick.scores.shape == (11, *sides, 2) and thick.labels.shape == sides
    np.testing.assert_array_equal(thick.maps[:, : shape[0], : shape[1], : shape[2]], copy.maps)
    np.testing.assert_array_equal(thick.maps[..., shape[2] :], np.repeat(thick.maps[..., shape[2] - 1 :][..., :1], sides[2] - shape[2], -1))
    assert thick.power is copy.power
    assert copy.thickened(3) is copy


def test_without_any_activation_components_are_drawn_evenly(monkeypatch):
    monkeypatch.setattr(run_copies, "draw_activations", no_activation)
    with np.errstate(invalid="ignore"):
        copy = recorrupted_copy(training_run(noisy_run(shape=(9, 8, 7, 12))), np.random.default_rng(0))
    assert np.isfinite(copy.power).all()


def no_activation(mean, tissue, n_frames, repetition_time, rng):
    """Draw one blob whose course is flat: of ten frames one course in five has no event."""
    from keras_mri.systems.wgan.run_activations import Activations

    box = (slice(0, 1),) * 3
    return Activations([box], [np.ones((1, 1, 1), np.float32)], np.zeros((1, n_frames), np.float32), np.zeros(mean.shape, np.int32))
