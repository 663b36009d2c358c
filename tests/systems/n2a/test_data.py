"""Blocks of repetitions: what is held out stays out, and each pair has the target that the options ask for."""

import numpy as np
import pytest

from keras_mri.imaging import phantoms
from keras_mri.systems.n2a.data import BlockOptions, RepetitionBlocks
from keras_mri.systems.n2a.settings import Config

SMALL = dict(initial="none", patch_shape=(8, 8, 8), batch_size=1)
SHAPE = (19, 17, 14)


def blocks_of(units, config, channels=1):
    return RepetitionBlocks(units, phantoms.head(SHAPE)[1], channels, BlockOptions.of(config, phantoms.oblique_affine()))


def constant(*values):
    """Repetitions of one value each; several frames are 100 apart."""
    return np.stack([np.full((*SHAPE, 2), value, np.float32) + np.float32([0, 100]) for value in values])


def pairs(batches, count=40):
    return {(round(float(x[0, 0, 0, 0, 0]), 3), round(float(y[0, 0, 0, 0, 0]), 3)) for x, y, _ in batches.take(count)}


@pytest.mark.parametrize("blocks", ["random", "covering"])
def test_no_block_of_validation_is_seen_in_training_not_even_mirrored(blocks):
    # Every voxel has a value of its own, so that a block tells where it came from.
    units = np.arange(np.prod(SHAPE), dtype=np.float32).reshape(1, *SHAPE, 1).repeat(2, axis=0)
    made = blocks_of(units, Config(**SMALL, blocks=blocks))
    held_out = {value for batch, _, _ in made.validation() for value in np.unique(batch)}
    trained = {value for batch, _, _ in made.training(None, 1).take(100) for value in np.unique(batch)}
    assert len(held_out) >= np.prod(made.shape) and len(trained) >= np.prod(made.shape)
    assert not held_out & trained


def test_two_repetitions_and_their_mixtures_have_first_targets_of_independent_noise_in_every_frame():
    made = blocks_of(constant(1, 2), Config(**SMALL))
    # 0.75 a + 0.25 b against 1.5 b - 0.5 a: the weights' product, 0.375 - 0.375, is the covariance of the noise.
    wanted = {(1, 2), (2, 1), (1.25, 2.5), (1.75, 0.5)}
    wanted |= {(image + 100, target + 100) for image, target in wanted}
    assert pairs(made.training(None, 1), 100) == wanted == pairs(made.validation(), 100)


def test_of_three_also_averages_are_restored_and_score():
    made = blocks_of(constant(1, 2, 6)[..., :1], Config(**SMALL))
    wanted = {(1, 4), (2, 3.5), (6, 1.5), (4, 1), (3.5, 2), (1.5, 6)}
    assert pairs(made.training(None, 1)) == wanted == pairs(made.validation())


def test_the_published_first_target_is_the_average_of_all():
    made = blocks_of(constant(1, 2, 6)[..., :1], Config(**SMALL, target="average"))
    assert pairs(made.training(None, 1)) == {(1, 3), (2, 3), (6, 3)}


def test_later_the_target_is_the_denoised_average():
    made = blocks_of(constant(1, 2), Config(**SMALL))
    target = np.full((*SHAPE, 2), 9, np.float32) + np.float32([0, 1000])
    first = {(image, 9) for image in (1, 2, 1.25, 1.75)}
    assert pairs(made.training(target, 1), 100) == first | {(image + 100, 1009) for image, _ in first}


def test_a_network_of_many_channels_sees_all_frames_together():
    (image, target, mask), *_ = blocks_of(constant(1, 2), Config(**SMALL), channels=2).training(None, 1).take(1)
    assert image.shape == (*mask.shape, 2) and mask.ndim == 4
    assert float(image[0, 0, 0, 0, 0]) in (1, 2, 1.25, 1.75)
    np.testing.assert_array_equal(image[..., 1] - image[..., 0], np.full(mask.shape, 100))
    np.testing.assert_array_equal(target[..., 1] - target[..., 0], np.full(mask.shape, 100))


def test_the_mask_comes_with_the_patch():
    mask = phantoms.head(SHAPE)[1]
    # The value of a voxel is its own number, plus 1 inside the mask.
    units = np.arange(np.prod(SHAPE), dtype=np.float32).reshape(1, *SHAPE, 1).repeat(2, axis=0)
    for image, _, weight in blocks_of(units, Config(**SMALL)).training(None, 1).take(10):
        places = np.unravel_index(image[0, ..., 0].numpy().astype(int), SHAPE)
        np.testing.assert_array_equal(weight[0], mask[places])


def test_an_epoch_of_covering_blocks_has_each_of_them_and_its_mirror_image():
    made = blocks_of(constant(1, 2), Config(**SMALL, blocks="covering", steps_per_epoch=None))
    # Two repetitions of two frames, as they are and mirrored.
    assert made.steps == 2 * 2 * 2 * len(made.corners)
