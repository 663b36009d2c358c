import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage
from scipy.spatial.transform import Rotation

from keras_mri.systems.sr.augmentation import (
    ANGLE,
    SHIFT,
    corrupted_pairs,
    rigidly_moved,
    with_quarter_turns,
    with_random_gain,
    with_random_motion,
)


def numbered(shape):
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


def drawn(dataset, count):
    return [element.numpy() for element in dataset.take(count)]


@pytest.mark.parametrize(("shape", "plane"), [((4, 4, 3, 2), (0, 1)), ((4, 3, 4, 2), (0, 2)), ((3, 4, 4, 2), (1, 2))])
def test_turns_are_quarter_turns_of_one_plane_half_of_the_time(shape, plane):
    patch = numbered(shape)
    patches = drawn(with_quarter_turns(tf.data.Dataset.from_tensors(patch).repeat(), 0, plane), 200)
    possible = [np.rot90(patch, quarters, plane).tobytes() for quarters in range(4)]
    seen = [possible.index(turn.tobytes()) for turn in patches]
    assert set(seen) == {0, 1, 2, 3}
    assert np.mean(np.array(seen) == 0) == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("angles", [(0.1, 0, 0), (0, -0.1, 0), (0, 0, 0.1), (0.1, -0.07, 0.05)])
def test_a_movement_is_that_of_scipy(angles, rng):
    """Oracle: linear interpolation by ndimage, the rotation by scipy.spatial."""
    patch = rng.random((9, 8, 7, 2), dtype=np.float32)
    shifts = np.array([1.3, -0.6, 2.0])
    matrix, centre = Rotation.from_euler("xyz", angles).as_matrix(), (np.array(patch.shape[:3]) - 1) / 2
    offset = centre + shifts - matrix @ centre
    expected = [ndimage.affine_transform(patch[..., c], matrix, offset, order=1, mode="nearest") for c in range(2)]
    found = rigidly_moved(tf.constant(patch), tf.constant(angles, tf.float32), tf.constant(shifts, tf.float32))
    np.testing.assert_allclose(found, np.stack(expected, axis=-1), atol=1e-4)


def test_no_movement_changes_nothing_also_in_thin_patches(rng):
    for shape in ((9, 8, 7, 2), (9, 8, 1, 2), (1, 2, 3, 2)):
        patch = rng.random(shape, dtype=np.float32)
        np.testing.assert_allclose(rigidly_moved(tf.constant(patch), tf.zeros(3), tf.zeros(3)), patch, atol=1e-6)


def test_both_images_move_together_and_only_a_share_of_the_patches():
    patch = np.random.default_rng(0).random((8, 8, 8, 1), dtype=np.float32).repeat(2, axis=-1)
    patches = drawn(with_random_motion(tf.data.Dataset.from_tensors(patch).repeat(), 0, 0.25), 200)
    assert all(np.array_equal(moved[..., 0], moved[..., 1]) for moved in patches)
    changed = [not np.array_equal(moved, patch) for moved in patches]
    assert np.mean(changed) == pytest.approx(0.25, abs=0.08)
    assert (ANGLE, SHIFT) == (0.1, 5.0)  # as published


def test_scale_and_offset_change_within_bounds_and_alike_in_both_images():
    patch = np.random.default_rng(0).normal(size=(4, 4, 4, 1)).astype(np.float32).repeat(2, axis=-1)
    lines = []
    for changed in drawn(with_random_gain(tf.data.Dataset.from_tensors(patch).repeat(), 0, 0.2), 200):
        np.testing.assert_array_equal(changed[..., 0], changed[..., 1])
        lines.append(np.polyfit(patch.ravel(), changed.ravel(), 1))
    scales, offsets = np.transpose(lines)
    assert 0.8 <= scales.min() < 0.83 and 1.17 < scales.max() <= 1.2001
    assert -0.2001 <= offsets.min() < -0.17 and 0.17 < offsets.max() <= 0.2001


def batches(value, count, **options):
    patches = tf.data.Dataset.from_tensors(np.full((6, 5, 4, 2), value, np.float32)).repeat()
    return [(source.numpy(), target.numpy()) for source, target in corrupted_pairs(patches, 4, 0, **options).take(count)]


def test_only_sources_are_disturbed_and_by_no_more_than_said():
    sources, targets = (np.concatenate(part) for part in zip(*batches(3.0, 100, jitter=0.1)))
    assert sources.shape == targets.shape == (400, 6, 5, 4, 1)
    assert (targets == 3).all()
    levels = sources[:, 0, 0, 0, 0]
    assert (sources == levels.reshape(-1, 1, 1, 1, 1)).all()
    # ×(1 ± 0.1), then ± 0.1; neither in a quarter of the cases.
    assert 2.6 <= levels.min() < 2.75 and 3.25 < levels.max() <= 3.4
    assert np.mean(levels == 3) == pytest.approx(0.25, abs=0.07)


def test_a_quarter_of_the_sources_gets_noise_of_at_most_the_given_sd():
    sources, targets = (np.concatenate(part) for part in zip(*batches(0.0, 100, noise=0.5)))
    strengths = sources.std(axis=(1, 2, 3, 4))
    assert not targets.any()
    assert np.mean(strengths > 0) == pytest.approx(0.25, abs=0.07)
    assert 0.35 < strengths.max() < 0.65


def test_without_disturbance_the_pairs_are_the_patches():
    for source, target in batches(2.0, 3):
        assert (source == 2).all() and (target == 2).all()


def test_one_seed_gives_one_sequence_that_goes_on_changing():
    first, second = batches(1.0, 2, jitter=0.1, noise=0.1), batches(1.0, 2, jitter=0.1, noise=0.1)
    np.testing.assert_array_equal(first[1][0], second[1][0])
    assert not np.array_equal(first[0][0], first[1][0])
