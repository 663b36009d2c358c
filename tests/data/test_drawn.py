"""Pipelines of drawn images: seeds, order, shapes, and the noise against its closed form."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from keras_mri.data import drawn
from keras_mri.errors import InputError
from keras_mri.imaging.acquisition.kspace_filters import autocorrelation
from keras_mri.imaging.acquisition.scanner_noise import Scanner
from tests.imaging.painted.test_label_maps import HEAD


def plain(level=0.5, side=24):
    """Return a pipeline of images of one level."""
    return tf.data.Dataset.from_tensors(np.full((side,) * 3, level, np.float32)).repeat()


def first(dataset, count=3):
    """Return the first elements as tuples of arrays."""
    return [element if isinstance(element, tuple) else (element,) for element in itertools.islice(dataset.as_numpy_iterator(), count)]


def test_painted_images_are_functions_of_seed_and_number():
    runs = [first(drawn.painted_images([HEAD, HEAD[::-1]], (1, 1, 1), seed)) for seed in (0, 0, 1)]
    assert all(np.array_equal(a, b) for (a,), (b,) in zip(runs[0], runs[1]))
    assert not any(a.shape == b.shape and np.allclose(a, b) for (a,), (b,) in zip(runs[0], runs[2]))
    assert not np.array_equal(runs[0][0][0], runs[0][1][0])


def test_voxels_may_be_drawn():
    images = drawn.painted_images([HEAD], lambda rng: rng.uniform(1, 2, 3), 0, "T2w")
    assert len({image.shape for (image,) in first(images, 4)}) > 1
    assert images.element_spec.dtype == tf.float32 and images.element_spec.shape.rank == 3


def test_scanner_noise_has_the_sd_and_the_colour_of_the_scanner():
    scanner = Scanner(fwhm=(1.4, 0.0, 0.0))
    noisy, clean, sd = (np.stack(part) for part in zip(*first(drawn.with_scanner_noise(plain(), (0.05, 0.05), 3, scanner), 6)))
    assert (clean == 0.5).all() and np.allclose(sd, 0.05)
    noise = noisy - clean
    assert noise.std() == pytest.approx(0.05, rel=0.03)
    shared = np.mean(noise * np.roll(noise, 1, axis=1)) / noise.var()
    assert shared == pytest.approx(autocorrelation(scanner.filters((24,) * 3)[0])[1].real, abs=0.02)


def test_drawn_scanners_and_strengths_differ_from_image_to_image():
    elements = first(drawn.with_scanner_noise(plain(), (0.0, 0.2), 0), 8)
    strengths = [sd.mean() for _, _, sd in elements]
    assert len({round(float(strength), 5) for strength in strengths}) == 8 and max(strengths) <= 0.2001
    again = first(drawn.with_scanner_noise(plain(), (0.0, 0.2), 0), 8)
    assert all(np.array_equal(a, b) for one, other in zip(elements, again) for a, b in zip(one, other))


def test_measured_noise_is_what_was_measured():
    noise = np.random.default_rng(0).standard_normal((10, 12, 9, 4)).astype(np.float32)
    ((noisy, clean), *_) = first(drawn.with_measured_noise(plain(), noise, (0.1, 0.1), 0), 1)
    difference = noisy - clean
    assert difference.std() == pytest.approx(0.1, rel=1e-3)
    # Values come from the frames alone, all multiplied by one number.
    factor = difference.ravel()[0] / noise.ravel()[:, None]
    candidates = np.unique(np.abs(factor))
    values = np.sort(np.abs(noise.ravel()))
    matching = [c for c in candidates if _all_in(np.abs(difference.ravel()[:50]) / c, values)]
    assert matching


def _all_in(numbers, values):
    index = np.clip(np.searchsorted(values, numbers), 1, len(values) - 1)
    return np.minimum(abs(values[index] - numbers), abs(values[index - 1] - numbers)).max() < 1e-5


@pytest.mark.parametrize("sigma", [(0.2, 0.1), (-0.1, 0.1), 0.1, (0.1, 0.2, 0.3)])
def test_a_range_that_is_none_is_refused(sigma):
    with pytest.raises(InputError, match="lowest and the highest"):
        drawn.with_scanner_noise(plain(), sigma, 0)


@pytest.mark.parametrize("maps", [[], [HEAD.astype(np.float32)], [HEAD[0]], [HEAD * 0]])
def test_what_is_no_label_map_is_refused(maps):
    with pytest.raises(InputError, match="whole numbers"):
        drawn.painted_images(maps, (1, 1, 1), 0)
