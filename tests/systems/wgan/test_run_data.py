"""Batches of maps: drawn by the seed, cut where the copies say, and apart from those that validate."""

import numpy as np
import pytest
import tensorflow as tf

from keras_mri.data.splits import slab_cut
from keras_mri.systems.wgan.run_channels import CHANNELS
from keras_mri.systems.wgan.run_copies import Copy
from keras_mri.systems.wgan.run_data import COMPONENTS, run_batches

SHAPE, MAPS, PATCH = (9, 22, 8), 6, (4, 6, 2)


def numbered(shape=SHAPE, maps=MAPS, first=0, tissue=None):
    """Return a copy whose every map and guide tells where a value comes from: voxel number + a tenth per map."""
    voxels = first + np.arange(1, np.prod(shape) + 1, dtype=np.float32).reshape(shape)
    of_maps = voxels + (np.arange(maps, dtype=np.float32)[:, None, None, None] + 1) / 16
    tissue = np.ones(shape, bool) if tissue is None else tissue
    scores = np.stack([of_maps, -of_maps], axis=-1).astype(np.float32)
    power = np.arange(1, maps + 1) / (maps * (maps + 1) / 2)
    return Copy(
        of_maps, 2 * of_maps, 3 * of_maps, scores, 2 * scores, voxels, 5 * voxels, 7 * voxels, voxels.astype(np.int32), tissue, power
    )


def taken(copies, count=40, seed=3, batch_size=2, part="training"):
    batches = getattr(run_batches(copies, PATCH, batch_size, 5, seed), part)
    return [tuple(array.numpy() for array in batch) for batch in batches.take(count)]


@pytest.fixture(scope="module")
def drawn():
    return taken([numbered()])


def test_shapes_and_types(drawn):
    channels, without, targets, labels, weights = drawn[0]
    assert channels.shape == without.shape == (2, COMPONENTS, *PATCH, CHANNELS)
    assert targets.shape == (2, COMPONENTS, *PATCH) and labels.shape == weights.shape == (2, *PATCH)
    assert [array.dtype for array in drawn[0]] == [np.float32] * 3 + [np.int32, np.float32]
    assert run_batches([numbered()], PATCH, 2, 5, 0).steps == 5


def test_all_of_a_batch_is_cut_at_one_place(drawn):
    for channels, without, targets, labels, weights in drawn:
        place = labels[:, None]
        # Signs are drawn for each map; guides of the whole scan have none.
        values, signs = np.abs(channels[..., 0]), np.sign(channels[..., 0])
        assert ((values - place > 0) & (values - place < 0.5)).all()
        np.testing.assert_allclose(np.abs(without[..., 0]), 2 * values, rtol=1e-6)
        np.testing.assert_allclose(np.abs(targets), 3 * values, rtol=1e-6)
        np.testing.assert_array_equal(np.sign(without[..., 0]), signs)
        np.testing.assert_array_equal(np.sign(targets), signs)
        # Scores are stored in half precision.
        np.testing.assert_allclose(channels[..., 1], values * signs, rtol=1e-3)
        np.testing.assert_allclose(channels[..., 2], -values * signs, rtol=1e-3)
        np.testing.assert_allclose(without[..., 1], 2 * values * signs, rtol=1e-3)
        for guides, activity in ((channels, 5), (without, 7)):
            np.testing.assert_allclose(guides[..., 3], np.broadcast_to(place, values.shape), rtol=1e-6)
            np.testing.assert_allclose(guides[..., 4], activity * np.broadcast_to(place, values.shape), rtol=1e-6)
        assert (weights == 1).all()


def test_a_sign_belongs_to_a_map_and_both_are_drawn(drawn):
    signs = np.array([np.sign(channels[..., 0]) for channels, *_ in drawn])
    assert (signs == signs[:, :, :, :1, :1, :1]).all()
    assert 0.35 < (signs[:, :, :, 0, 0, 0] > 0).mean() < 0.65


def test_patches_are_reflected_along_each_axis_half_of_the_time(drawn):
    labels = np.concatenate([batch[3] for batch in drawn])
    for axis in (1, 2, 3):
        first, second = (labels.take(k, axis)[:, 0, 0] for k in (0, 1))
        assert 0.25 < (second > first).mean() < 0.75


def test_components_are_drawn_evenly_and_by_the_power_of_activations():
    channels = np.concatenate([batch[0] for batch in taken([numbered()], count=300)])
    values = np.abs(channels[:, :, 0, 0, 0, 0])
    component = np.rint((values - np.floor(values)) * 16).astype(int) - 1
    shares = np.bincount(component.ravel(), minlength=MAPS) / component.size
    # Half of 1/6 and half of 1/21, 2/21, … 6/21; 2400 draws have an SD of 0.009 at most.
    np.testing.assert_allclose(shares, 0.5 / 6 + 0.5 * np.arange(1, 7) / 21, atol=0.035)


def test_one_seed_gives_the_same_batches_and_another_gives_others(drawn):
    again, other = taken([numbered()], 10), taken([numbered()], 10, seed=4)
    for first, second in zip(drawn, again):
        for one, two in zip(first, second):
            np.testing.assert_array_equal(one, two)
    assert any((first[3] != second[3]).any() for first, second in zip(again, other))


def test_patches_that_train_and_that_validate_share_no_slice():
    copy = numbered()
    axis, cut = slab_cut(copy.tissue)
    assert axis == 1 and cut > PATCH[1]

    def slices(part, count):
        labels = np.concatenate([batch[3] for batch in taken([copy], count, part=part)])
        return set(np.unique(np.unravel_index(labels - 1, SHAPE)[axis]))

    # The held-out slab (18 to 21) is thinner than a patch: it reaches beyond, and training stays away from the slab itself.
    assert slices("training", 60) == set(range(cut))
    validating = slices("validation", 60)
    assert max(validating) == SHAPE[1] - 1 and validating >= set(range(cut, SHAPE[1]))


def test_with_room_in_the_slab_patches_that_validate_stay_in_it():
    copy = numbered(shape=(9, 40, 8))
    axis, cut = slab_cut(copy.tissue)
    labels = {part: np.concatenate([batch[3] for batch in taken([copy], 60, part=part)]) for part in ("training", "validation")}
    found = {part: set(np.unravel_index(values - 1, (9, 40, 8))[axis].ravel()) for part, values in labels.items()}
    assert not found["training"] & found["validation"]
    assert found["training"] == set(range(cut)) and found["validation"] <= set(range(cut, 40))


def test_the_same_patches_validate_in_every_epoch():
    held_out = run_batches([numbered()], PATCH, 2, 5, 3).validation
    first, second = ([batch[3].numpy() for batch in held_out] for _ in range(2))
    assert sum(len(labels) for labels in first) == 16
    for one, two in zip(first, second):
        np.testing.assert_array_equal(one, two)


def test_every_copy_trains_and_validates():
    copies = [numbered(first=2000 * k) for k in range(2)]
    for part in ("training", "validation"):
        batches = run_batches(copies, PATCH, 1, 5, 0)
        contrasts = [batch[0].numpy()[0, 0, 0, 0, 0, 3] for batch in getattr(batches, part).take(60)]
        # A copy holds 1584 voxels; those of the second are numbered from 2001 on.
        assert 0.2 < np.mean(np.array(contrasts) > 2000) < 0.8
        assert len(contrasts) == 60 or part == "validation"


def test_patches_are_centred_on_tissue():
    tissue = np.zeros(SHAPE, bool)
    tissue[3:6, 4:16, 3:5] = True
    labels = np.concatenate([batch[3] for batch in taken([numbered(tissue=tissue)], 30)])
    centres = np.array(np.unravel_index(labels[:, 2, 3, 1] - 1, SHAPE)).T
    low, high = centres.min(axis=0), centres.max(axis=0)
    # A reflected patch has its centre one voxel off.
    assert (low >= [2, 3, 2]).all() and (high <= [6, 16, 5]).all()


def test_weights_are_the_tissue():
    tissue = np.random.default_rng(0).random(SHAPE) < 0.5
    for _, _, _, labels, weights in taken([numbered(tissue=tissue)], 10):
        np.testing.assert_array_equal(weights, tissue.ravel()[labels - 1])


def test_a_copy_as_small_as_a_patch_trains():
    shape = PATCH
    batches = run_batches([numbered(shape=shape)], PATCH, 1, 5, 0)
    for part in (batches.training, batches.validation):
        (labels,) = (batch[3].numpy() for batch in part.take(1))
        assert sorted(labels.ravel()) == list(range(1, np.prod(shape) + 1))


def test_the_maps_of_a_copy_are_handed_to_tensorflow_once(monkeypatch):
    copied, constant = [], tf.constant
    monkeypatch.setattr(tf, "constant", lambda value, *more: copied.append(np.size(value)) or constant(value, *more))
    copy = numbered()
    run_batches([copy], PATCH, 2, 5, 0)
    large = [size for size in copied if size >= copy.maps.size]
    # Maps, maps without, targets, and two sets of scores.
    assert sorted(large) == sorted([copy.maps.size] * 3 + [copy.scores.size] * 2)
