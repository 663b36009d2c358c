"""Fixtures of the whole suite: odd shapes, an oblique affine, quiet TensorFlow."""

import contextlib
import gc
import io
import os
import pathlib
import shutil
import sys
import types

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
# Two workers of pytest-xdist share two cores, and networks of two channels have no use for a second thread.
for _name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import filelock  # noqa: E402
import nibabel  # noqa: E402
import numpy as np  # noqa: E402
import pytest  # noqa: E402
from scipy import ndimage  # noqa: E402

from keras_mri.imaging import phantoms  # noqa: E402


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


@contextlib.contextmanager
def without_graphs():
    """Run a few steps as they are: tracing their graphs would take most of the time."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(False)


@pytest.fixture
def eagerly():
    """Run the test `without_graphs`."""
    with without_graphs():
        yield


@pytest.fixture(scope="session")
def trained_pair(tmp_path_factory, worker_id):
    """Train latent diffusion once for all workers: the paths of what it read and wrote, and what it printed."""
    shared = tmp_path_factory.getbasetemp()
    folder = (shared if worker_id == "master" else shared.parent) / "latent_diffusion"
    with filelock.FileLock(f"{folder}.lock"):
        if not (folder / "errors.txt").is_file():
            _train_pair(folder)
    files = {"scan": "bold.nii.gz", "events": "events.tsv", "path": "out/ldm.h5"}
    paths = {name: str(folder / file) for name, file in files.items()}
    return types.SimpleNamespace(**paths, folder=folder / "out", errors=(folder / "errors.txt").read_text(encoding="utf-8"))


def _train_pair(folder):
    """From the command line, on ten smooth heads of ten people, two seconds apart; the last two are held out."""
    from keras_mri import train

    heads = [ndimage.gaussian_filter(phantoms.head((13, 15, 11), seed)[0], 1.0) for seed in range(10)]
    image = nibabel.Nifti1Image(np.stack(heads, axis=-1), phantoms.oblique_affine())
    image.header.set_zooms((*image.header.get_zooms()[:3], 2.0))
    scan, events, out = folder / "bold.nii.gz", folder / "events.tsv", folder / "out"
    shutil.rmtree(folder, ignore_errors=True)
    out.mkdir(parents=True)
    nibabel.save(image, scan)
    events.write_text("onset\tduration\ttrial_type\n0\t4\tlh\n6\t8\trh\n")
    sizes = "--filters 8 16 --latent-channels 4 --unet-filters 16 --batch-size 2 --diffusion-batch-size 4".split()
    sizes += "--diffusion-steps 20 --precision float32".split()
    length = "--epochs 4 --steps-per-epoch 20 --autoencoder-share 0.75 --learning-rate 3e-3 --lag 0".split()
    with contextlib.redirect_stderr(io.StringIO()) as errors:
        status = train.main(["ldm", str(scan), "--events", str(events), *sizes, *length, "-o", str(out / "ldm.h5")])
    assert status == 0, errors.getvalue()
    (folder / "errors.txt").write_text(errors.getvalue(), encoding="utf-8")


@pytest.fixture
def bids(tmp_path, write_nifti):
    """Return a function that makes a folder of subjects with two sessions each, in any order of writing."""

    def make(*subjects):
        for name in subjects:
            for session in (1, 2):
                folder = tmp_path / f"sub-{name}" / f"ses-{session}" / "anat"
                folder.mkdir(parents=True)
                data = phantoms.head((19, 17, 14), seed=int(name))[0] * (1 if session == 1 else 2.5) + session
                write_nifti(data, folder / f"sub-{name}_ses-{session}_T1w.nii.gz")
        return tmp_path

    return make
