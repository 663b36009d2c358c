"""What the files in this folder were trained on and with, and what each of them predicts."""

import gzip
import pathlib

import numpy as np

from keras_mri.imaging.kspace import finer_affine
from keras_mri.io.volumes import Volume
from keras_mri.systems import get_settings, get_system
from keras_mri.systems.network_files import load_network

FOLDER = pathlib.Path(__file__).parent
LENGTH = "--epochs 1 --steps-per-epoch 4 --deterministic --precision float32 --seed 3".split()
_PATCH = "--patch-shape 8 8 8".split()
_N2A = ("--initial none --filters 2 --iterations 1 --no-align --batch-size 2 --scaling zscore --restore each --mirror left-right").split()
# system → scans; options of the training: where prediction depends on one, it is not the default, which a lost value would become
TRAININGS = {
    "wgan": (1, [*"--frames 3 --filters 2 2 --depths 1 1 --warm-up 0.4 --batch-size 2 --scaling minmax".split(), *_PATCH]),
    "n2a": (2, [*_N2A, *_PATCH]),
    "sr": (1, [*"--simulate 2 2 1 --filters 2 2 --depths 1 1 --scaling volume --discriminator-filters 2".split(), *_PATCH]),
    "cnn": (1, "--network slice_autoencoder --filters 2 2 --batch-size 2 --axis 1 --percentiles 1 99".split()),
    "ldm": (
        1,
        "--filters 2 2 --unet-filters 2 2 --latent-channels 2 --diffusion-steps 20 --schedule linear --prediction noise --coarse 2 2 1 "
        "--scaling minmax --no-shortcut".split(),
    ),
}
_PREDICTIONS = {"n2a": dict(align=False), "ldm": dict(task="super-resolution", steps=4, seed=1)}
_SHAPE, _FRAMES = (16, 14, 12), 6


def scan(system, number=0):
    """Make a scan by a formula: an ellipsoid with smooth structure, and noise; a run where the system takes one.

    Parameters
    ----------
    system : str
    number : int
        Seed of the noise.

    Returns
    -------
    Volume
        Of unequal sides and zooms.
    """
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, side) for side in _SHAPE), indexing="ij")
    inside = (x / 0.85) ** 2 + (y / 0.8) ** 2 + (z / 0.9) ** 2 < 1
    clean = np.where(inside, 700 + 200 * np.cos(5 * x + 1) * np.cos(4 * y) + 100 * np.sin(6 * z), 0.0)
    frames = () if system in ("n2a", "sr") else (_FRAMES,)
    noise = np.random.default_rng(number).normal(0, 40, (*_SHAPE, *frames))
    data = np.abs((clean[..., None] if frames else clean) + noise).astype(np.float32)
    return Volume.from_array(data, np.diag([-2.0, 2.5, 3.0, 1.0]))


def unpacked(path, folder):
    """Unpack FORMAT_SYSTEM.h5.gz into a folder: pathlib.Path of the network."""
    target = pathlib.Path(folder) / path.stem
    target.write_bytes(gzip.decompress(path.read_bytes()))
    return target


def predicted(path):
    """Load a network's file and return some voxels of its prediction.

    Parameters
    ----------
    path : pathlib.Path

    Returns
    -------
    ndarray of float32, shape (n,)
    """
    checkpoint = load_network(path)
    name = checkpoint.system
    images = [_coarse(scan(name)) if name == "ldm" else scan(name, number) for number in range(TRAININGS[name][0])]
    options = get_settings(name).PredictConfig(**_PREDICTIONS.get(name, {}))
    restored = get_system(name).predict(checkpoint, images, options)
    return np.asarray(restored.frame(restored.n_frames - 1)[::4, 1::4, 2::4], np.float32).ravel()


def _coarse(run):
    """Return the first frame with voxels twice as long and wide: means of four."""
    data = run.frame(0).reshape(_SHAPE[0] // 2, 2, _SHAPE[1] // 2, 2, _SHAPE[2]).mean((1, 3))
    return Volume.from_array(data, finer_affine(run.affine, (0.5, 0.5, 1.0)))
