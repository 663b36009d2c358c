"""Where the head is in each frame of a run, from block averages: enough to see a motion of about one voxel."""

import itertools

import numpy as np
from scipy import ndimage

# Voxels: blocks are blurred by this much at least, so that a shift of a few voxels changes them linearly.
_BLUR = 2.0
_UPDATES = 8
# Brain points whose motion is taken.
_POINTS = 60
# Voxels: shorter motions are not doubted; a longer one must explain most of what changed, or it is something else than motion.
_UNDOUBTED = 0.4
_EXPLAINED = 0.7
# ... unless what is left is usual in this run: noise.
_MISFIT = 1.5
_FAR = 1.5
# Voxels: two stretches of frames are apart if the head moved by this much between them, root mean square over the brain.
_APART = 0.75
# ... and by this many times the usual distance of two successive frames.
_JITTERS = 5.0
# Frames whose median is the present position.
_RECENT = 5


def head_positions(images, brain, side, zooms):
    """Follow points of the brain through the frames of one condition.

    Parameters
    ----------
    images : ndarray of float, shape (frame, i, j, k)
        Block averages.
    brain : ndarray of bool, shape (i, j, k)
    side : int
        Of a block, voxels.
    zooms : tuple of float
        Voxel sides; any unit.

    Returns
    -------
    ndarray of float64, shape (frame, point, 3)
        Displacement of brain points from the median image, voxels; NaN where a frame differs by something else than motion.

    References
    ----------
    Baker & Matthews, Int J Comput Vis 56:221, 2004. doi:10.1023/B:VISI.0000011205.11775.fd
    """
    blur = max(0.7, _BLUR / side)
    images = np.array([ndimage.gaussian_filter(image, blur, output=np.float64) for image in images])
    reference, region = np.median(images, axis=0), ndimage.binary_dilation(brain)
    places = np.argwhere(region).astype(np.float64)
    basis = _rigid_basis(places, np.asarray(zooms, np.float64))
    slopes = np.stack(_gradient(reference), axis=-1)[region]
    # One column for each parameter, and one for a change of the gain.
    design = np.column_stack([np.einsum("nc,ncp->np", slopes, basis), reference[region]])
    # A Gaussian of SD s averages (2 √π s)³ independent values; a motion of one voxel is as likely as none.
    noise = np.median(np.mean(np.diff(images[:, region], axis=0) ** 2, axis=1)) / 2
    penalty = np.diag([noise * (2 * np.sqrt(np.pi) * blur) ** 3 * side**2] * 6 + [0.0])
    before = np.array([_misfit(_difference(image, reference[region], places)) for image in images])
    # The search by whole blocks takes time: only for frames that are far from the median image.
    far = before > _FAR * np.median(before)
    starts = [_coarse_shift(image, reference[region], places, basis) if search else np.zeros(6) for image, search in zip(images, far)]
    fits = [_align(image, reference[region], places, (basis, design, penalty, start)) for image, start in zip(images, starts)]
    motions, after = (np.array(column) for column in zip(*fits))
    inside = np.flatnonzero(brain[region])
    points = basis[inside[:: max(1, len(inside) // _POINTS)]]
    positions = side * np.einsum("ncp,tp->tnc", points, motions)
    far = np.sqrt(np.mean(np.sum(positions**2, axis=-1), axis=-1)) > _UNDOUBTED
    positions[far & (after > _EXPLAINED * before) & (after > _MISFIT * np.median(after))] = np.nan
    return positions


def stretches(positions):
    """Sort frames by where the head is: stretches of frames between jumps, those at one place taken together.

    Parameters
    ----------
    positions : ndarray of float, shape (frame, point, 3)
        As from `head_positions`.

    Returns
    -------
    ndarray of int, shape (frame,)
        A number for each place, in the order in which the head came there; a frame of unknown position keeps the place before.
    """
    known = positions[~np.isnan(positions).any(axis=(1, 2))]
    # Turns are less certain than shifts, so both have a threshold: a jump is longer than what noise does between two frames.
    limits = np.maximum(_APART, _JITTERS * np.median([_apart(*pair) for pair in zip(known, known[1:])] or [[0.0, 0.0]], axis=0))
    places, labels, now = [], np.zeros(len(positions), int), None
    for t, position in enumerate(positions):
        if not np.isnan(position).any():
            excess = [(_apart(position, np.median(place[-_RECENT:], axis=0)) / limits).max() for place in places]
            if now is None or excess[now] > 1:
                now = int(np.argmin(excess)) if excess and min(excess) <= 1 else len(places)
                places += [[]] if now == len(places) else []
            places[now].append(position)
        labels[t] = now or 0
    return labels


def distance(first, second):
    """Return how far brain points lie apart, root mean square: float, voxels.

    Parameters
    ----------
    first, second : ndarray of float, shape (point, 3)
    """
    return float(np.sqrt(np.mean(np.sum((first - second) ** 2, axis=-1))))


def _apart(first, second):
    """Return the distance of the means, and the root mean square distance."""
    return np.array([np.linalg.norm(np.mean(first - second, axis=0)), distance(first, second)])


def _gradient(volume):
    return [np.gradient(volume, axis=a) if volume.shape[a] > 1 else np.zeros_like(volume) for a in range(3)]


def _rigid_basis(places, zooms):
    """Return the displacement of each place in blocks per unit of each parameter: shape (place, 3 axes, 6)."""
    arms = (places - places.mean(axis=0)) * zooms
    reach = max(np.sqrt(np.mean(arms**2)), 1e-12)
    turns = [np.cross(axis, arms) / reach for axis in np.eye(3)]
    shifts = [np.broadcast_to(axis, arms.shape) for axis in np.eye(3) * zooms.mean()]
    return np.stack([*shifts, *turns], axis=-1) / zooms[:, None]


def _align(image, reference, places, model):
    """Return the six parameters of the motion from the reference to an image, and the misfit that is left."""
    basis, design, penalty, start = model
    solve = np.linalg.pinv(design.T @ design + penalty, hermitian=True)
    motion = np.append(start, 0.0)
    for _ in range(_UPDATES):
        residual = _difference(image, reference, places + basis @ motion[:6])
        update = -solve @ (design.T @ residual + penalty @ motion)
        # At most one block at a time: further away the image is not linear in the motion.
        update[:6] /= max(1.0, np.abs(update[:6]).max())
        motion = motion + np.append(update[:6], 0.0)
        if np.abs(update[:6]).max() < 1e-3:
            break
    return motion[:6], _misfit(_difference(image, reference, places + basis @ motion[:6]))


def _difference(image, reference, places):
    """Return image(places) - reference, after matching their gains; 0 outside the field of view."""
    inside = ((places >= 0) & (places <= np.array(image.shape) - 1)).all(axis=1)
    # image(place + motion) == reference(place) once the motion is right.
    moved = ndimage.map_coordinates(image, places.T, order=1, mode="nearest") * inside
    fitting = reference * inside
    gain = max(moved @ fitting, 1e-30) / max(fitting @ fitting, 1e-30)
    return moved / gain - fitting


def _misfit(residual):
    # The upper quartile: one bad slice does not rule it.
    return np.percentile(np.abs(residual), 75)


def _coarse_shift(image, reference, places, basis):
    """Return the shift by whole blocks that fits best, as six parameters."""
    shifts = np.array(list(itertools.product(*([-2, -1, 0, 1, 2] if side > 4 else [0] for side in image.shape))))
    best = min(shifts, key=lambda shift: (np.mean(_nearest(image, places + shift, reference) ** 2), np.abs(shift).sum()))
    return np.append(best / basis[0].diagonal(), np.zeros(3))


def _nearest(image, places, reference):
    last = np.array(image.shape) - 1
    values = image[tuple(np.clip(places, 0, last).astype(int).T)]
    return values * (reference @ reference) / max(values @ reference, 1e-30) - reference
