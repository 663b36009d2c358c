"""Contrasts: how bright each tissue of a label map is, drawn anew for each image.

Labels are numbered as FreeSurfer does, and above 500 as in the label maps of Billot et al. (Med Image Anal 86:102789, 2023). What is
not in the table is a tissue of its own.
"""

import dataclasses

import numpy as np

TISSUES = {
    "white matter": (2, 41, 7, 46, 28, 60, 85, 530, 512, 16),
    "cortex": (3, 42, 8, 47, 17, 53, 18, 54, 26, 58),
    "deep grey matter": (10, 49, 11, 50, 12, 51, 13, 52),
    "fluid": (4, 43, 5, 44, 14, 15, 24, 72, 506),
    "plexus": (31, 63, 136, 137, 163, 164),
    "lesion": (25, 57, 77),
    "vessel": (30, 62, 502, 514),
    "bone": (515,),
    "marrow": (516,),
    "skin": (511,),
    "soft tissue": (507, 508, 509),
}
# Relative brightness, from lowest to highest, of contrasts that scanners make; "free" draws every tissue alone.
_TYPICAL = {
    "T1w": {
        "white matter": (0.65, 0.85), "cortex": (0.4, 0.6), "deep grey matter": (0.5, 0.7), "fluid": (0.08, 0.3), "plexus": (0.3, 0.5),
        "lesion": (0.3, 0.6), "vessel": (0.1, 1.1), "bone": (0.02, 0.12), "marrow": (0.4, 1.1), "skin": (0.5, 1.1),
        "soft tissue": (0.3, 0.7),
    },
    "T2w": {
        "white matter": (0.2, 0.4), "cortex": (0.35, 0.55), "deep grey matter": (0.25, 0.45), "fluid": (0.8, 1.2), "plexus": (0.5, 0.9),
        "lesion": (0.5, 0.9), "vessel": (0.02, 0.4), "bone": (0.02, 0.1), "marrow": (0.2, 0.7), "skin": (0.2, 0.8),
        "soft tissue": (0.1, 0.6),
    },
    "FLAIR": {
        "white matter": (0.4, 0.6), "cortex": (0.55, 0.75), "deep grey matter": (0.45, 0.65), "fluid": (0.03, 0.25), "plexus": (0.3, 0.7),
        "lesion": (0.8, 1.2), "vessel": (0.05, 0.5), "bone": (0.02, 0.12), "marrow": (0.2, 0.7), "skin": (0.3, 0.8),
        "soft tissue": (0.2, 0.6),
    },
    "EPI": {
        "white matter": (0.45, 0.7), "cortex": (0.55, 0.8), "deep grey matter": (0.4, 0.75), "fluid": (0.7, 1.2), "plexus": (0.6, 1.0),
        "lesion": (0.5, 0.8), "vessel": (0.1, 0.9), "bone": (0.01, 0.06), "marrow": (0.02, 0.15), "skin": (0.03, 0.2),
        "soft tissue": (0.05, 0.4),
    },
}  # fmt: skip
CONTRASTS = (*_TYPICAL, "free")
# Structures of one tissue differ by so much; texture inside a structure has up to this SD, as parts of its brightness. Strong fine
# texture could not be told from noise by anyone, and teaches to keep noise.
_WITHIN, _TEXTURE = 0.06, 0.03


@dataclasses.dataclass(frozen=True)
class Contrast:
    """Brightness of the tissues of an image.

    Attributes
    ----------
    mean : ndarray of float32, shape (largest label + 1,)
        Mean of each label; 0 for air.
    texture : ndarray of float32, same shape
        SD of the texture inside each label, in the same unit.
    """

    mean: np.ndarray
    texture: np.ndarray


def draw_contrast(labels, rng, kind=None):
    """Draw how bright the tissues of a label map are.

    Parameters
    ----------
    labels : sequence of int
        Labels that occur, not negative.
    rng : numpy.random.Generator
    kind : str, optional
        One of `CONTRASTS`; drawn among them without it.

    Returns
    -------
    Contrast
        Means between 0 and about 1.2.
    """
    kind = kind or CONTRASTS[rng.integers(len(CONTRASTS))]
    labels = np.unique(np.asarray(labels, int))
    mean, texture = np.zeros((2, int(labels.max(initial=0)) + 1), np.float32)
    # Each tissue is drawn whether it occurs or not: a missing structure does not change the others.
    brightness = {tissue: _brightness(kind, tissue, rng) for tissue in TISSUES}
    of = {label: tissue for tissue, members in TISSUES.items() for label in members}
    for label in labels[labels != 0]:
        base = brightness[of[label]] if label in of else rng.uniform(0.05, 1)
        mean[label] = max(0.005, base * (1 + _WITHIN * rng.standard_normal()))
        texture[label] = mean[label] * rng.uniform(0, _TEXTURE)
    return Contrast(mean, texture)


def _brightness(kind, tissue, rng):
    low, high = _TYPICAL[kind][tissue] if kind in _TYPICAL else (0.03, 1.1)
    return rng.uniform(low, high)
