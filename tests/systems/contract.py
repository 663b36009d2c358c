"""What every system keeps to: the same test for each of them."""

import contextlib

import keras
import nibabel
import numpy as np

from keras_mri.io import nifti_writing
from keras_mri.saving import checkpoints
from keras_mri.systems import get_settings, get_system
from keras_mri.systems.network_files import checkpoint_for, load_network
from tests.conftest import without_graphs


def trained(system, images, config, callbacks=()):
    """Train by the verbs in their order, without the files that a command writes: returns the network."""
    config = system.settle(config)
    return system.train(system.prepare(images, config), config, callbacks)


def check_contract(name, images, tmp_path, *, predicted=None, same_weights=True, once=False, **settings):
    """Train twice for two steps, save, load with bare Keras, predict, and compare.

    Parameters
    ----------
    name : str
        Of the system.
    images : list of path
        Scans to train on, NIfTI.
    tmp_path : path
    predicted : list of path, optional
        Scans to predict; the first of `images` by default.
    same_weights : bool
        Compare weights of two trainings; without it only outputs: a bias before BatchNormalization has no gradient but
        rounding, which Adam without momentum turns into steps of full size.
    once : bool
        Train once and without graphs, where another parametrisation has shown that the system is traced and one seed decides.
    **settings
        Of the system's Config.

    Returns
    -------
    Checkpoint, Volume
        The loaded network and its prediction.
    """
    system, options = get_system(name), get_settings(name)
    config = options.Config(epochs=1, steps_per_epoch=2, batch_size=2, **settings)
    with without_graphs() if once else contextlib.nullcontext():
        networks = [trained(system, images, config) for _ in range(1 if once else 2)]
    assert all(np.isfinite(weight).all() for weight in networks[0].get_weights())
    if same_weights:
        for first, second in zip(networks[0].get_weights(), networks[-1].get_weights(), strict=True):
            # Threads add up in another order each time: equal to the last digits, not beyond.
            np.testing.assert_allclose(first, second, rtol=1e-3, atol=1e-6, err_msg="one seed, two networks")
    else:
        assert checkpoints.same_output(networks[0], networks[-1], tolerance=1e-2), "one seed, two networks"
    assert {layer.compute_dtype for layer in networks[0]._flatten_layers() if layer.weights} == {"float32"}

    path = tmp_path / "network.h5"
    checkpoints.save(checkpoint_for(networks[0], name, config), path)
    checkpoint = load_network(path)
    bare = keras.models.load_model(path, compile=False)
    assert checkpoints.same_output(bare, networks[0])

    scans = predicted or images[:1]
    restored = system.predict(checkpoint, scans, options.PredictConfig())
    nifti_writing.save(restored, tmp_path / "restored.nii.gz")
    before, after = nibabel.load(scans[0]), nibabel.load(tmp_path / "restored.nii.gz")
    assert after.shape == before.shape and np.isfinite(after.get_fdata()).all()
    np.testing.assert_array_equal(after.affine, before.affine)
    for field in before.header:
        if field not in ("datatype", "bitpix", "scl_slope", "scl_inter", "vox_offset"):
            np.testing.assert_array_equal(after.header[field], before.header[field], err_msg=field)
    return checkpoint, restored
