"""What the pre-trained denoisers learn from, and what chooses between tries; persons of a test take no part.

network  painted label maps (heads 1 to 18)      real scans, coarser than they came: less noise         held to
t1w      0.75 to 1.4 mm, most like a T1w          T1w of studyforrest and of clinical heads 8–10         T1w of prisma-mini
epi      1.7 to 4 mm, slices to 6 mm              clinical heads 8–10; mean of prisma-epi                BOLD of prisma-mini
any      0.7 to 3 mm, slices to 6 mm, any kind    all of these, and T2w and FLAIR of clinical 8–10       FLAIR of clinical head 4

epi and any also get the noise of prisma-epi's frames and of short EPIs.
"""

import dataclasses

import numpy as np

from experiments.data import FOLDER
from keras_mri.imaging.acquisition.frame_differences import frame_differences
from keras_mri.imaging.intensity import fit_scaling
from keras_mri.imaging.kspace import resampled
from keras_mri.imaging.painted.label_maps import drawn_image
from keras_mri.io.nifti_reading import open_image

HEADS, HELD_HEADS = range(1, 19), (19, 20)
# Contrasts that are painted, in turn.
_PAINTED = {
    "t1w": ("T1w", "T1w", "T1w", "free", "T1w", "FLAIR"),
    "epi": ("EPI", "free", "EPI", "T2w"),
    "any": ("T2w", "FLAIR", "free", "EPI", "T1w", "free"),
}
# Share of the patches that come from painted heads.
_SHARES = {"t1w": 0.65, "epi": 0.65, "any": 0.7}
_EPI = {
    "epi-short/ge_v14_zugfahrt.nii.gz": slice(0, 2),
    "epi-short/oxford_mb_86x86x51.nii.gz": slice(0, 2),
    "epi-short/siemens_b17_fmri.nii.gz": slice(0, 3),
    "epi-short/siemens_me_e1.nii.gz": slice(0, 3),
    "epi-short/siemens_me_e2.nii.gz": slice(0, 3),
    "epi-short/siemens_sag_PSL.nii.gz": slice(0, 6),
}
# Sides of the voxels, mm, that k-space of a structural scan is cut to: noise of their own, which would teach to keep noise, goes.
_STRUCTURAL = {
    "t1w": {
        "forrest-t1w/T1w.nii.gz": ((1.4, 1.4, 1.4), (1.7, 1.7, 1.7), (2.0, 2.0, 2.0)),
        "clinical/head08_t1w.nii.gz": ((1.6, 1.6, 3.0),),
        "clinical/head09_t1w.nii.gz": ((1.6, 1.6, 3.0),),
        "clinical/head10_t1w.nii.gz": ((1.6, 1.6, 3.0),),
    },
    "other": {
        "clinical/head08_flair.nii.gz": ((1.4, 1.4, 3.0),),
        "clinical/head09_flair.nii.gz": ((1.4, 1.4, 3.0),),
        "clinical/head09_t2w.nii.gz": ((1.2, 1.2, 3.3),),
        "clinical/head10_flair.nii.gz": ((1.6, 1.6, 3.0),),
    },
    "epi": {f"clinical/head{name}.nii.gz": ((2.4, 2.4, 3.3),) for name in ("08_flair", "09_flair", "09_t2w", "10_t1w")},
}
# Frames of prisma-epi whose noise is taken: each against the mean of those near it that have its label.
_NOISE_FRAMES, _NEAR = range(0, 100, 4), 50


@dataclasses.dataclass(frozen=True)
class Clean:
    """An image that is free of noise, or nearly: network units (1 is its robust maximum), voxels in mm, share of the patches.

    `noise` holds what single frames of its run differ by, in the same units; empty where there are none.
    """

    name: str
    data: np.ndarray
    zooms: tuple
    share: float = 1.0
    noise: tuple = ()


def training_pool(kind, painted, seed):
    """Return what the network `kind` ("t1w", "epi" or "any") learns from, `painted` painted heads among it: list of Clean."""
    drawn = [painted_head(kind, number, seed) for number in range(painted)]
    return _shared(drawn, _SHARES[kind]) + _shared(_real(kind), 1 - _SHARES[kind])


def painted_head(kind, number, seed, heads=HEADS):
    """Paint one head: Clean."""
    rng = np.random.default_rng([seed, number])
    head, contrast = heads[number % len(heads)], _PAINTED[kind][number % len(_PAINTED[kind])]
    labels = np.asarray(open_image(FOLDER / "label-maps" / f"head{head:02d}_labels.nii.gz").frame(0), np.int16)
    zooms = drawn_zooms(kind, rng)
    return clean(f"label map {head:02d}, {contrast}", drawn_image(labels, zooms, rng, contrast), zooms)


def drawn_zooms(kind, rng):
    """Draw the sides of voxels, mm: isotropic ones, or thicker slices along an axis of any direction."""
    low, high = {"t1w": (0.75, 1.4), "epi": (1.7, 4.0), "any": (0.7, 3.0)}[kind]
    side = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    zooms = side * rng.uniform(0.9, 1.1, 3)
    if rng.random() < {"t1w": 0.3, "epi": 0.5, "any": 0.5}[kind]:
        zooms[rng.integers(3)] *= rng.uniform(1, min(4, 6 / side))
    return tuple(float(zoom) for zoom in zooms)


def held_out(kind):
    """Return a scan that chooses between tries, in network units: what is measured and its truth, ndarrays of float32, (x, y, z)."""
    if kind == "epi":
        run = open_image(FOLDER / "prisma-mini" / "bold.nii.gz").data
        truth = run.mean(axis=3)
        return fit_scaling(truth).apply(run[..., run.shape[3] // 2]), fit_scaling(truth).apply(truth)
    name = {"t1w": "prisma-mini/T1w_2mm_defaced.nii.gz", "any": "clinical/head04_flair.nii.gz"}[kind]
    truth = open_image(FOLDER / name).frame(0)
    truth = fit_scaling(truth).apply(truth)
    return truth, truth


def clean(name, data, zooms, noise=()):
    """Return an image as Clean: float16, a quarter of a thousandth of its range or better."""
    data = np.maximum(data, 0)
    scaling = fit_scaling(data)
    in_units = [(frame / scaling.scale).astype(np.float16) for frame in noise]
    return Clean(name, np.minimum(scaling.apply(data), 8).astype(np.float16), tuple(map(float, zooms)), 1.0, tuple(in_units))


def _real(kind):
    """Return real scans that are nearly free of noise, and those that lend theirs."""
    groups = {"t1w": ("t1w",), "epi": ("epi",), "any": ("t1w", "other", "epi")}[kind]
    scans = [_coarser(name, sides) for group in groups for name, several in _STRUCTURAL[group].items() for sides in several]
    return scans if kind == "t1w" else [*scans, _prisma_epi(), *(_lender(name, frames) for name, frames in _EPI.items())]


def _prisma_epi():
    image = open_image(FOLDER / "prisma-epi" / "pcasl2d.nii.gz")
    run = image.data[..., 2:]
    noise = []
    for t in _NOISE_FRAMES:
        # Label and control volumes alternate.
        near = [other for other in range(t % 2, run.shape[3], 2) if other != t and abs(other - t) <= _NEAR]
        noise.append((run[..., t] - run[..., near].mean(axis=3)).astype(np.float32))
    # The one scan that has both: a truth from a hundred frames, and the noise of each of them.
    return dataclasses.replace(clean("prisma-epi, mean", run.mean(axis=3), image.zooms, noise), share=3.0)


def _lender(name, frames):
    """Return a scan of which only the noise is used: the mean of two or three frames is no truth, but their differences are noise."""
    image = open_image(FOLDER / name)
    run = np.stack([image.frame(t) for t in range(frames.start, frames.stop)], axis=-1)
    noise = frame_differences(run)
    lender = clean(f"{name}, its noise", run.mean(axis=3), image.zooms, [noise[..., t] for t in range(noise.shape[3])])
    return dataclasses.replace(lender, share=0.0)


def _coarser(name, sides):
    image = open_image(FOLDER / name)
    shape = [round(count * min(1.0, zoom / side)) for count, zoom, side in zip(image.shape, image.zooms, sides)]
    zooms = [zoom * old / new for zoom, old, new in zip(image.zooms, image.shape, shape)]
    return clean(f"{name} at {' × '.join(f'{zoom:.2g}' for zoom in zooms)} mm", resampled(image.frame(0), shape), zooms)


def _shared(scans, share):
    """Let scans give patches in proportion to the cube root of their voxels: large ones show more, but not a hundred times more."""
    sizes = np.cbrt([scan.data.size for scan in scans]) * [scan.share for scan in scans]
    return [dataclasses.replace(scan, share=float(share * size / sizes.sum())) for scan, size in zip(scans, sizes)]
