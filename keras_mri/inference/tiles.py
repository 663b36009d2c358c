"""From a network to a function on whole volumes: tiles where memory asks for them, mirrored averaging on request."""

import functools
import itertools
import logging
import math
import typing

import numpy as np

from keras_mri.errors import InputError
from keras_mri.inference.tile_grid import PatchGrid
from keras_mri.inference.volume_bar import volume_bar
from keras_mri.io.memory import available_bytes
from keras_mri.networks.geometry import geometry

_LOGGER = logging.getLogger(__name__)
# More memory than this makes a processor no faster, and a laptop has other things to do.
_MOST_BYTES = 700e6
# Where halos would be more than this share of the work, larger tiles do help: up to so much is used if twice as much is available.
_HALOS, _MOST_BYTES_AGAINST_HALOS = 0.1, 6e9
# Tiles of a network without a bounded reach extend by this share of their side into each neighbour.
_BLEND_SHARE = 0.25


def predictor(network, shape, tile=None, mirror_axes=(), overlap=None, progress=None):
    """Prepare a network for volumes of one shape.

    A convolutional network runs on the whole volume, or on tiles with a halo as wide as its reach, which gives the same
    result up to rounding. A network whose reach has no bound (it normalises over space, or attends) runs on overlapping
    tiles that are blended; so does, on request, a network whose reach is large beside a tile, because halos would be most
    of the work.

    Parameters
    ----------
    network : keras.Model
        From (batch, x, y, z, channels) to (batch, x, y, z, 1), or to as many channels.
    shape : tuple of int, (x, y, z)
    tile : tuple of int, optional
        Voxels of a tile; chosen from the memory at hand if not given.
    mirror_axes : sequence of int
        Average the results for the volume and its mirror images along every choice of these axes.
    overlap : int, optional
        Blend tiles that go on for this many voxels beyond their share on either side, instead of cutting exact halos off.
    progress : bool, optional
        Show a bar for each volume, on a terminal only; none by default, because the frames of a run are counted elsewhere.

    Returns
    -------
    callable
        From an ndarray of float32, shape (x, y, z, channels), to one of shape (x, y, z), or (x, y, z, channels) if the network's
        output has several.

    Raises
    ------
    InputError
        If `tile` is not larger than twice the network's reach; when it runs, if even the smallest tiles do not fit in memory.
    """
    facts = geometry(network)
    most_bytes = _MOST_BYTES
    tiling = _tiling(facts, shape, tile, overlap, most_bytes)
    # The smallest tiles that will do, so that time grows with the voxels and memory no more than it must.
    while tiling.exact and not tile and tiling.halos > _HALOS and most_bytes < _MOST_BYTES_AGAINST_HALOS:
        most_bytes = min(2 * most_bytes, _MOST_BYTES_AGAINST_HALOS)
        tiling = min(tiling, _tiling(facts, shape, None, overlap, most_bytes), key=lambda tiling: tiling.halos)
    tiles = _Tiles(network, shape, tiling, None if tile else functools.partial(_tiling, facts, shape, None, overlap))
    return mirrored(tiles, mirror_axes, progress)


def mirrored(run, mirror_axes, progress=None):
    """Average a restoration over the mirror images of its input.

    Parameters
    ----------
    run : callable
        `run(data, advance)` returns an ndarray of float32 with the same x, y, z as `data`, and calls `advance` with the share of its
        work that each part was; `advance` returns the sum so far.
    mirror_axes : sequence of int
        Every choice of these axes is mirrored before `run`, and back after it.
    progress : bool, optional
        Show a bar for each volume, on a terminal only.

    Returns
    -------
    callable
        From `data`, shape (x, y, z, …), to the average.
    """
    chosen = [axes for count in range(len(mirror_axes) + 1) for axes in itertools.combinations(mirror_axes, count)]

    def average(data):
        with volume_bar(data.shape[:3], len(chosen), progress) as advance:
            restored = run(data, advance)
            for axes in chosen[1:]:
                restored = restored + np.flip(run(np.flip(data, axes), advance), axes)
            return restored / np.float32(len(chosen))

    return average


class _Tiling(typing.NamedTuple):
    """How a volume is cut, whether the tiles' halos are as wide as the network's reach, and the memory that a tile takes."""

    grid: PatchGrid
    exact: bool
    bytes: float

    @property
    def halos(self):
        """Voxels that tiles compute more than once, as a share of the volume's."""
        return len(self.grid.starts()) * math.prod(self.grid.window) / math.prod(self.grid.shape) - 1


class _Tiles:
    """Run a network tile by tile; where there is less memory than it seemed, in smaller tiles.

    Parameters
    ----------
    network : keras.Model
    shape : tuple of int
    tiling : _Tiling
    smaller : callable or None
        From bytes to another tiling; None where the tile is the user's choice.
    """

    def __init__(self, network, shape, tiling, smaller):
        self.network, self.shape, self.tiling, self.smaller = network, shape, tiling, smaller

    def __call__(self, data, advance):
        """Return the network's output for the volume `data`; `advance` takes the share of each tile and returns their sum."""
        while True:
            before = advance(0)
            try:
                return self._run(data, advance)
            except Exception as error:
                if not _out_of_memory(error):
                    raise
                self._shrink(error)
                # These tiles are run again.
                advance(before - advance(0))

    def _run(self, data, advance):
        grid, exact, _ = self.tiling
        margins = [(0, full - side) for full, side in zip(grid.shape, self.shape)]
        padded = np.pad(data, [*margins, (0, 0)], mode="reflect")
        share = 1 / len(grid.starts())

        def results():
            for corner, window in grid.split(padded):
                yield corner, _single(np.asarray(self.network.predict_on_batch(window[None]))[0])
                advance(share)

        restored = grid.merge(results()) if exact else grid.blend(results())
        return restored[tuple(slice(side) for side in self.shape)]

    def _shrink(self, error):
        """Take tiles for which half the memory will do; raise InputError if there are no smaller ones."""
        window = self.tiling.grid.window
        smaller = self.smaller(self.tiling.bytes / 2) if self.smaller else self.tiling
        if math.prod(smaller.grid.window) >= math.prod(window):
            raise InputError(
                f"there is not enough memory for tiles of {' × '.join(map(str, window))} voxels. Close other programs, "
                + ("use a smaller `tile`" if self.smaller is None else "use a machine with more memory")
                + ", or set CUDA_VISIBLE_DEVICES= to compute on the processor."
            ) from error
        _LOGGER.warning("not enough memory for tiles of %s voxels: going on with %s", window, smaller.grid.window)
        self.tiling = smaller


def _out_of_memory(error):
    """Return whether an error of any backend means that memory is exhausted; each backend has its own class."""
    words = ("ResourceExhausted", "RESOURCE_EXHAUSTED", "OutOfMemory", "out of memory", "Out of memory")
    return isinstance(error, MemoryError) or any(word in type(error).__name__ + str(error) for word in words)


def _tiling(facts, shape, tile, overlap, most_bytes):
    """Cut a volume of one shape for a network of this geometry, in tiles of the user's or such as the memory allows."""
    exact = bool(facts.reach) and overlap is None
    padded = tuple(side + -side % facts.stride for side in shape)
    most_bytes = min(most_bytes, 0.5 * available_bytes())
    if exact:
        halo = tuple(reach + -reach % facts.stride for reach in facts.reach)
        window = _clipped(tile, padded, facts.stride) if tile else _window(padded, halo, facts, most_bytes)
    else:
        # Halves that overlap are still two; halves that are only then made to overlap would be three.
        margin = (overlap or 0) + -(overlap or 0) % facts.stride
        window = _clipped(tile, padded, facts.stride) if tile else _window(padded, (margin,) * 3, facts, most_bytes)
        wanted = [int(_BLEND_SHARE * size) if overlap is None else overlap for size in window]
        halo = tuple(min(margin, (size - facts.stride) // 2) for margin, size in zip(wanted, window))
    grid = PatchGrid(padded, window, tuple(h if size < side else 0 for h, size, side in zip(halo, window, padded)), facts.stride)
    return _Tiling(grid, exact, math.prod(window) * facts.bytes_per_voxel)


def _single(output):
    """Leave out the channel axis where there is one channel only."""
    return output[..., 0] if output.shape[-1] == 1 else output


def _clipped(tile, shape, stride):
    """Return a tile no larger than the volume, its sides rounded up to multiples of the stride."""
    return tuple(min(side, size + -size % stride) for size, side in zip(tile, shape))


def _window(shape, halo, facts, most_bytes):
    """Return the largest window that needs no more memory, made by cutting the longest side again and again."""
    window = list(shape)
    smallest = [min(side, max(2 * h + 4 * facts.stride, 2 * h + 8)) for side, h in zip(shape, halo)]
    smallest = [side + -side % facts.stride for side in smallest]
    while np.prod(window) * facts.bytes_per_voxel > most_bytes:
        axis = int(np.argmax([size - least for size, least in zip(window, smallest)]))
        if window[axis] <= smallest[axis]:
            break
        halved = -(-window[axis] // 2) + halo[axis]
        halved += -halved % facts.stride
        window[axis] = max(smallest[axis], min(halved, window[axis] - facts.stride))
    return tuple(window)
