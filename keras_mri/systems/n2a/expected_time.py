"""How long the restoration of the scan takes after the training, and what of it fits into a time budget."""

import math

from keras_mri.errors import remark
from keras_mri.inference.timing import speed_of
from keras_mri.io.grids import bounding_box
from keras_mri.training.clock import current

# Voxels by which neighbouring tiles go on beyond their share. The MU-Net's reach is 21, but beyond this its output hardly
# changes, and exact halos would be nine tenths of the work.
OVERLAP = 8
# Restorations that are averaged; of the time left before training, the share that the scan's restoration after it may take.
_IMAGES, _FOR_OUTCOME = {"all": 8, "left-right": 2, "none": 1}, 0.35


def expect_outcome(network, scan, config):
    """Keep time of a budget for the restoration of the scan, with fewer mirror images where all of them would take most of it.

    Parameters
    ----------
    network : keras.Model
    scan : keras_mri.systems.n2a.repetitions.Repetitions
    config : Config
    """
    clock = current()
    if clock is None or not clock.writes:
        return
    clock.speed = speed_of(network, config.precision)
    mirror = mirror_in_time(scan, config, _FOR_OUTCOME * (clock.end - clock.elapsed()))
    clock.following = _seconds_of(scan, config, mirror)
    if mirror != config.mirror:
        remark(
            scan.reference.name,
            f"to restore it with `mirror` {config.mirror} takes about {_seconds_of(scan, config, config.mirror):.0f} s, too much of the "
            f"time budget: it is restored with `mirror` {mirror}; predict with the network for the better result",
        )


def mirror_in_time(scan, config, seconds):
    """Return the choice of mirror images, of those asked for at most, whose restoration takes so many seconds; the least if none does.

    Parameters
    ----------
    scan : keras_mri.systems.n2a.repetitions.Repetitions
    config : Config
    seconds : float or None
        None, or 0, where time does not count.

    Returns
    -------
    {"none", "left-right", "all"}
    """
    if not seconds or current().speed is None:
        return config.mirror
    choices = [mirror for mirror in ("all", "left-right", "none") if _IMAGES[mirror] <= _IMAGES[config.mirror]]
    return next((mirror for mirror in choices if _seconds_of(scan, config, mirror) <= seconds * 1.001), "none")


def _seconds_of(scan, config, mirror):
    """Return about how long the scan's restoration takes, by the clock's measure of a prediction."""
    first, each = current().speed
    voxels = math.prod(side.stop - side.start for side in bounding_box(scan.mask, (OVERLAP,) * 3))
    frames = scan.data.shape[-1]
    # Frames of a run are computed anew for picture and verdict.
    voxels *= frames if frames == 1 else frames + 2
    return first + each * voxels * _IMAGES[mirror] * (len(scan.data) if config.restore == "each" else 1)
