"""Simulated activations lie in tissue, have the amplitudes and time courses they should, and come back from their seed."""

import numpy as np
import pytest

from keras_mri.imaging import phantoms
from keras_mri.imaging.runs.temporal_basis import haemodynamic_response
from keras_mri.systems.wgan.run_activations import MOST_BLOBS, draw_activations, draw_course

SHAPE, FRAMES = (26, 24, 22), 40


@pytest.fixture(scope="module")
def head():
    return phantoms.head(SHAPE)


def drawn(head, seed=0, **changes):
    mean, tissue = head
    return draw_activations(mean, tissue, **{"n_frames": FRAMES, "repetition_time": 2.0, "rng": np.random.default_rng(seed), **changes})


def spatial(activations, shape=SHAPE):
    """Return what each blob adds at its peak: shape (blobs, x, y, z)."""
    maps = np.zeros((len(activations.boxes), *shape), np.float32)
    for each, box, profile in zip(maps, activations.boxes, activations.profiles):
        each[box] = profile
    return maps


def test_activations_lie_in_tissue_alone(head):
    activations = drawn(head)
    added = activations.added_to(np.zeros((*SHAPE, FRAMES), np.float32))
    assert (added[~head[1]] == 0).all() and np.abs(added[head[1]]).max() > 0
    assert (activations.labels[~head[1]] == 0).all()
    assert activations.labels.dtype == np.int32


def test_there_is_one_for_so_many_voxels_of_tissue(head):
    activations = drawn(head)
    assert len(activations.boxes) == len(activations.profiles) == len(activations.courses) == head[1].sum() // 125 > 20
    assert set(np.unique(activations.labels)) <= set(range(len(activations.boxes) + 1))


def test_there_are_never_more_than_the_loss_counts():
    mean = np.ones((60, 58, 56), np.float32)
    activations = draw_activations(mean, mean > 0, 12, None, np.random.default_rng(0))
    assert len(activations.boxes) == activations.labels.max() == MOST_BLOBS or len(activations.boxes) == MOST_BLOBS


def test_even_one_voxel_of_tissue_gets_one():
    tissue = np.zeros((9, 8, 7), bool)
    tissue[4, 3, 2] = True
    activations = draw_activations(np.full((9, 8, 7), 5, np.float32), tissue, 12, 2.0, np.random.default_rng(0))
    assert len(activations.boxes) == 1


def test_amplitudes_are_a_share_of_the_local_mean_of_both_signs(head):
    mean, tissue = head
    maps = np.concatenate([spatial(drawn(head, seed)) for seed in range(6)])
    shares = np.abs(maps[:, tissue] / mean[tissue])
    peaks = shares.max(axis=1)
    assert peaks.max() <= 0.05 + 1e-6
    # A blob whose centre lies on no border is cut down to nothing, or to its flank.
    sizable = peaks[peaks > 0.004]
    assert len(sizable) > 0.6 * len(peaks)
    # Half of the logarithms lie below √(0.005 · 0.05).
    assert 0.3 < np.mean(sizable < np.sqrt(0.005 * 0.05)) < 0.7
    signs = np.array([np.sign(each.sum()) for each in maps if each.any()])
    assert np.mean(signs < 0) == pytest.approx(0.25, abs=0.1)


def test_sizes_go_from_single_voxels_to_large_blobs(head):
    counts = np.concatenate([(spatial(drawn(head, seed)) != 0).sum(axis=(1, 2, 3)) for seed in range(4)])
    assert 0 < counts[counts > 0].min() <= 4
    assert counts.max() > 150


def test_half_are_pieces_of_sheets_along_borders():
    """In a block of two halves of different brightness, sheets lie at the border and blobs anywhere."""
    mean = np.full((40, 24, 22), 500, np.float32)
    mean[20:] = 1000
    tissue = np.ones(mean.shape, bool)
    maps = np.concatenate([spatial(drawn((mean, tissue), seed), mean.shape) for seed in range(3)])
    away = (maps[:, :14] != 0).any(axis=(1, 2, 3)) | (maps[:, 26:] != 0).any(axis=(1, 2, 3))
    assert 0.3 < away.mean() < 0.75
    # Where the mean is flat, there are no sheets: a quarter of the volume is steep.
    assert (maps[~away] != 0).any()


def test_courses_have_no_mean_and_a_peak_of_one(head):
    activations = drawn(head)
    assert activations.courses.shape == (len(activations.boxes), FRAMES) and activations.courses.dtype == np.float32
    np.testing.assert_allclose(activations.courses.mean(axis=1), 0, atol=1e-6)
    spans = np.ptp(activations.courses, axis=1)
    assert (spans <= 2 + 1e-6).all() and (spans > 0.5).all()


def test_a_task_drives_many_places_at_once(head):
    courses = np.concatenate([drawn(head, seed).courses for seed in range(3)])
    distinct = len(np.unique(courses.round(5), axis=0))
    # At most twelve of each copy are shared, by three quarters of the blobs.
    assert 3 < distinct < 0.65 * len(courses)


@pytest.mark.parametrize("frames", [10, 37, 300])
def test_every_kind_of_course_peaks_at_one(frames):
    response, rng = haemodynamic_response(2.0), np.random.default_rng(5)
    courses = np.array([draw_course(frames, response, rng) for _ in range(60)])
    assert courses.shape == (60, frames) and np.isfinite(courses).all()
    peaks = np.abs(courses).max(axis=1)
    assert ((peaks < 1e-12) | (np.abs(peaks - 1) < 1e-9)).all()
    # In ten frames one of five has no event.
    assert (peaks > 0).mean() > 0.75


def test_haemodynamic_courses_are_slow(head):
    """Lag-one correlation of blocks and events at 1 s: of white noise it would be 0."""
    response, rng = haemodynamic_response(1.0), np.random.default_rng(6)
    lags = [np.corrcoef(course[:-1], course[1:])[0, 1] for course in (draw_course(200, response, rng) for _ in range(80))]
    assert np.median(lags) > 0.8


def test_the_sum_is_space_times_time(head):
    activations, run = drawn(head), np.random.default_rng(1).standard_normal((*SHAPE, FRAMES)).astype(np.float32)
    before = run.copy()
    expected = run + np.einsum("bxyz,bt->xyzt", spatial(activations), activations.courses)
    np.testing.assert_allclose(activations.added_to(run), expected, atol=2e-3)
    np.testing.assert_array_equal(run, before)


def test_in_a_basis_the_sum_is_the_same(head):
    activations, run = drawn(head), np.random.default_rng(2).standard_normal((*SHAPE, FRAMES)).astype(np.float32)
    basis = np.linalg.qr(np.random.default_rng(3).standard_normal((FRAMES, 7)))[0].astype(np.float32)
    np.testing.assert_allclose(activations.added_to(run @ basis, basis), activations.added_to(run) @ basis, atol=2e-3)


def test_a_label_names_the_strongest_blob_of_a_voxel(head):
    activations = drawn(head)
    maps = np.abs(spatial(activations))
    labelled = activations.labels > 0
    assert 0.05 < labelled[head[1]].mean() < 1
    strongest = maps.max(axis=0)
    own = np.take_along_axis(maps, np.maximum(activations.labels - 1, 0)[None], axis=0)[0]
    assert (own[labelled] > 0).all()
    # A stronger blob may pass where it has less than three tenths of its own peak.
    assert np.mean(own[labelled] == strongest[labelled]) > 0.75


def test_a_seed_gives_the_same_again(head):
    first, again, other = drawn(head, 1), drawn(head, 1), drawn(head, 2)
    np.testing.assert_array_equal(first.labels, again.labels)
    np.testing.assert_array_equal(first.courses, again.courses)
    assert first.boxes == again.boxes and all((a == b).all() for a, b in zip(first.profiles, again.profiles))
    assert (first.labels != other.labels).any()


def test_without_a_repetition_time_two_seconds_are_taken(head):
    np.testing.assert_array_equal(drawn(head, repetition_time=None).courses, drawn(head, repetition_time=2.0).courses)
    assert (drawn(head, repetition_time=0.5).courses != drawn(head, repetition_time=2.0).courses).any()


@pytest.mark.parametrize("repetition_time", [0.1, 10.0, 60.0])
def test_any_repetition_time_gives_finite_courses(head, repetition_time):
    assert np.isfinite(drawn(head, repetition_time=repetition_time).courses).all()


@pytest.mark.parametrize("shape", [(30, 28, 1), (1, 30, 28), (12, 11, 2)])
def test_thin_scans_have_activations_too(shape):
    mean = np.ones(shape, np.float32) + np.arange(shape[0])[:, None, None]
    activations = draw_activations(mean.astype(np.float32), np.ones(shape, bool), 12, 2.0, np.random.default_rng(0))
    assert (activations.labels > 0).any()
