"""Denoisers that see white noise: what they remove is taken from the scan, and nothing else changes."""

import numpy as np
import pytest

from keras_mri.errors import remarks_kept
from keras_mri.imaging.acquisition.noise_colour import Colour, coloured, whitened
from keras_mri.imaging.acquisition.scanner_noise import Scanner, add_scanner_noise
from keras_mri.inference.measured_grid import colour_of, on_measured_grid
from keras_mri.io.volumes import Volume
from tests.imaging.acquisition.test_noise_colour import SHAPE, head  # noqa: F401 a fixture

COLOUR = Colour((0.5, 1.0, 0.8))


def test_where_noise_is_white_the_denoiser_is_used_as_it_is():
    run = object()
    assert on_measured_grid(run, Colour()) is run


def test_a_denoiser_that_removes_nothing_changes_nothing():
    data = np.random.default_rng(0).random((*SHAPE, 1), dtype=np.float32)
    np.testing.assert_allclose(on_measured_grid(lambda inside: inside[..., 0], COLOUR)(data), data[..., 0], atol=1e-6)


def test_a_perfect_denoiser_leaves_the_image_and_what_was_not_measured():
    rng = np.random.default_rng(0)
    image = rng.random(SHAPE, dtype=np.float32)
    noise = coloured(rng.standard_normal(COLOUR.measured_shape(SHAPE)).astype(np.float32), SHAPE)
    inside = whitened(image, COLOUR)
    restored = on_measured_grid(lambda seen: inside, COLOUR)((image + noise)[..., None])
    np.testing.assert_allclose(restored, image, atol=2e-4)


def test_of_a_window_the_middle_frame_is_restored():
    data = np.random.default_rng(0).random((*SHAPE, 3), dtype=np.float32)
    restored = on_measured_grid(lambda inside: inside[..., 1], COLOUR)(data)
    np.testing.assert_allclose(restored, data[..., 1], atol=1e-6)


def test_a_scan_with_coloured_noise_is_told_in_one_line(head):  # noqa: F811
    noisy = add_scanner_noise(head, 0.05, Scanner(matrix=(0.5, 0.5, 1.0)), np.random.default_rng(0))[0]
    with remarks_kept() as remarks:
        colour = colour_of(Volume.from_array(noisy, np.eye(4), name="scan.nii.gz"))
    assert colour.share[0] == pytest.approx(0.5, abs=0.04)
    assert len(remarks) == 1 and "filled with zeros" in str(remarks[0]) and "scan.nii.gz" in str(remarks[0])
    with remarks_kept() as remarks:
        assert colour_of(Volume.from_array(add_scanner_noise(head, 0.05, Scanner(), np.random.default_rng(0))[0], np.eye(4))).white
    assert not remarks
