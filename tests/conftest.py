"""Fixtures of the whole suite: odd shapes, an oblique affine, quiet TensorFlow."""

import gc
import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import nibabel  # noqa: E402
import numpy as np  # noqa: E402
import pytest  # noqa: E402

from keras_mri import phantoms  # noqa: E402


@pytest.fixture(scope="module", autouse=True)
def forget_networks():
    """Let go of what a module built: with gigabytes of dead graphs, one collection takes most of a minute.

    What is left by then stays for good (TensorFlow's modules, its traced functions), so later collections need not look at it.
    """
    yield
    if "keras" in sys.modules:
        sys.modules["keras"].utils.clear_session()
        gc.collect()
        gc.freeze()


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def affine():
    return phantoms.oblique_affine()


@pytest.fixture
def write_nifti(tmp_path, affine):
    """Return a function that writes an array as NIfTI in a temporary folder and returns its path."""

    def write(data, name="scan.nii.gz", affine=affine, header=None):
        path = tmp_path / name
        nibabel.save(nibabel.Nifti1Image(data, affine, header), path)
        return path

    return write


@pytest.fixture
def in_this_checkout():
    """Return the environment in which a subprocess elsewhere finds this package."""
    return {**os.environ, "PYTHONPATH": str(pathlib.Path(__file__).parents[1])}
