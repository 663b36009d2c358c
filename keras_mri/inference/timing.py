"""How long a network's prediction takes, and the part of a scan whose pictures a time budget can afford."""

import math
import time

import numpy as np

from keras_mri.networks.precision import in_float32, with_hidden_layers_in
from keras_mri.training import clock

# Voxels of the block that is timed, and the least side of a picture.
_BLOCK, _LEAST_SIDE = (32, 32, 16), 16


def expect_pictures(network, voxels, precision="float32"):
    """Keep time, of a time budget that is running, for a network's prediction after the training; does nothing without one.

    Parameters
    ----------
    network : keras.Model
        From (batch, x, y, z, channels); its weights do not matter.
    voxels : int
        Of all images that will be predicted.
    precision : {"float32", "bfloat16"}
        Of the hidden layers.
    """
    running = clock.current()
    if running and running.writes:
        running.speed = speed_of(network, precision)
        running.expect_pictures(voxels)


def speed_of(network, precision="float32"):
    """Time a network on a small block: seconds before the first voxel, and for each, float twice. Parameters as above."""
    copy, block = with_hidden_layers_in(in_float32(network), precision), np.zeros((1, *_BLOCK, network.input_shape[-1]), np.float32)
    moments = [time.monotonic()]
    for _ in range(2):
        copy.predict_on_batch(block)
        moments.append(time.monotonic())
    first, second = np.diff(moments)
    return max(0.0, float(first - second)), float(second) / math.prod(_BLOCK)


def affordable_voxels():
    """Return of how many voxels the pictures of the time budget that is running may be made: float, infinite without one."""
    running = clock.current()
    return running.affordable() if running else math.inf


def affordable_box(shape):
    """Return the middle of a volume, as large as the pictures of the time budget that is running may be.

    Parameters
    ----------
    shape : tuple of int, (x, y, z)

    Returns
    -------
    tuple of slice
        Of the whole volume without a budget.
    """
    share = min(1.0, affordable_voxels() / math.prod(shape))
    sides = [side if share == 1 else min(side, max(_LEAST_SIDE, int(side * share ** (1 / 3)))) for side in shape]
    return tuple(slice((full - side) // 2, (full - side) // 2 + side) for full, side in zip(shape, sides))
