"""A part of a scan, small enough to judge a fresh network by at once."""

from keras_mri.inference.timing import affordable_voxels
from keras_mri.io.volumes import Volume

# Voxels of a frame: more take longer than they tell. Slices, however large.
_MOST_VOXELS, _LEAST_SLICES = 2**20, 8


def central_part(volume, frames=None):
    """Return the middle slices of some frames.

    Parameters
    ----------
    volume : Volume
        A restored one brings the same part of its `source` along.
    frames : sequence of int, optional
        The middle frame alone by default.

    Returns
    -------
    Volume
        3D for one frame, otherwise 4D; its frames are read when they are asked for.
    """
    frames = list(frames) if frames is not None else [volume.n_frames // 2]
    x, y, z = volume.shape[:3]
    count = min(z, max(_LEAST_SLICES, int(min(_MOST_VOXELS, affordable_voxels()) // (x * y))))
    first = (z - count) // 2
    affine = volume.affine.copy()
    affine[:3, 3] += first * affine[:3, 2]
    source = None if volume.source is None else central_part(volume.source, frames)
    shape = (x, y, count) if len(frames) == 1 else (x, y, count, len(frames))
    part = Volume(lambda t: volume.frame(frames[t])[..., first : first + count], shape, affine, volume.header, volume.name, source)
    part.facts, part.file = volume.facts, volume.file
    if "repetition_time" in vars(volume):
        part = part.with_repetition_time(volume.repetition_time)
    return part
