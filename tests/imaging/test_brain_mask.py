import numpy as np
import pytest

from keras_mri.errors import InputError
from keras_mri.imaging import phantoms
from keras_mri.imaging.brain_mask import brain_mask, scan_mask
from keras_mri.imaging.noise import add_rician_noise


def dice(first, second):
    return 2 * (first & second).sum() / (first.sum() + second.sum())


@pytest.mark.parametrize(("shape", "zooms"), [((48, 56, 40), (4.0, 3.5, 4.0)), ((91, 80, 30), (2.0, 2.5, 5.0))])
def test_the_mask_of_a_noisy_head_covers_its_brain(shape, zooms):
    clean, brain = phantoms.head(shape, seed=3)
    noisy = add_rician_noise(clean, 50, np.random.default_rng(0))
    mask = brain_mask(noisy, zooms)
    assert mask.dtype == bool and mask.shape == shape
    assert dice(mask, brain) > 0.85
    assert (mask & brain).sum() > 0.9 * brain.sum()


def test_a_bright_spot_apart_from_the_head_is_left_out():
    clean, _ = phantoms.head((48, 56, 40))
    clean[:3, :3, :3] = 900
    assert not brain_mask(clean, (4.0, 4.0, 4.0))[:3, :3, :3].any()


def test_holes_are_filled():
    clean, brain = phantoms.head((48, 56, 40))
    clean[22:26, 26:30, 18:22] = 0
    assert brain_mask(clean, (4.0, 4.0, 4.0))[22:26, 26:30, 18:22].all()


@pytest.mark.parametrize("shape", [(20, 22, 3), (40, 36, 1), (7, 8, 9)])
def test_thin_and_small_scans_have_a_mask(shape):
    clean, _ = phantoms.head(shape)
    mask = brain_mask(clean + 1, (3.0, 3.0, 3.0))
    assert mask.shape == shape and mask.any()


def test_an_empty_scan_is_refused():
    with pytest.raises(InputError, match="no brain was found in the average of the images: it is empty. Give a mask with `mask`"):
        brain_mask(np.zeros((9, 8, 7), np.float32), (1.0, 1.0, 1.0))


def test_zeros_around_a_scan_do_not_change_its_mask():
    clean, _ = phantoms.head((40, 46, 34), seed=3)
    noisy = add_rician_noise(clean, 50, np.random.default_rng(0))
    padded = np.pad(noisy, ((7, 3), (0, 30), (11, 1)))
    found = scan_mask(padded, (3.0, 3.0, 3.0))
    np.testing.assert_array_equal(found[7:47, :46, 11:45], scan_mask(noisy, (3.0, 3.0, 3.0)))
    assert found.sum() == found[7:47, :46, 11:45].sum() > 0


def test_an_image_of_zeros_has_no_brain():
    with pytest.raises(InputError, match="no brain was found: the image is empty. Give a mask with `mask`"):
        scan_mask(np.zeros((9, 8, 7), np.float32), (1.0, 1.0, 1.0))
