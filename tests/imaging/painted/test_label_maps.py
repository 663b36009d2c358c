"""Painted label maps: means and texture of tissues, brightness, voxels, seeds."""

import numpy as np
import pytest

from keras_mri.imaging.painted import label_maps, tissues

AXES = np.indices((36, 40, 32)) - np.array([18, 20, 16])[:, None, None, None]
RADIUS = np.sqrt((AXES**2).sum(axis=0))
# Fluid within white matter within skin within air; 900 is in no table.
HEAD = np.select([RADIUS < 5, RADIUS < 11, RADIUS < 14], [4, 41, 511], 0).astype(np.int16)
HEAD[18, 20, 2] = 900


def test_tissues_have_the_mean_and_the_texture_of_the_contrast():
    contrast = tissues.draw_contrast([0, 4, 41, 511, 900], np.random.default_rng(0), "T1w")
    image = label_maps.paint(HEAD, contrast, np.random.default_rng(1), grain=0.6)
    assert (image[HEAD == 0] == 0).all()
    for label in (41, 511):
        values = image[HEAD == label]
        assert values.mean() == pytest.approx(contrast.mean[label], abs=4 * contrast.texture[label] / np.sqrt(values.size / 8) + 1e-6)
        assert values.std() == pytest.approx(contrast.texture[label], rel=0.1)


def test_texture_without_grain_is_white():
    contrast = tissues.Contrast(np.array([1.0], np.float32), np.array([0.1], np.float32))
    image = label_maps.paint(np.zeros((40, 40, 40), np.int16), contrast, np.random.default_rng(0), grain=0)
    noise = (image - 1) / 0.1
    assert noise.std() == pytest.approx(1, rel=0.02) and abs(np.mean(noise * np.roll(noise, 1, axis=0))) < 0.02


@pytest.mark.parametrize("seed", range(4))
def test_typical_contrasts_order_the_tissues_as_scanners_do(seed):
    fluid, white, cortex = 4, 2, 3
    mean = {kind: tissues.draw_contrast([fluid, white, cortex], np.random.default_rng(seed), kind).mean for kind in tissues.CONTRASTS}
    assert mean["T1w"][fluid] < mean["T1w"][cortex] and mean["T2w"][fluid] > mean["T2w"][white]
    assert mean["FLAIR"][fluid] < mean["FLAIR"][white] and all(row[0] == 0 for row in mean.values())


def test_both_sides_of_one_structure_are_alike():
    mean = tissues.draw_contrast(np.arange(2, 60), np.random.default_rng(0), "free").mean
    assert mean[2] == pytest.approx(mean[41], rel=0.4)
    # Tissues are no closer to one another than chance has it.
    assert np.ptp([mean[2], mean[3], mean[4], mean[10]]) > 0.1


def test_measured_keeps_a_plain_image_and_the_mean_of_any():
    plain = np.full((24, 24, 24), 0.7, np.float32)
    assert np.allclose(label_maps.measured(plain, (2, 1.5, 3)), 0.7, atol=1e-5)
    assert label_maps.measured(plain, (2, 1.5, 3)).shape == (12, 16, 8)
    blob = np.exp(-(RADIUS**2) / 60).astype(np.float32)
    assert label_maps.measured(blob, (2, 2, 2)).sum() * 8 == pytest.approx(blob.sum(), rel=0.01)


def test_brightness_is_positive_smooth_and_near_one():
    field = label_maps.bias_field((20, 24, 16), np.random.default_rng(0))
    assert (field > 0).all() and np.log(field).mean() == pytest.approx(0, abs=1e-3)
    assert np.abs(np.diff(np.log(field), axis=1)).max() < 0.35


def test_a_drawn_image_is_clean_cut_to_the_head_and_a_function_of_its_seed():
    draws = [label_maps.drawn_image(HEAD, (1, 1, 2), np.random.default_rng(seed), "T1w") for seed in (0, 0, 1)]
    assert np.array_equal(draws[0], draws[1]) and not np.array_equal(draws[0], draws[2])
    assert draws[0].dtype == np.float32 and draws[0].min() >= 0 and 0.2 < draws[0].max() < 3
    assert draws[0].shape[2] == label_maps.cut_to_head(HEAD).shape[2] // 2


def test_cut_to_head_leaves_a_margin():
    labels = np.zeros((40, 40, 40), np.uint16)
    labels[20, 20, 20] = 3
    assert label_maps.cut_to_head(labels).shape == (17, 17, 17)
    assert label_maps.cut_to_head(labels, margin=100).shape == (40, 40, 40)
