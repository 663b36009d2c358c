"""What was removed from a single volume: noise follows no edges, smoothing does."""

import numpy as np
import pytest
from scipy import ndimage

from keras_mri.imaging import phantoms
from keras_mri.imaging.edges import share_along_edges

SHAPE = (41, 38, 35)


@pytest.fixture
def head():
    return phantoms.head(SHAPE)


@pytest.mark.parametrize("width", [0.0, 0.7])
@pytest.mark.parametrize("share", [1.0, 0.5])
@pytest.mark.parametrize("sigma", [30.0, 300.0])
def test_noise_follows_no_edges_white_or_smooth_all_or_half(head, rng, width, share, sigma):
    clean, brain = head
    noise = ndimage.gaussian_filter(rng.normal(size=SHAPE), width)
    noisy = (clean + sigma * noise / noise.std()).astype(np.float32)
    assert share_along_edges(noisy, noisy + np.float32(share) * (clean - noisy), brain) < 0.005


def test_noise_of_an_even_volume_follows_no_edges(rng):
    noisy = rng.normal(1000, 50, SHAPE).astype(np.float32)
    assert share_along_edges(noisy, ndimage.gaussian_filter(noisy, 0.6), np.ones(SHAPE, bool)) < 0.005


@pytest.mark.parametrize("sigma", [0.0, 20.0])
def test_smoothing_follows_edges(head, rng, sigma):
    clean, brain = head
    noisy = (clean + rng.normal(0, sigma, SHAPE)).astype(np.float32)
    assert 0.1 < share_along_edges(noisy, ndimage.gaussian_filter(noisy, 0.6), brain) <= 1


def test_sharpening_removes_no_anatomy(head):
    clean, brain = head
    assert share_along_edges(clean, 2 * clean - ndimage.gaussian_filter(clean, 0.6), brain) == 0


def test_the_border_of_a_brain_that_was_cut_out_is_no_edge(head, rng):
    clean, brain = head
    even = np.where(brain, 1000 + rng.normal(0, 20, SHAPE), 0).astype(np.float32)
    assert share_along_edges(even, np.where(brain, 1000, 0).astype(np.float32), brain) < 0.005


def test_nothing_removed_is_nothing(head):
    clean, brain = head
    assert share_along_edges(clean, clean, brain) == 0
    assert share_along_edges(np.full(SHAPE, 5.0), np.full(SHAPE, 4.0), brain) == 0
