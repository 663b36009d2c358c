"""Voxels that hold what no tissue has: found, hidden from networks by their neighbours' values, and put back as measured."""

import dataclasses
import functools
import itertools
from collections.abc import Callable

import numpy as np
from scipy import ndimage, sparse

from keras_mri.errors import remark
from keras_mri.imaging.foreground import has_bright_air
from keras_mri.imaging.intensity import far_range, pedestal_of, some_of
from keras_mri.io.volumes import Volume

# Frames of a run from which the usual intensities are known.
_FRAMES = 4
# In ranges of the usual intensities: beyond the first, a voxel is extreme if it stands alone; beyond the second, in a group of so few
# voxels; beyond the third, always. Between the last two, a large group may be an object in a field of view of air.
_ALONE, _FEW, _ALWAYS = 2.0, 9.0, 100.0
_FEWEST = 27
# Share of the voxels from which on one value pads a scan.
_PADDED = 0.005
# Alone: so many times farther out than the second farthest neighbour, as the first may be extreme too. Vessels and pile-up reach 1.5.
_TIMES, _PAIR = 3.0, 2
_AROUND = np.array([step for step in itertools.product((-1, 0, 1), repeat=3) if any(step)])
# Frames away in which an extreme voxel's own value is looked for, unless their neighbours are so many times brighter or darker.
_AWAY, _MOST_CHANGE = 2, 5.0


@dataclasses.dataclass(frozen=True, eq=False)
class Seen:
    """A scan as networks see it.

    Parameters
    ----------
    measured : Volume
        The scan as it is.
    volume : Volume
        What networks see: extreme voxels hold what their neighbours hold, and a pedestal is taken off. The scan itself where it has
        neither.
    pedestal : float
        What `volume` lacks everywhere but where the scan is exactly 0; nearly always 0.
    extreme : callable
        `extreme(t)` returns where frame t is extreme: ndarray of bool, shape (x, y, z).
    ignored : callable, optional
        `ignored(t)` returns where frame t is not known: ndarray of bool, shape (x, y, z).
    """

    measured: Volume
    volume: Volume
    pedestal: float
    extreme: Callable
    ignored: Callable | None = None

    def put_back(self, t, result):
        """Return a restored frame with the pedestal, and with what networks have not seen as it was measured.

        Parameters
        ----------
        t : int
        result : ndarray of float32, shape (x, y, z), or finer over the same field of view
            Frame t restored, in the unit of the scan.

        Returns
        -------
        ndarray, same shape
            Exactly 0 where the scan is. On a finer grid that is where a voxel and all its neighbours are 0.
        """
        measured, extreme = self.measured.frame(t), self.extreme(t)
        result = result.astype(measured.dtype) + self.pedestal if self.pedestal else result
        zero = measured == 0
        if result.shape != measured.shape:
            zero = ndimage.minimum_filter(zero.view(np.uint8), 3, mode="nearest") > 0
        kept = zero | extreme
        kept = kept if self.ignored is None else kept & ~self.ignored(t)
        if not kept.any():
            return result
        if result.shape != measured.shape:
            # The voxel that a finer voxel lies in.
            finer = np.ix_(*(np.arange(many) * few // many for many, few in zip(result.shape, measured.shape)))
            kept, measured = kept[finer], measured[finer]
        return np.where(kept, measured, result)


def as_seen(volume, ignored=None):
    """Look for voxels that hold what no tissue has, and for a pedestal, and say what was found, once.

    Parameters
    ----------
    volume : Volume
        3D or 4D, any unit.
    ignored : callable, optional
        `ignored(t)` returns where frame t holds nothing that counts: ndarray of bool, shape (x, y, z).

    Returns
    -------
    Seen
    """
    measured = volume.frame if ignored is None else lambda t: np.where(ignored(t), 0, volume.frame(t))
    padding = _padding_of(next((frame for frame in map(measured, range(volume.n_frames)) if frame.any()), measured(0)))
    read = measured if padding is None else lambda t: np.where(measured(t) == padding, 0, measured(t))
    # A blank frame, or one that is missing, tells nothing.
    first = next((frame for frame in map(read, range(volume.n_frames)) if frame.any()), read(0))
    pedestal = pedestal_of(first)
    sample = _sample([first], pedestal)
    nothing = Seen(volume, volume, 0.0, lambda t: np.zeros(volume.shape[:3], bool), ignored)
    if padding is None and not pedestal and _within(volume.extremes, far_range(sample, _ALONE)):
        _say(volume, first, pedestal)
        return nothing
    # The first frame may be darker than others.
    spread_out = np.unique(np.linspace(0, volume.n_frames - 1, _FRAMES).round().astype(int))
    sample = _sample([read(t) for t in spread_out], pedestal)

    def level(t):
        frame = read(t)
        return np.where(frame == 0, 0, frame - pedestal).astype(np.float32) if pedestal else frame

    @functools.lru_cache(maxsize=8)
    def extreme(t):
        return _extreme(level(t), sample)

    _say(volume, first, pedestal, extreme, [limit + pedestal for limit in far_range(sample, _ALONE)])
    if padding is not None:
        remark(
            volume.name,
            f"{np.mean(measured(0) == padding):.1%} of its voxels hold {padding:g}, which pads it: they count as 0 and stay as they are",
        )
    elif not pedestal and not volume.facts["values"]["extreme"]:
        return nothing
    hidden = volume.with_frames(lambda t: _hidden(level, extreme, volume.n_frames, t), volume.facts)
    kept = extreme if padding is None else lambda t: extreme(t) | (measured(t) == padding)
    return Seen(volume, hidden, pedestal, kept, ignored)


def _padding_of(frame):
    """Return the one value, not 0, that fills a part of a frame and lies far outside the rest, as -32768 around a head does; or None."""
    for value in (frame.min(), frame.max()):
        if value and np.mean(frame == value) > _PADDED:
            rest = some_of(frame[(frame != value) & (frame != 0)])
            if rest.size and not _within((value, value), far_range(rest, _FEW)):
                return float(value)
    return None


def _sample(frames, pedestal):
    """Return some of the intensities of frames above a pedestal, without exact zeros, which are a mask."""
    values = np.concatenate([some_of(frame) for frame in frames])
    return (values[values != 0] - pedestal).astype(np.float32)


def _within(extremes, limits):
    return limits[0] <= extremes[0] and extremes[1] <= limits[1]


def _say(volume, frame, pedestal, extreme=None, limits=None):
    """Make the remarks on a scan's values, once for each Volume."""
    if "values" in volume.facts:
        return
    found = volume.facts["values"] = {"pedestal": pedestal, "extreme": 0}
    if extreme is not None:
        found["extreme"] = count = sum(int(np.count_nonzero(extreme(t))) for t in range(volume.n_frames))
        if count:
            lie, they, values = ("s lie", "stay as they are", "their values") if count > 1 else (" lies", "stays as it is", "its value")
            beyond = f"beyond {limits[0]:.6g} to {limits[1]:.6g}"
            remark(volume.name, f"{count} extreme voxel{lie} far outside the rest ({beyond}) and {they}: the network does not see {values}")
    if pedestal:
        remark(volume.name, f"all intensities lie on a pedestal of about {pedestal:.6g}: it is subtracted for the network and added again")
    if has_bright_air(frame):
        remark(
            volume.name,
            "the air around the head is noise as bright as tissue, as in MP2RAGE: estimates of noise and of what is tissue may be wrong. "
            "Mask it first",
        )


def _extreme(frame, sample):
    """Return which voxels of a frame hold what no tissue has: ndarray of bool, same shape."""
    low, high = far_range(sample, _ALONE)
    found = ((frame < low) | (frame > high)) & (frame != 0)
    places = np.argwhere(found)
    if not len(places):
        return found
    middle = (low + high) / 2
    around, inside = _neighbours(frame, places)
    farthest = np.sort(np.where(inside, np.abs(around - middle), 0), axis=1)[:, -2]
    values = frame[tuple(places.T)]
    # The end of a vessel has one neighbour as bright as itself, too.
    chosen = (np.abs(values - middle) / _TIMES > farthest) & (_group_sizes(places, frame.shape) <= _PAIR)
    low, high = far_range(sample, _ALWAYS)
    chosen |= (values < low) | (values > high)
    low, high = far_range(sample, _FEW)
    beyond = (values < low) | (values > high)
    chosen[beyond] |= _group_sizes(places[beyond], frame.shape) <= _FEWEST
    found[tuple(places.T)] = chosen
    return found


def _group_sizes(places, shape):
    """Return, for each of some voxels in the order of `numpy.argwhere`, how many of them touch one another: ndarray, shape (places,)."""
    numbers = np.ravel_multi_index(places.T, shape)
    pairs = []
    for step in _AROUND[: len(_AROUND) // 2]:
        beside = places + step
        inside = ((beside >= 0) & (beside < shape)).all(axis=1)
        wanted = np.ravel_multi_index(beside[inside].T, shape)
        at = np.searchsorted(numbers, wanted)
        hit = np.take(numbers, at, mode="clip") == wanted
        pairs.append(np.stack([np.flatnonzero(inside)[hit], at[hit]]))
    first, second = np.concatenate(pairs, axis=1)
    graph = sparse.coo_array((np.ones(len(first), bool), (first, second)), shape=(len(places),) * 2)
    group = sparse.csgraph.connected_components(graph, directed=False)[1]
    return np.bincount(group)[group]


def _hidden(level, extreme, n_frames, t):
    """Return frame t with extreme voxels filled: in a run as frames nearby have the voxel, in proportion to its neighbours."""
    frame, hole = level(t), extreme(t)
    if not hole.any():
        return frame
    filled = _filled(frame, hole)
    values = filled[hole]
    total, count = np.zeros((2, len(values)), np.float32)
    for s in range(max(0, t - _AWAY), min(n_frames, t + _AWAY + 1)):
        other, wild = level(s), extreme(s)
        around = _filled(other, hole | wild)[hole]
        # How the neighbours change from that frame to this one: contrasts may differ.
        change = np.divide(values, around, out=np.zeros_like(around), where=around > 0)
        known = ~wild[hole] & (change > 1 / _MOST_CHANGE) & (change < _MOST_CHANGE)
        total, count = total + np.where(known, change * other[hole], 0), count + known
    filled[hole] = np.where(count > 0, total / np.maximum(count, 1), values)
    return filled


def _filled(frame, hole):
    """Fill a hole, layer by layer, with the median of the neighbours; exact zeros count only where there is nothing else."""
    filled, known, todo = frame.copy(), ~hole, np.argwhere(hole)
    while len(todo):
        around, inside = _neighbours(filled, todo)
        inside &= _neighbours(known, todo)[0]
        tissue = inside & (around != 0)
        reached = inside.any(axis=1)
        if not reached.any():
            break
        tissue = np.where(tissue.any(axis=1, keepdims=True), tissue, inside)[reached]
        now = tuple(todo[reached].T)
        filled[now] = np.nanmedian(np.where(tissue, around[reached], np.nan), axis=1)
        known[now] = True
        todo = todo[~reached]
    filled[tuple(todo.T)] = 0
    return filled


def _neighbours(frame, places):
    """Return the values of the 26 neighbours of voxels, shape (places, 26), and which of them lie inside the frame."""
    at = places[:, None] + _AROUND
    inside = ((at >= 0) & (at < frame.shape)).all(axis=2)
    return frame[tuple(np.moveaxis(np.clip(at, 0, np.array(frame.shape) - 1), 2, 0))], inside
