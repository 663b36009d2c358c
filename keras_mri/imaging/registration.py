"""The rigid motion between two scans on one grid, estimated, and what a rigid motion leaves behind."""

import itertools

import numpy as np
from scipy import ndimage

from keras_mri.errors import InputError
from keras_mri.imaging.noise import estimate_sigma
from keras_mri.imaging.rigid import RigidTransform, box_corners, check_mask, longest_move
from keras_mri.io import grids

# Coarse to fine: the longest side in voxels to shrink to, and the blur's standard deviation in voxels of that grid.
_LEVELS = ((64, 4.0), (64, 2.0), (128, 1.5), (np.inf, 0.7))
# Below this the cubic spline between thick slices follows their noise.
_LEAST_BLUR = 0.7
_MOST_POINTS = 300_000
_MOST_UPDATES = 25
# An update that moves no voxel further than this share of its side ends a level.
_CONVERGED = 0.002
# Voxels: a point on the outermost slice is inside, whichever way it was rounded.
_ON_EDGE = 1e-6
_BLOCK = 16
_BLOCK_BLUR = 1.5
# A block counts if noise displaces it by at most this share of a voxel (one standard deviation, worst direction).
_BLOCK_CERTAINTY = 0.1


def estimate_rigid(fixed, moving, mask, affine):
    """Find the rigid motion between two scans of one contrast by least squares on blurred intensities.

    Parameters
    ----------
    fixed, moving : ndarray of float32, shape (x, y, z)
        Their intensities may differ by a factor, and both may be noisy.
    mask : ndarray of bool, shape (x, y, z)
        The voxels of `fixed` to match.
    affine : ndarray of float64, shape (4, 4)
        Of both scans: voxel indices to RAS+ mm.

    Returns
    -------
    RigidTransform
        About the centre of the mask's bounding box.

    Raises
    ------
    InputError
        If shapes differ, the mask is empty or a scan is constant inside it.

    References
    ----------
    Baker & Matthews, Int J Comput Vis 56:221, 2004. doi:10.1023/B:VISI.0000011205.11775.fd
    """
    _check_scans(fixed, moving, mask)
    corners = box_corners(mask, affine)
    matrix = np.eye(4)
    for side, blur in _LEVELS:
        zooms = np.array(grids.zooms(affine))
        side_in_mm = max(np.prod(zooms) ** (1 / 3), (zooms * fixed.shape).max() / side)
        factors = np.clip(side_in_mm / zooms, 1, fixed.shape).astype(int)
        # The centre of a block of n voxels lies (n - 1) / 2 voxels beyond its first.
        grid = affine @ np.block([[np.diag(factors), (factors[:, None] - 1) / 2], [np.zeros(3), 1.0]])
        chosen = _choose(_shrink(mask, factors) >= 0.5)
        if len(chosen):
            widths = np.maximum(blur * side_in_mm / (zooms * factors), _LEAST_BLUR)
            scans = [_blur(_shrink(scan, factors), widths) for scan in (fixed, moving)]
            matrix = _gauss_newton(scans, chosen, grid, matrix, corners, reach=blur * side_in_mm)
    return RigidTransform.from_matrix(matrix, corners.mean(axis=0)[:3])


def similarity(fixed, moving, mask):
    """Return the correlation coefficient of two scans, each blurred by one voxel, inside a mask.

    Parameters
    ----------
    fixed, moving : ndarray of float32, shape (x, y, z)
    mask : ndarray of bool, shape (x, y, z)

    Returns
    -------
    float
        -1 to 1.

    Raises
    ------
    InputError
        If shapes differ, the mask is empty or a scan is constant inside it.
    """
    _check_scans(fixed, moving, mask)
    first, second = (_blur(scan, 1.0)[mask].astype(np.float64) for scan in (fixed, moving))
    return float(np.corrcoef(first, second)[0, 1])


def remaining_motion(fixed, moving, mask, affine):
    """Estimate how far tissue lies apart in two scans that are aligned already: what no rigid motion could mend.

    Blocks of 16 voxels a side, at least half inside the mask, are shifted against each other by one least-squares step
    each; blocks without the texture to be certain within a tenth of a voxel in every direction are left out.

    Parameters
    ----------
    fixed, moving : ndarray of float32, shape (x, y, z)
        `moving` resampled to the grid and position of `fixed`. Locally their intensities may differ by factor and offset.
    mask : ndarray of bool, shape (x, y, z)
    affine : ndarray of float64, shape (4, 4)

    Returns
    -------
    float
        The 90th percentile of the blocks' shifts, mm; nan where no block has texture enough to tell.
        Within 15 % up to one voxel; beyond two it tells that the shift is large, not how large.

    Raises
    ------
    InputError
        If shapes differ, the mask is empty or a scan is constant inside it.
    """
    _check_scans(fixed, moving, mask)
    box = grids.bounding_box(mask)
    # Scans without any noise still have rounding errors.
    sigma = max(estimate_sigma(fixed[box]), 1e-3 * float(fixed[mask].std()))
    certainty = _BLOCK_CERTAINTY * abs(np.linalg.det(affine[:3, :3])) ** (1 / 3)
    first, second = _blur(fixed, _BLOCK_BLUR), _blur(moving, _BLOCK_BLUR)
    shifts = []
    for corner in itertools.product(*(range(part.start, part.stop, _BLOCK) for part in box)):
        block = mask[tuple(slice(start, start + _BLOCK) for start in corner)]
        if 2 * block.sum() >= np.prod(np.minimum(_BLOCK, mask.shape)):
            voxels = np.argwhere(block) + corner
            shifts.append(_local_shift(first, second, voxels, affine, sigma / certainty))
    lengths = [np.linalg.norm(shift) for shift in shifts if shift is not None]
    return float(np.percentile(lengths, 90)) if lengths else float("nan")


def _gauss_newton(scans, voxels, affine, matrix, corners, reach):
    """Refine `matrix` until gain * fixed(x) matches moving(matrix x); no update moves a voxel further than `reach` mm."""
    fixed, moving = scans
    centre = corners.mean(axis=0)
    points = np.column_stack([voxels, np.ones(len(voxels))])
    expected = fixed[tuple(voxels.T)].astype(np.float64)
    slopes = _world_gradient(fixed, voxels, affine)
    # Inverse composition: the update moves the fixed scan, so that its gradients serve every iteration (Baker 2004, sect. 3.2).
    # d fixed = slope . (shift + angles x (point - centre)) = slope . shift + ((point - centre) x slope) . angles
    columns = np.column_stack([slopes, np.cross((points @ affine.T - centre)[:, :3], slopes), expected])
    coefficients = ndimage.spline_filter(moving, order=3, output=np.float32)
    finest = _CONVERGED * min(grids.zooms(affine))
    for _ in range(_MOST_UPDATES):
        there = np.linalg.solve(affine, matrix @ affine @ points.T)[:3]
        inside = np.all((there > -_ON_EDGE) & (there < np.array(moving.shape)[:, None] - 1 + _ON_EDGE), axis=0)
        observed = ndimage.map_coordinates(coefficients, there[:, inside], output=np.float64, mode="mirror", prefilter=False)
        *motion, gain = _least_squares(columns[inside], observed)
        if gain <= 0:
            break
        # observed = gain * (expected + d fixed): the first six were solved for times the gain.
        update = _small_motion(np.array(motion) / gain, centre[:3])
        length = longest_move(update, corners)
        if length > reach:
            update = _small_motion(np.array(motion) / gain * reach / length, centre[:3])
        matrix = matrix @ np.linalg.inv(update)
        if length < finest:
            break
    return matrix


def _least_squares(columns, observed):
    """Solve for three shifts, three angles and a gain by normal equations; directions without information stay 0."""
    # One scale for each unit: mm, radians, intensity. A scale for each column would lift rounding errors to information.
    lengths = np.linalg.norm(columns, axis=0)
    scale = np.repeat(np.maximum([lengths[:3].max(), lengths[3:6].max(), lengths[6]], 1e-100), [3, 3, 1])
    normal = columns.T @ columns / np.outer(scale, scale)
    return np.linalg.lstsq(normal, columns.T @ observed / scale, rcond=1e-9)[0] / scale


def _small_motion(motion, centre):
    return RigidTransform(motion[:3], np.degrees(motion[3:]), centre).matrix()


def _local_shift(fixed, moving, voxels, affine, noise):
    """Return the shift in mm between two blocks, or None if one of `noise` (intensity per mm) leaves it uncertain."""
    place = tuple(voxels.T)
    first, second = fixed[place].astype(np.float64), moving[place].astype(np.float64)
    # The mean gradient of both makes one step exact to the second order of the shift.
    slopes = (_world_gradient(fixed, voxels, affine) + _world_gradient(moving, voxels, affine)) / 2
    nuisance = np.linalg.qr(np.column_stack([np.ones_like(first), first + second]))[0]
    slopes, change = (values - nuisance @ (nuisance.T @ values) for values in (slopes, second - first))
    normal = slopes.T @ slopes
    # Blurring amplifies no frequency: the shift's variance is at most that of two scans' white noise over the eigenvalue.
    if np.linalg.eigvalsh(normal)[0] <= 2 * noise**2:
        return None
    return np.linalg.solve(normal, slopes.T @ change)


def _world_gradient(volume, voxels, affine):
    """Central differences at voxels, shape (n, 3), as change per mm along the world axes."""
    gradient = np.empty(voxels.shape)
    for axis, side in enumerate(volume.shape):
        above, below = voxels.copy(), voxels.copy()
        above[:, axis] = np.minimum(voxels[:, axis] + 1, side - 1)
        below[:, axis] = np.maximum(voxels[:, axis] - 1, 0)
        apart = np.maximum(above[:, axis] - below[:, axis], 1)
        gradient[:, axis] = (volume[tuple(above.T)].astype(np.float64) - volume[tuple(below.T)]) / apart
    return gradient @ np.linalg.inv(affine[:3, :3])


def _shrink(volume, factors):
    """Average blocks of `factors` voxels; what fills no whole block at the far ends is left out."""
    whole = [side // factor for side, factor in zip(volume.shape, factors)]
    shrunk = volume[tuple(slice(count * factor) for count, factor in zip(whole, factors))]
    for axis, factor in enumerate(factors):
        if factor > 1:
            parts = (shrunk[tuple(slice(start, None, factor) if a == axis else slice(None) for a in range(3))] for start in range(factor))
            shrunk = sum(part.astype(np.float32) for part in parts) / np.float32(factor)
    return shrunk


def _choose(mask):
    """Return the indices of the mask's voxels, a random part of them where they are many: ndarray of int, shape (n, 3)."""
    inside = np.flatnonzero(mask)
    if len(inside) > _MOST_POINTS:
        inside = np.sort(np.random.default_rng(0).choice(inside, _MOST_POINTS, replace=False))
    return np.column_stack(np.unravel_index(inside, mask.shape))


def _blur(volume, widths):
    return ndimage.gaussian_filter(volume, widths, output=np.float32, mode="nearest", truncate=3.0)


def _check_scans(fixed, moving, mask):
    if fixed.ndim != 3 or not fixed.shape == moving.shape == mask.shape:
        raise InputError(
            "the two scans and the mask must be volumes of one shape (x, y, z). "
            f"Received: fixed {fixed.shape}, moving {moving.shape}, mask {mask.shape}. Resample them to one grid."
        )
    check_mask(mask)
    for name, scan in (("fixed", fixed), ("moving", moving)):
        if np.ptp(scan[mask]) == 0:
            raise InputError(
                f"the {name} scan is constant inside the mask: nothing can be aligned. Received: {scan[mask][0]:g} throughout."
            )
