"""Data sets of slices: what is saved is loaded, what is none is refused."""

import numpy as np
import pytest

from keras_mri.errors import InputError
from keras_mri.systems.cnn.settings import PRESETS, Config
from keras_mri.systems.cnn.slice_files import load_slices, save_slices
from tests.systems.cnn.test_slices import cut_of, noisy_of, numbered_run, split_of

PUBLISHED = Config(**PRESETS["published"])


def test_a_data_set_that_was_saved_is_loaded(tmp_path, affine):
    slices = cut_of([numbered_run((8, 6, 10, 3), affine)], PUBLISHED, 2)
    save_slices(slices, noisy_of(slices, range(len(slices)), PUBLISHED), tmp_path / "slices.npz")
    # Anyone's NumPy reads it.
    with np.load(tmp_path / "slices.npz") as file:
        np.testing.assert_array_equal(file["clean"], slices.clean)
        assert file["noisy"].shape == slices.clean.shape
    loaded = load_slices(tmp_path / "slices.npz")
    np.testing.assert_array_equal(loaded.noisy, noisy_of(slices, range(30), PUBLISHED))
    np.testing.assert_array_equal(loaded.places, slices.places)
    np.testing.assert_allclose(loaded.zooms, slices.zooms)
    assert (loaded.axis, loaded.percentiles) == (2, (1.0, 99.0))
    np.testing.assert_array_equal(split_of(loaded, Config())[1], split_of(slices, Config())[1])


@pytest.mark.parametrize("channel", [(), (-1,), (1,)])
def test_a_data_set_from_elsewhere_needs_no_more_than_clean_and_noisy(tmp_path, rng, channel):
    clean = rng.random((9, 8, 6))
    noisy = clean + rng.normal(0, 0.1, clean.shape)
    np.savez(tmp_path / "data.npz", **{n: np.expand_dims(a, channel) if channel else a for n, a in (("clean", clean), ("noisy", noisy))})
    slices = load_slices(tmp_path / "data.npz")
    np.testing.assert_allclose(slices.clean, clean, rtol=1e-6)
    np.testing.assert_allclose(slices.sigma, np.std(noisy - clean), rtol=1e-3)
    assert (slices.places, slices.zooms, slices.axis) == (None, (), None)
    np.testing.assert_allclose(noisy_of(slices, [3], Config()), noisy[[3]], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (dict(clean=np.zeros((3, 4, 4))), "must hold the arrays clean and noisy. Received: clean."),
        (dict(clean=np.zeros((3, 4)), noisy=np.zeros((3, 4))), r"clean of .* must hold numbers of shape \(slices, x, y\).*shape \(3, 4\)"),
        (dict(clean=np.zeros((3, 4, 4)), noisy=np.zeros((2, 4, 4))), r"one shape. Received: \(3, 4, 4\) and \(2, 4, 4\)"),
        (dict(clean=np.full((3, 4, 4), 900.0), noisy=np.zeros((3, 4, 4))), "scaled to .0, 1.. Received: intensities from 900 to 900"),
        (dict(clean=np.full((3, 4, 4), np.nan), noisy=np.zeros((3, 4, 4))), "clean of .* has NaN or infinity"),
        (dict(clean=np.array([[["a"]]]), noisy=np.zeros((1, 1, 1))), "must hold numbers"),
        (dict(clean=np.array([{}], dtype=object), noisy=np.zeros((3, 4, 4))), "cannot be read as a data set of slices"),
    ],
)
def test_what_is_no_data_set_is_refused(tmp_path, arrays, message):
    np.savez(tmp_path / "data.npz", **arrays)
    with pytest.raises(InputError, match=message):
        load_slices(tmp_path / "data.npz")


def test_a_file_that_is_none_is_refused(tmp_path):
    with pytest.raises(InputError, match="nowhere.npz is not a file"):
        load_slices(tmp_path / "nowhere.npz")
    for content in (b"", b"hello", b"PK\x03\x04 cut off"):
        (tmp_path / "bad.npz").write_bytes(content)
        with pytest.raises(InputError, match="bad.npz cannot be read as a data set of slices"):
            load_slices(tmp_path / "bad.npz")
    with open(tmp_path / "one.npz", "wb") as file:
        np.save(file, np.zeros((3, 4, 4)))
    with pytest.raises(InputError, match="one.npz cannot be read as a data set of slices"):
        load_slices(tmp_path / "one.npz")
