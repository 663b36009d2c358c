"""Who `ldm_epi` learns from, and who it never sees: drawn heads (`heads`), and real runs by folder, file, frames, label."""

import importlib

import numpy as np

from experiments.data import FOLDER
from keras_mri.io.nifti_reading import open_image
from keras_mri.io.volumes import Volume

heads = importlib.import_module("experiments.04_ldm.heads")
GRADIENT, SPIN = heads.LABELS
TRAINING = {
    "forrest-bold": ("forrest-bold/bold.nii.gz", slice(0, 120, 8), GRADIENT),
    "prisma-epi": ("prisma-epi/pcasl2d.nii.gz", slice(2, 80, 8), GRADIENT),
    "ge-seepi": ("ge-seepi/series7_4rep.nii.gz", slice(1, 4), SPIN),
    **{
        f"epi-short/{name}": (f"epi-short/{name}.nii.gz", slice(None), GRADIENT)
        for name in ("siemens_b12_35sl", "siemens_b13_fmri", "siemens_b17_fmri", "siemens_d13_motion", "siemens_me_e1", "siemens_me_e2")
    },
}
# Other frames of heads that train.
SEEN = {
    "forrest-bold": ("forrest-bold/bold.nii.gz", slice(120, None, 12), GRADIENT),
    "prisma-epi": ("prisma-epi/pcasl2d.nii.gz", slice(80, None, 8), GRADIENT),
}
UNSEEN = {
    "philips-3t": ("philips-3t/bold.nii.gz", slice(5, None, 23), GRADIENT),
    "prisma-mini": ("prisma-mini/bold.nii.gz", slice(0, None, 7), GRADIENT),
    "cabi-dti, b0": ("cabi-dti/dev_rep1.nii.gz", slice(0, 1), SPIN),
    "epi-short/oxford_mb": ("epi-short/oxford_mb_86x86x51.nii.gz", slice(None), GRADIENT),
    "epi-short/siemens_sag": ("epi-short/siemens_sag_PSL.nii.gz", slice(None, None, 3), GRADIENT),
    "epi-short/ge_v14": ("epi-short/ge_v14_zugfahrt.nii.gz", slice(None), GRADIENT),
}


def real(sources):
    """Return the runs of a table (list of Volume) and their labels (list of str)."""
    runs = []
    for name, (path, frames, _) in sources.items():
        run = open_image(FOLDER / path)
        data = run.data if run.data.ndim == 4 else run.data[..., None]
        runs.append(Volume.from_array(np.ascontiguousarray(data[..., frames]), run.affine, run.header, name=name))
    return runs, [label for *_, label in sources.values()]


def drawn(folder, group):
    """Return the drawn heads of a group (list of Volume) and their labels (list of str)."""
    images, zooms, labels = heads.load(folder, group)
    return [Volume.from_array(image, np.diag([*sides, 1.0]), name=group) for image, sides in zip(images, zooms)], labels
