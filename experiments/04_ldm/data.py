"""The scans of this experiment: two runs on one grid, each divided in time into frames that train and frames that never do."""

import pathlib

import numpy as np

from experiments.data import FOLDER
from keras_mri.imaging.resampling import resampled_to
from keras_mri.io.nifti_reading import open_image
from keras_mri.io.nifti_writing import save
from keras_mri.io.volumes import Volume

# source: folder, scan, mask, and how many frames train; the first one's grid is that of all
SOURCES = {
    "forrest": ("forrest-bold", "bold.nii.gz", "bold_mask.nii.gz", 120),
    "prisma": ("prisma-epi", "pcasl2d.nii.gz", "pcasl2d_mask.nii.gz", 80),
}


def write_parts(folder):
    """Write NAME_training.nii.gz, NAME_held_out.nii.gz and NAME_mask.nii.gz of both sources, unless they are there."""
    grid = open_image(_path("forrest", 1))
    for source, (*_, count) in SOURCES.items():
        run, mask = open_image(_path(source, 1)), open_image(_path(source, 2))
        if source != "forrest":
            run, mask = on_grid(run, grid), on_grid(mask, grid)
        for part, first, last in (("training", 0, count), ("held_out", count, run.n_frames)):
            if not part_path(folder, source, part).exists():
                frames = Volume(lambda t, run=run, first=first: run.frame(first + t), (*run.shape[:3], last - first), grid.affine)
                save(frames, part_path(folder, source, part))
        if not part_path(folder, source, "mask").exists():
            inside = Volume(lambda t, mask=mask: (mask.frame(0) > 0.5).astype(np.float32), run.shape[:3], grid.affine)
            save(inside, part_path(folder, source, "mask"))


def part_path(folder, source, part):
    """Return where a part of a source lies: "training", "held_out" or "mask"."""
    return pathlib.Path(folder) / f"{source}_{part}.nii.gz"


def training(folder, source):
    """Return the frames of a source that train: ndarray of float32, shape (x, y, z, t)."""
    return open_image(part_path(folder, source, "training")).data


def held_out(folder, source):
    """Return the frames of a source that never train, a Volume in memory, and its mask (bool)."""
    run, mask = (open_image(part_path(folder, source, part)) for part in ("held_out", "mask"))
    return Volume.from_array(run.data, run.affine, run.header, name=source), mask.frame(0) > 0


def on_grid(run, grid):
    """Interpolate a run linearly at the voxels of another, the centres of both fields of view in one place."""
    centres = [volume.affine @ [*((side - 1) / 2 for side in volume.shape[:3]), 1] for volume in (run, grid)]
    affine = run.affine.copy()
    affine[:3, 3] += (centres[1] - centres[0])[:3]
    reference = Volume(lambda t: None, grid.shape[:3], grid.affine)

    def frame(t):
        return resampled_to(Volume(lambda _: run.frame(t), run.shape[:3], affine), reference, order=1).frame(0)

    return Volume(frame, (*grid.shape[:3], *run.shape[3:]), grid.affine)


def _path(source, number):
    return FOLDER / SOURCES[source][0] / SOURCES[source][number]
