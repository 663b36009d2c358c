"""The options of the slice autoencoder, and what training may start from."""

import json

import numpy as np
import pytest

from keras_mri.errors import InputError
from keras_mri.systems.cnn import settings as cnn
from keras_mri.systems.cnn.slices import Slices


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (dict(axis=3), "`axis` must be one of 0, 1, 2. Received: 3."),
        (dict(slices=0), "`slices` must be at least 1. Received: 0."),
        (dict(time_points=0), "`time_points` must be at least 1. Received: 0."),
        (dict(percentiles=(99.0, 1.0)), r"`percentiles` names the lower number first. Received: \(99.0, 1.0\)."),
        (dict(percentiles=(5.0, 5.0)), r"`percentiles` names the lower number first. Received: \(5.0, 5.0\)."),
        (dict(percentiles=(1.0, 101.0)), "`percentiles` must be at most 100.0"),
        (dict(noise_range=(0.2, 0.1)), r"`noise_range` names the lower number first. Received: \(0.2, 0.1\)."),
        (dict(split="frames"), "`split` must be one of slices, random. Received: 'frames'."),
        (dict(network="slice_autoencoder", filters=(1, 2, 3)), "`network` slice_autoencoder has two levels"),
        (dict(filters=(1, 2, 3)), "`filters` and `depths` name the same levels"),
        (dict(examples=0), "`examples` must be at least 1. Received: 0."),
    ],
)
def test_options_that_do_not_fit_are_refused_by_their_name(values, message):
    with pytest.raises(InputError, match=message):
        cnn.Config(**values)


def test_one_noise_level_is_a_range_of_equal_ends():
    assert cnn.Config(noise_range=(0.06, 0.06)).noise_range == (0.06, 0.06)


@pytest.mark.parametrize("name", cnn.PRESETS)
def test_each_preset_is_valid_and_survives_json(name):
    config = cnn.Config(**cnn.PRESETS[name])
    assert {key: getattr(config, key) for key in cnn.PRESETS[name]} == cnn.PRESETS[name]
    assert cnn.Config.from_json(json.loads(json.dumps(config.to_json()))) == config


def test_no_path_of_the_users_is_stored():
    assert "anna" not in str(cnn.Config(save_dataset="/home/anna/slices.npz").to_json())


def slices(noisy=True):
    clean = np.random.default_rng(0).random((5, 6, 4)).astype(np.float32)
    return Slices(clean, np.linspace(0.1, 0.3, 5, dtype=np.float32), clean if noisy else None, zooms=((1.0, 2.0, 3.0),))


def test_the_facts_of_a_data_set_are_its_own():
    facts = cnn.facts([slices()], cnn.Config())
    assert facts == {"zooms": [[1.0, 2.0, 3.0]], "sigma": pytest.approx([0.1, 0.3])}
    assert json.dumps(facts)


def test_the_facts_of_scans_are_their_voxels_and_the_noise_asked_for(write_nifti, rng):
    images = cnn.open_inputs([str(write_nifti(rng.random((5, 6, 7)).astype(np.float32)))], cnn.Config(), False)
    facts = cnn.facts(images, cnn.Config(noise_range=(0.01, 0.1)))
    assert facts["sigma"] == [0.01, 0.1]
    np.testing.assert_allclose(facts["zooms"], [[2, 2.5, 3]], rtol=1e-5)


def test_a_data_set_is_trained_from_alone(tmp_path):
    data = np.random.default_rng(0).random((5, 6, 4))
    np.savez(tmp_path / "slices.npz", clean=data, noisy=data)
    path = str(tmp_path / "slices.npz")
    (opened,) = cnn.open_inputs([path], cnn.Config(), False)
    np.testing.assert_allclose(opened.clean, data, rtol=1e-6)
    with pytest.raises(InputError, match="trained from alone. Received: 2 files, .*slices.npz among them"):
        cnn.open_inputs([path, "scan.nii.gz"], cnn.Config(), False)
    with pytest.raises(InputError, match="`save_dataset` writes the slices cut from images.*a data set already"):
        cnn.open_inputs([path], cnn.Config(save_dataset="other.npz"), False)
