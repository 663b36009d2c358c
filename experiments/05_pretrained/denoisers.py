"""What the tables of real and drawn noise compare: filters with what each is told, and our networks, which are told nothing.

Each takes a noisy volume (ndarray of float32, shape (x, y, z)), what may be known of it and its affine, and returns a restored one.
"""

import dataclasses
import hashlib
import pathlib
import typing

import numpy as np

from experiments.baselines import bm4d, dipy_nlm, smooth, spectral_power
from keras_mri.io.volumes import Volume
from keras_mri.systems.network_files import load_network, path_of_network

# Voxels; 0 leaves the scan as it is.
WIDTHS = (0, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0)
_GROUP_OF = {"t1w": "T1w", "epi": "EPI"}


class Known(typing.NamedTuple):
    """What is known of a noisy volume.

    Parameters
    ----------
    truth : ndarray of float32, shape (x, y, z)
    region : ndarray of bool, shape (x, y, z)
        Where it is scored.
    sigma : float
        SD of the noise (root of its mean square), in the unit of the volume.
    spectrum : ndarray of float64, shape (x, y, z), optional
        Power of each frequency in the order of `fftn`, mean 1; where it is not flat.
    rician : bool
    """

    truth: np.ndarray
    region: np.ndarray
    sigma: float
    spectrum: np.ndarray | None = None
    rician: bool = False


class Method(typing.NamedTuple):
    """A denoiser, and what it is told; `serves` tells whether it makes sense for what is known, `digest` names a network's file."""

    told: str
    restore: typing.Callable
    serves: typing.Callable = lambda known: True
    digest: str = ""


def _best_gaussian(noisy, known, affine):
    candidates = [smooth(noisy, width) if width else noisy for width in WIDTHS]
    return min(candidates, key=lambda image: np.mean(np.square(image - known.truth, dtype=np.float64)[known.region]))


def _of_spectrum(noisy, known, affine):
    return bm4d(noisy, spectral_power(known.spectrum, known.sigma))


def without_bias(image, sigma):
    """Return a magnitude without most of its bias, √(m² − σ²): right where the signal is well above the noise."""
    return np.sqrt(np.maximum(np.square(image) - np.float32(sigma**2), 0))


FILTERS = {
    "input": Method("", lambda noisy, known, affine: noisy),
    "best Gaussian": Method("the truth", _best_gaussian),
    "BM4D": Method("σ", lambda noisy, known, affine: bm4d(noisy, known.sigma)),
    "BM4D, spectrum": Method("σ, spectrum", _of_spectrum, lambda known: known.spectrum is not None),
    "DIPY NLM": Method("σ", lambda noisy, known, affine: dipy_nlm(noisy, known.sigma, known.rician)),
}


def network(model, label="ours", keep_bias=False, precision="float32"):
    """Return the name of a network in the tables, and its Method.

    Parameters
    ----------
    model : str
        A file, or the name of a pre-trained network.
    label : str
        Put before the file's name.
    keep_bias : bool
        The truth is a mean of magnitudes, and so has their bias.
    precision : {"float32", "bfloat16"}
        Of the hidden layers.

    Returns
    -------
    name : str
    method : Method
    """
    from keras_mri.systems import get_settings, get_system

    path = pathlib.Path(path_of_network(model))
    checkpoint = load_network(path)
    system, config = get_system(checkpoint.system), get_settings(checkpoint.system).PredictConfig
    # Networks of releases before 0.19 know no bias.
    known = {field.name for field in dataclasses.fields(config)}
    options = config(precision=precision, **{"keep_bias": True} if keep_bias and "keep_bias" in known else {})

    def restore(noisy, known, affine):
        return system.predict(checkpoint, [Volume.from_array(noisy, affine, name="scan")], options).frame(0)

    return f"{label}: {path.stem}", Method("", restore, digest=hashlib.sha256(path.read_bytes()).hexdigest()[:8])


def groups_of(model):
    """Return the groups of heads that a network is for, by its name: T1w, EPI, or all of them."""
    stem = pathlib.Path(model).stem.lower()
    return next(((group,) for part, group in _GROUP_OF.items() if part in stem), ("T1w", "EPI", "other"))


def checked(parser, arguments):
    """Return the parsed arguments of a command whose words are `filters`, or `networks` and at least one of them."""
    chosen = parser.parse_args(arguments)
    if chosen.what == "networks" and not chosen.models:
        parser.error("name the networks, by files or names: networks wgan_t1w")
    if chosen.what == "filters" and chosen.models:
        parser.error(f"filters takes no networks. Received: {' '.join(chosen.models)}")
    return chosen
