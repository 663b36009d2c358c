"""Rigid alignment of two scans on one grid: find the motion, undo it, tell what a rigid motion leaves behind."""

import dataclasses
import itertools

import numpy as np
from scipy import ndimage
from scipy.spatial.transform import Rotation

from keras_mri.errors import InputError
from keras_mri.noise import estimate_sigma

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


@dataclasses.dataclass(frozen=True)
class RigidTransform:
    """A rotation about a point, then a shift: where a point of the fixed scan lies in the moving scan.

    Parameters
    ----------
    translation : tuple of float, shape (3,)
        mm along the RAS+ axes.
    rotation : tuple of float, shape (3,)
        Degrees about the x, then the y, then the z axis of the world, each right-handed.
    centre : tuple of float, shape (3,)
        The world point in mm about which the scan turns.
    """

    translation: tuple[float, float, float] = (0.0, 0.0, 0.0)
    rotation: tuple[float, float, float] = (0.0, 0.0, 0.0)
    centre: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @classmethod
    def from_matrix(cls, matrix, centre):
        """Read the six parameters from a rigid (4, 4) matrix whose rotation is about `centre`."""
        angles = Rotation.from_matrix(matrix[:3, :3]).as_euler("xyz", degrees=True)
        shift = matrix[:3, :3] @ centre + matrix[:3, 3] - centre
        return cls(*(tuple(float(value) for value in values) for values in (shift, angles, centre)))

    def matrix(self):
        """World points of the fixed scan to world points of the moving scan: ndarray of float64, shape (4, 4)."""
        matrix = np.eye(4)
        matrix[:3, :3] = Rotation.from_euler("xyz", self.rotation, degrees=True).as_matrix()
        matrix[:3, 3] = self.centre + np.asarray(self.translation) - matrix[:3, :3] @ self.centre
        return matrix

    def displacement(self, mask, affine):
        """Return how far the transform moves the corners of the mask's bounding box at most: float, mm.

        The length of a displacement is convex in the point, so that no voxel of the mask moves further.

        Parameters
        ----------
        mask : ndarray of bool, shape (x, y, z)
        affine : ndarray of float64, shape (4, 4)

        Raises
        ------
        InputError
            If the mask is empty.
        """
        _check_mask(mask)
        return _longest_move(self.matrix(), _box_corners(mask, affine))

    def describe(self):
        """Put shift and rotation into words."""
        # Adding 0.0 turns -0.0 into 0.0.
        shift = " ".join(f"{round(value, 2) + 0.0:.2f}" for value in self.translation)
        rotation = " ".join(f"{round(value, 1) + 0.0:.1f}" for value in self.rotation)
        return f"shift {shift} mm, rotation {rotation} degrees"


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
    corners = _box_corners(mask, affine)
    matrix = np.eye(4)
    for side, blur in _LEVELS:
        zooms = np.linalg.norm(affine[:3, :3], axis=0)
        side_in_mm = max(np.prod(zooms) ** (1 / 3), (zooms * fixed.shape).max() / side)
        factors = np.clip(side_in_mm / zooms, 1, fixed.shape).astype(int)
        # The centre of a block of n voxels lies (n - 1) / 2 voxels beyond its first.
        grid = affine @ np.block([[np.diag(factors), (factors[:, None] - 1) / 2], [np.zeros(3), 1.0]])
        chosen = _choose(_shrink(mask, factors) >= 0.5)
        if len(chosen):
            widths = np.maximum(blur * side_in_mm / (zooms * factors), _LEAST_BLUR)
            scans = (_blur(_shrink(scan, factors), widths) for scan in (fixed, moving))
            matrix = _gauss_newton(*scans, chosen, grid, matrix, corners, reach=blur * side_in_mm)
    return RigidTransform.from_matrix(matrix, corners.mean(axis=0)[:3])


def resample_rigid(moving, transform, affine, order=3):
    """Bring the moving scan onto the fixed scan's grid by spline interpolation; edges are extended by their nearest voxel.

    Parameters
    ----------
    moving : ndarray of float32, shape (x, y, z)
    transform : RigidTransform
        From the fixed to the moving scan, as `estimate_rigid` returns it.
    affine : ndarray of float64, shape (4, 4)
        Of both scans.
    order : int
        Of the spline, 0 (nearest voxel) to 5.

    Returns
    -------
    ndarray of float32, shape (x, y, z)
    """
    to_moving = np.linalg.solve(affine, transform.matrix() @ affine)
    return ndimage.affine_transform(moving, to_moving, order=order, mode="nearest", output=np.float32)


def in_view(transform, shape, affine):
    """Tell which voxels of the fixed grid the moving scan holds.

    Parameters
    ----------
    transform : RigidTransform
    shape : tuple of int, (x, y, z)
    affine : ndarray of float64, shape (4, 4)
        Of both scans.

    Returns
    -------
    ndarray of bool, shape `shape`
    """
    matrix = np.linalg.inv(affine) @ transform.matrix() @ affine
    grid = np.ogrid[tuple(slice(side) for side in shape)]
    seen = np.ones(shape, bool)
    for row, side in zip(matrix[:3], shape):
        place = row[0] * grid[0] + row[1] * grid[1] + row[2] * grid[2] + row[3]
        seen &= (place > -0.5) & (place < side - 0.5)
    return seen


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
    box = _bounding_box(mask)
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


def _gauss_newton(fixed, moving, voxels, affine, matrix, corners, reach):
    """Refine `matrix` until gain * fixed(x) matches moving(matrix x); no update moves a voxel further than `reach` mm."""
    centre = corners.mean(axis=0)
    points = np.column_stack([voxels, np.ones(len(voxels))])
    expected = fixed[tuple(voxels.T)].astype(np.float64)
    slopes = _world_gradient(fixed, voxels, affine)
    # Inverse composition: the update moves the fixed scan, so that its gradients serve every iteration (Baker 2004, sect. 3.2).
    # d fixed = slope . (shift + angles x (point - centre)) = slope . shift + ((point - centre) x slope) . angles
    columns = np.column_stack([slopes, np.cross((points @ affine.T - centre)[:, :3], slopes), expected])
    coefficients = ndimage.spline_filter(moving, order=3, output=np.float32)
    finest = _CONVERGED * np.linalg.norm(affine[:3, :3], axis=0).min()
    for _ in range(_MOST_UPDATES):
        there = np.linalg.solve(affine, matrix @ affine @ points.T)[:3]
        inside = np.all((there > -_ON_EDGE) & (there < np.array(moving.shape)[:, None] - 1 + _ON_EDGE), axis=0)
        observed = ndimage.map_coordinates(coefficients, there[:, inside], output=np.float64, mode="mirror", prefilter=False)
        *motion, gain = _least_squares(columns[inside], observed)
        if gain <= 0:
            break
        # observed = gain * (expected + d fixed): the first six were solved for times the gain.
        update = _small_motion(np.array(motion) / gain, centre[:3])
        length = _longest_move(update, corners)
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


def _bounding_box(mask):
    ranges = [np.flatnonzero(mask.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
    return tuple(slice(int(inside[0]), int(inside[-1]) + 1) for inside in ranges)


def _box_corners(mask, affine):
    """World points of the eight outermost voxels of the bounding box: ndarray of float64, shape (8, 4)."""
    corners = itertools.product(*((part.start, part.stop - 1) for part in _bounding_box(mask)))
    return np.array([(*corner, 1) for corner in corners]) @ affine.T


def _longest_move(matrix, points):
    return float(np.linalg.norm(points @ matrix.T - points, axis=1).max())


def _check_scans(fixed, moving, mask):
    if fixed.ndim != 3 or not fixed.shape == moving.shape == mask.shape:
        raise InputError(
            "the two scans and the mask must be volumes of one shape (x, y, z). "
            f"Received: fixed {fixed.shape}, moving {moving.shape}, mask {mask.shape}. Resample them to one grid."
        )
    _check_mask(mask)
    for name, scan in (("fixed", fixed), ("moving", moving)):
        if np.ptp(scan[mask]) == 0:
            raise InputError(
                f"the {name} scan is constant inside the mask: nothing can be aligned. Received: {scan[mask][0]:g} throughout."
            )


def _check_mask(mask):
    if not mask.any():
        raise InputError(f"the mask must hold at least one voxel. Received: no voxel of {mask.shape}. Lower its threshold.")
