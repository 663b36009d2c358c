"""Air around the head: where it is, how strong and how coloured its noise is, and of how many receive channels."""

import dataclasses

import numpy as np
from scipy import ndimage, special

from keras_mri.imaging.differences import along, every_second_difference, spread
from keras_mri.imaging.intensity import some_of

# Voxels that are enough for an estimate, and the slices (an even number) of a slab of a larger volume.
_ENOUGH, _SLAB = 3_000_000, 12
# Fewer voxels are too few to judge by. Fewer of air, or a smaller share of all that is dark, are left over where air was masked.
_LEAST_VOXELS, _LEAST_AIR, _LEAST_AIR_SHARE = 100, 1000, 0.03
# Air is darker than the first of these shares of the 95th percentile that noise itself does not reach, over so many voxels a side.
_AIR, _AROUND = (0.05, 0.1, 0.2), 5
# Shares where air is nearly as bright as tissue: it is believed to be air only where it is noise of one channel through and through.
_BRIGHT_AIR = (0.3, 0.5)
# Quantiles of noise alone, and the share by which each may differ.
_QUANTILES, _ALMOST = (0.1, 0.5, 0.9), 0.08
# Blocks of air in which noise is looked at alone: their sides, the fewest of them, the share of them that may have less noise, and the
# darkest of them.
_BLOCK, _LEAST_BLOCKS, _QUIETEST, _DARK = (4, 4, 2), 200, 0.1, 0.25
# Standard errors of a block's SD: where all voxels' SD is so much above that of differences, there is structure; so much may differ its
# mean, as a multiple of its SD, from that of the darkest blocks.
_STRUCTURE, _ISOTROPY, _ALIKE = 2.5, 5.0, 2.0
# Without the last two voxels of an axis.
_CUT = slice(0, -2)
# Correlation of neighbours in air that is told from none, the most that is believed, and how much of its square Rayleigh noise keeps.
_LEAST_SHARED, _MOST_SHARED, RAYLEIGH_SHARE = 0.02, 0.5, 0.92
# Mean over SD of air: less is no magnitude of complex noise (Rayleigh: 1.91); from the second on, more channels than one.
_LEAST_RATIO, _CHANNELS = 1.7, 2.3


@dataclasses.dataclass(frozen=True)
class Air:
    """The noise of the air around a head.

    Parameters
    ----------
    sigma : float
        SD that the noise has in tissue, in the unit of the volume.
    ratio : float
        Mean of the noise in air over its SD there: 1.91 for the magnitude of one channel, more for several.
    haar : float
        SD that the noise of tissue has in its finest diagonal Haar coefficients, relative to `sigma`: 1 for white noise, less where
        neighbours share noise.
    magnitude : bool
        Whether the air behaves as the magnitude of complex noise does.
    shared : tuple of float, (x, y, z)
        Correlation of next neighbours along each axis, in air itself; 0 where it cannot be told from none.
    """

    sigma: float
    ratio: float
    haar: float
    magnitude: bool
    shared: tuple = (0.0, 0.0, 0.0)

    @property
    def channels(self):
        """Number of receive channels whose squares were summed: int; 1 where air does not show that there were more."""
        return 1 if self.ratio < _CHANNELS else max(1, round(_chi_variables(self.ratio) / 2))


def look_at_air(volume):
    """Measure the noise of the air around a head.

    The darkest air counts. A mask of the scanner's often fades over some voxels and takes noise away with the signal; so no less
    is returned than nine of ten blocks of air have that hold nothing but noise: without structure, and all with one ratio of mean
    to SD.

    Parameters
    ----------
    volume : ndarray of float32, shape (x, y, z)

    Returns
    -------
    Air or None
        None without air enough that is not masked.
    """
    found = _darkest_air(volume)
    if found is None:
        return None
    air, share = found
    difference, both = every_second_difference(volume, air)
    if both.sum() < _LEAST_VOXELS:
        return None
    noise, mean = spread(difference[both]), float(volume[air].mean())
    ratio = mean / noise if noise else 0.0
    blocks = _look_at_blocks(volume, max(_AIR[-1], share)) if noise and volume.min() >= 0 else None
    if share in _BRIGHT_AIR and not (blocks[1] < _CHANNELS if blocks else _like_rayleigh(volume[air], noise / _narrowing(ratio))):
        return None
    shared = _shared_by_neighbours(volume, air)
    # Air with negative values is no magnitude: its noise is normal there as elsewhere.
    if volume.min() < 0 or not noise:
        return Air(noise, ratio, 1.0, False, shared)
    sigma = noise / _narrowing(ratio)
    if blocks is None:
        return Air(sigma, ratio, 1.0, ratio > _LEAST_RATIO, shared)
    # A mixture of weak and strong noise has another ratio than each of its parts.
    least, ratio = blocks
    return Air(max(sigma, least / _narrowing(ratio)), ratio, _haar_of_tissue(shared), ratio > _LEAST_RATIO, shared)


def air_sigma(volume):
    """Estimate the thermal noise of a volume by the air around the head.

    Parameters
    ----------
    volume : ndarray of float32, shape (x, y, z)

    Returns
    -------
    float or None
        SD that the noise has in tissue, in the unit of `volume`; None without air enough that is not masked.
    """
    air = look_at_air(volume)
    return None if air is None else air.sigma


def some_slabs(volume):
    """Return a volume of enough voxels to tell its noise: of a large one slabs across its longest axis, which stand for all of it.

    Parameters
    ----------
    volume : ndarray of float32, shape (x, y, z)

    Returns
    -------
    ndarray of float32, shape (x, y, z)
        The volume itself up to three million voxels.
    """
    every = 1 + volume.size // _ENOUGH
    axis = int(np.argmax(volume.shape))
    return volume if every == 1 else np.compress(np.arange(volume.shape[axis]) // _SLAB % every == 0, volume, axis=axis)


def _darkest_air(volume):
    """Tell the voxels in air, of uneven air the darker half, which has less of ghosts and ringing, and the share that they lie below.

    None where there is too little.
    """
    valid = volume != 0
    if not valid.any():
        return None
    inside = _beside_no_zero(volume)
    scale = _scale(volume)
    around = ndimage.uniform_filter(volume.astype(np.float32), _AROUND, mode="nearest")
    for share in (*_AIR, *_BRIGHT_AIR):
        dark = around < share * scale
        air = inside & dark
        if air.sum() >= max(_LEAST_AIR, _LEAST_AIR_SHARE * dark.sum()):
            middle, bright = np.quantile(some_of(around[air]), (0.5, 0.75))
            # Near the threshold the noise of air is as bright itself, and would be cut.
            if middle <= 0.8 * share * scale:
                # Where all of the air is alike, the darker half would be what noise made dark.
                return (air if bright < 1.15 * middle else air & (around <= middle)), share
    return None


def _beside_no_zero(volume):
    """Tell voxels with no exact zero around them: those beside one lie at the border of a mask, or in noise that was cut off."""
    return ndimage.minimum_filter((volume != 0).view(np.uint8), 3, mode="nearest") > 0


def _scale(volume):
    """Return the 95th percentile of what is not exactly 0."""
    sample = some_of(volume)
    return np.percentile(sample[sample != 0], 95)


def _shared_by_neighbours(volume, air):
    """Return the correlation of next neighbours in air along each axis; voxels two apart count as independent."""
    found = []
    for axis, side in enumerate(volume.shape):
        near, far = (_spread_of_steps(volume, air, axis, lag) for lag in (1, 2)) if side > 2 else (0.0, 0.0)
        shared = 1 - (near / far) ** 2 if far else 0.0
        found.append(float(shared) if shared > _LEAST_SHARED else 0.0)
    return tuple(found)


def _haar_of_tissue(shared):
    """Return the gain of Haar coefficients for the noise of tissue, by the correlation that neighbours have in air.

    In air the magnitudes of complex noise of correlation ρ have one of 0.92 ρ² (Rayleigh).
    """
    return float(np.sqrt(np.prod([1 - min(_MOST_SHARED, np.sqrt(share / RAYLEIGH_SHARE)) for share in shared])))


def _spread_of_steps(volume, valid, axis, lag):
    """Return the spread of differences along an axis of voxels that are all valid; 0 where they are too few."""
    first, second = along(axis, slice(None, -lag)), along(axis, slice(lag, None))
    both = valid[first] & valid[second]
    return spread(some_of(volume[first][both] - volume[second][both])) if both.sum() >= _LEAST_VOXELS else 0.0


def _look_at_blocks(volume, share):
    """Look at blocks of air, darker than a share, that hold nothing but noise, of one ratio of mean to SD; None where they are too few.

    Returns
    -------
    (float, float)
        The SD that nine of ten exceed, and their ratio.
    """
    if any(side < 3 * length for side, length in zip(volume.shape, _BLOCK)):
        return None
    # Without the last two voxels along each axis, which have no partner.
    blocks = _blocks(volume[_CUT, _CUT, _CUT])
    far = [_step_power(volume, axis) for axis in range(3)]
    noise, mean = np.sqrt(np.cbrt(far[0] * far[1] * far[2])), blocks.mean(axis=-1)
    error = 1 / np.sqrt(2 * np.prod(_BLOCK))
    pure = _blocks(_beside_no_zero(volume)[_CUT, _CUT, _CUT]).all(axis=-1) & (noise > 0) & (mean < share * _scale(volume))
    pure &= blocks.std(axis=-1) < (1 + _STRUCTURE * error) * noise
    pure &= np.maximum.reduce(far) < (1 + _ISOTROPY * error) ** 2 * np.minimum.reduce(far)
    if pure.sum() < _LEAST_BLOCKS:
        return None
    dark = pure & (mean <= np.quantile(mean[pure], _DARK))
    ratio = float(np.median(mean[dark] / noise[dark]))
    pure &= np.abs(mean - ratio * noise) < _ALIKE * error * ratio * noise
    if pure.sum() < _LEAST_BLOCKS or ratio < _LEAST_RATIO:
        return None
    return float(np.quantile(noise[pure], _QUIETEST)), ratio


def _step_power(volume, axis):
    """Return half the mean square of differences of voxels two apart in each block: the variance of noise without structure."""
    first, second = ([_CUT] * 3 for _ in range(2))
    second[axis] = slice(2, None)
    return np.square(_blocks(volume[tuple(first)] - volume[tuple(second)])).mean(axis=-1) / 2


def _blocks(volume):
    """Return the voxels of each block, along the last axis; what does not fill a block is left out."""
    counts = [side // length for side, length in zip(volume.shape, _BLOCK)]
    whole = volume[tuple(slice(0, count * length) for count, length in zip(counts, _BLOCK))]
    (nx, ny, nz), (bx, by, bz) = counts, _BLOCK
    return whole.reshape(nx, bx, ny, by, nz, bz).transpose(0, 2, 4, 1, 3, 5).reshape(nx, ny, nz, -1)


def _like_rayleigh(values, sigma):
    """Tell whether values are spread as the magnitude of complex noise alone is, by a low, the middle and a high quantile."""
    shares = np.array(_QUANTILES)
    expected = sigma * np.sqrt(-2 * np.log(1 - shares))
    return bool(np.all(np.abs(np.quantile(some_of(values), shares) - expected) < _ALMOST * expected))


def _narrowing(ratio):
    """Return how much narrower noise is in air than in tissue: 0.655 for one receive coil (Rayleigh), up to 0.707 for many."""
    k = max(2.0, _chi_variables(ratio))
    return float(np.sqrt(k - 2 * np.exp(2 * (special.gammaln((k + 1) / 2) - special.gammaln(k / 2)))))


def _chi_variables(ratio):
    """Return how many normal variables air is the root of the sum of squares of, two for each channel, by its mean over its SD.

    Such a root is chi-distributed. Its SD comes near √½ and its mean near √k.
    """
    return ratio**2 / 2 + 0.2
