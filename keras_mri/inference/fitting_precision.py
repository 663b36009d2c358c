"""The precision "auto": bfloat16 where the processor is made for it and the noise of the scan at hand hides the difference."""

import logging
import math
import pathlib
import typing

import keras
import numpy as np

from keras_mri.imaging.noise import estimate_sigma
from keras_mri.inference.tiles import predictor
from keras_mri.networks.precision import has_bfloat16, with_hidden_layers_in

_LOGGER = logging.getLogger(__name__)
# The most by which bfloat16 may change a result, in SD of the noise.
MOST_OF_NOISE = 0.1
# Voxels through the network from which on the time saved exceeds that of the trial, some two seconds.
LEAST_VOXELS = 4_000_000
# Blocks that are computed both ways: their side, and their places along the longest axis.
_BLOCK, _PLACES = 32, (0.25, 0.5, 0.75)


class Trial(typing.NamedTuple):
    """What both precisions are tried on.

    Parameters
    ----------
    data : ndarray of float32, shape (x, y, z, channels)
        As the network sees it.
    sigma : float
        SD of the noise, in the unit of the network's output.
    """

    data: np.ndarray
    sigma: float


def trial_of(data):
    """Return the Trial of data whose noise is estimated in the middle channel: ndarray of float32, shape (x, y, z, channels)."""
    return Trial(data, estimate_sigma(data[..., data.shape[-1] // 2]))


class FittingPrecision:
    """A network in the precision asked for; "auto" is settled once, by a trial on the scan.

    Whether a processor is made for bfloat16 is read from its flags and never timed: one machine gives one result. Small scans, GPUs
    and backends other than TensorFlow stay in float32.

    Parameters
    ----------
    network : keras.Model
        Functional, float32.
    wanted : {"auto", "float32", "bfloat16"}
    voxels : int
        How many the network will see in all frames or maps.
    name : str
        Of the scan, for the log.
    facts : dict
        Of the result: gets `precision`, a dict with `used` and, where there was a trial, `difference` in SD of the noise.
    """

    def __init__(self, network, wanted, voxels, name, facts):
        self._original, self._name, self._facts, self._settled = network, name, facts, None
        self._wanted = "float32" if wanted == "auto" and not (voxels >= LEAST_VOXELS and made_for_bfloat16()) else wanted

    def network(self, trial):
        """Return the network.

        Parameters
        ----------
        trial : callable
            Returns a Trial; called once, and only by "auto" on a machine made for bfloat16.

        Returns
        -------
        keras.Model
        """
        if self._settled is None:
            self._settled = self._tried(trial()) if self._wanted == "auto" else self._in(self._wanted)
        return self._settled

    def _in(self, precision, **measured):
        self._facts["precision"] = {"used": precision, **measured}
        return with_hidden_layers_in(self._original, precision)

    def _tried(self, trial):
        difference = difference_of_bfloat16(self._original, trial)
        name = pathlib.PurePath(self._name).name
        if difference < MOST_OF_NOISE:
            _LOGGER.info("%s: computed in bfloat16, which changes the result by %.2g %% of its noise", name, 100 * difference)
            return self._in("bfloat16", difference=round(difference, 5))
        if not math.isfinite(difference):
            _LOGGER.info("%s: computed in float32: no noise was found that would hide the difference of bfloat16", name)
            return self._in("float32")
        _LOGGER.info("%s: computed in float32: bfloat16 would change the result by %.2g %% of its noise", name, 100 * difference)
        return self._in("float32", difference=round(difference, 5))


def made_for_bfloat16():
    """Return whether predictions are faster in bfloat16 here: TensorFlow, no GPU, and a processor with instructions for it."""
    return has_bfloat16() and keras.backend.backend() == "tensorflow" and not keras.distribution.list_devices("gpu")


def difference_of_bfloat16(network, trial):
    """Measure by how much bfloat16 changes a network's output.

    Parameters
    ----------
    network : keras.Model
        Functional, float32.
    trial : Trial

    Returns
    -------
    float
        RMS difference over that of three blocks in which it is largest, in SD of the noise; infinite where no noise was found.
    """
    if not trial.sigma > 0:
        return math.inf
    shape = trial.data.shape[:3]
    sides = tuple(min(side, _BLOCK) for side in shape)
    runs = [predictor(each, sides) for each in (network, with_hidden_layers_in(network, "bfloat16"))]
    differences = []
    for place in _PLACES:
        along = [place if axis == int(np.argmax(shape)) else 0.5 for axis in range(3)]
        first = [int(share * (whole - side)) for share, whole, side in zip(along, shape, sides)]
        block = trial.data[tuple(slice(start, start + side) for start, side in zip(first, sides))]
        one, other = (run(block) for run in runs)
        differences.append(float(np.sqrt(np.mean((one - other) ** 2, dtype=np.float64))))
    return max(differences) / trial.sigma
