"""What the pre-trained denoisers learn from, and what they are held to meanwhile; persons and scanners of a test take no part.

network   trained on                                          held to                test
t1w       T1w of studyforrest, 80 %; all EPIs, 20 %           T1w of prisma-mini     T1w of adi-t1t2
epi       EPIs but studyforrest's, 75 %; T1w, T2w of          BOLD of prisma-mini    BOLD of studyforrest
          adi-t1t2 and prisma-mini, 25 %

The T1w of prisma-mini that epi learns from shows the head that it is held to: what is held out chose between tries, and is no result.
"""

import dataclasses

import numpy as np

from experiments.data import FOLDER, forrest_t1w_copies
from keras_mri.imaging.intensity import fit_scaling
from keras_mri.imaging.kspace import resampled
from keras_mri.io.nifti_reading import open_image

# mm that were measured, mm of the grid, power: beside the copies near 1 mm, thick, coarse and sharp ones (the last with noise of its own).
_THICK, _OBLONG = (1.0, 1.0, 1.8), (0.9, 1.15, 1.15)
_MORE_COPIES = ((2.0, 2.0, 1.0), (_THICK, _THICK, 1.0), (_OBLONG, _OBLONG, 1.0), (0.8, 0.8, 1.0))
# Frames whose mean is the truth; a single one where the head moves or the scanner drifts.
_EPI = {
    "forrest-bold/bold.nii.gz": (slice(0, 12),),
    "prisma-epi/pcasl2d.nii.gz": (slice(0, 20),),
    "ge-seepi/series7_4rep.nii.gz": (slice(1, 4),),
    "cabi-dti/dev_rep1.nii.gz": (slice(0, 1), slice(1, 7)),
    "cabi-dti/dev_rep2.nii.gz": (slice(0, 1),),
    "epi-short/ge_nih_15sl.nii.gz": (slice(0, 1),),
    "epi-short/ge_v14_zugfahrt.nii.gz": (slice(0, 1),),
    "epi-short/oxford_mb_86x86x51.nii.gz": (slice(0, 2),),
    "epi-short/oxford_seepi_1p5mm.nii.gz": (slice(0, 1),),
    "epi-short/siemens_b12_35sl.nii.gz": (slice(0, 1),),
    "epi-short/siemens_b13_fmri.nii.gz": (slice(0, 2),),
    "epi-short/siemens_b17_fmri.nii.gz": (slice(0, 3),),
    "epi-short/siemens_d13_motion.nii.gz": (slice(0, 1), slice(5, 6)),
    "epi-short/siemens_me_e1.nii.gz": (slice(0, 3),),
    "epi-short/siemens_me_e2.nii.gz": (slice(0, 3),),
    "epi-short/siemens_sag_PSL.nii.gz": (slice(0, 6),),
}
_STRUCTURAL = {
    "adi-t1t2/T1w_defaced.nii.gz": (2.3, 1.5),
    "adi-t1t2/T2w_defaced.nii.gz": (2.5, 1.7),
    "prisma-mini/T1w_2mm_defaced.nii.gz": (2, 3),
}
# Coarser copies of EPIs, by this factor in every direction.
_COARSER = 1.25
_SHARES = {"t1w": 0.8, "epi": 0.25}


@dataclasses.dataclass(frozen=True)
class Scan:
    """A clean image in network units (1 is its robust maximum), its voxels in mm, and the share of the patches that come from it."""

    name: str
    data: np.ndarray
    zooms: tuple
    share: float


def training_scans(kind):
    """Return what the network `kind` ("t1w" or "epi") learns from: list of Scan."""
    if kind == "t1w":
        structural = [
            _scan(volume.name, volume.frame(0), volume.zooms) for volume in forrest_t1w_copies() + forrest_t1w_copies(_MORE_COPIES)
        ]
        others = _epi(_EPI)
    else:
        structural = [scan for name, sides in _STRUCTURAL.items() for side in sides for scan in [_coarser(name, side)]]
        others = _epi([name for name in _EPI if not name.startswith("forrest")])
    return _shared(structural, _SHARES[kind]) + _shared(others, 1 - _SHARES[kind])


def held_out(kind):
    """Return a scan of prisma-mini in network units: what is measured and its truth, ndarrays of float32, shape (x, y, z)."""
    if kind == "t1w":
        truth = open_image(FOLDER / "prisma-mini" / "T1w_2mm_defaced.nii.gz").frame(0)
        truth = fit_scaling(truth).apply(truth)
        return truth, truth
    run = open_image(FOLDER / "prisma-mini" / "bold.nii.gz").data
    truth = run.mean(axis=3)
    return fit_scaling(truth).apply(run[..., run.shape[3] // 2]), fit_scaling(truth).apply(truth)


def _epi(names):
    scans = []
    for name in names:
        image = open_image(FOLDER / name)
        for frames in _EPI[name]:
            mean = np.mean([image.frame(t) for t in range(frames.start, frames.stop)], axis=0, dtype=np.float32)
            coarse = [round(side / _COARSER) for side in mean.shape]
            zooms = [zoom * side / new for zoom, side, new in zip(image.zooms, mean.shape, coarse)]
            title = f"{name}, frames {frames.start}–{frames.stop - 1}"
            scans += [_scan(title, mean, image.zooms), _scan(f"{title}, coarser", resampled(mean, coarse), zooms)]
    return scans


def _coarser(name, side):
    image = open_image(FOLDER / name)
    shape = [round(count * min(1.0, zoom / side)) for count, zoom in zip(image.shape, image.zooms)]
    zooms = [zoom * old / new for zoom, old, new in zip(image.zooms, image.shape, shape)]
    return _scan(f"{name} at {side} mm", resampled(image.frame(0), shape), zooms)


def _scan(name, data, zooms):
    data = np.maximum(data, 0)
    return Scan(name, fit_scaling(data).apply(data), tuple(float(zoom) for zoom in zooms), 1.0)


def _shared(scans, share):
    """Let scans give patches in proportion to the cube root of their voxels: large ones show more, but not a hundred times more."""
    sizes = np.cbrt([scan.data.size for scan in scans])
    return [dataclasses.replace(scan, share=float(share * size / sizes.sum())) for scan, size in zip(scans, sizes)]
