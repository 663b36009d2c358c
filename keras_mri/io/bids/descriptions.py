"""Which kind of scan free words speak of: file names outside of BIDS, and what scanners call a series or its sequence."""

import pathlib
import re

from keras_mri.io.bids.metadata import stem
from keras_mri.io.bids.names import kind_of

# Kind of scan, as BIDS writes it, and the words that speak of it; the first that fits counts: "T2 FLAIR" is FLAIR, "ep2d diff" is dwi.
_WORDS = tuple(
    (kind, re.compile(rf"(?<!\w)(?:{words})(?!\w)"))
    for kind, words in (
        ("dwi", r"dwi\w*|dti\w*|hardi|noddi|diff\w*|b\d{3,4}"),
        ("asl", r"p?c?asl\w*|perf\w*"),
        ("sbref", r"sbref"),
        ("bold", r"bold\w*|(?:rs)?fmri\w*"),
        ("T2starw", r"t2 ?\*|t2 ?star\w*|swi\w*|swan"),
        ("epi", r"epi\w*|ep2d\w*|se ?epi\w*"),
        ("T1w", r"t1w? flair"),
        ("FLAIR", r"\w*flair\w*|dark ?fluid|tirm"),
        ("T1w", r"t1(?!map|rho)[a-z]*|mp ?r(?:age)?\w*|\w*spgr|bravo|mdeft"),
        ("T2w", r"t2(?!map|star)[a-z]*|haste|frfse\w*"),
        ("PDw", r"pdw?|proton ?density"),
        ("angio", r"tof\w*|angio\w*|mra"),
    )
)
# Entities whose labels say nothing of the contrast: "ses-t1" is the first visit.
_SILENT = re.compile(r"(?:sub|ses|task|run|echo|dir|flip|inv|part|space|res|den|hemi|label|chunk|split|sample)-.*")
# Suffixes of BIDS, and last words of names, of images that are no scans.
_NO_SCANS = re.compile(
    r"\w*map|phase\w*|pha|mask|defacemask|[dp]?seg|probseg|aseg|labels?|adc|FA|MD|colfa|cbf|[zt]stat\w*|warp|pet|ct|CT|TB1EPI|TB1TFL",
)


def kind_in_words(text):
    """Return which kind of scan words speak of.

    Parameters
    ----------
    text : str
        For example "t1_mprage_sag_p2_iso" or "ep2d_bold_moco".

    Returns
    -------
    str or None
        A suffix of BIDS: "T1w", "bold".
    """
    words = re.sub(r"[^a-z0-9*]+", " ", text.lower())
    return next((kind for kind, pattern in _WORDS if pattern.search(words)), None)


def kind_in_name(name):
    """Return which kind of scan a file is by its name: by the suffix of BIDS, or else by words in it.

    Parameters
    ----------
    name : str or path-like
        For example "sub-01_ses-2_T1w.nii.gz", "head 3 MPRAGE.nii" or "T1w_defaced.nii.gz".

    Returns
    -------
    str or None
    """
    parts = stem(pathlib.PurePath(name).name).split("_")
    return kind_of(name) or kind_in_words(" ".join(part for part in parts if not _SILENT.fullmatch(part)))


def no_scan_by_name(name):
    """Return the word of a file's name that says it holds no magnitudes as measured: a map, a phase, a mask, another modality.

    Parameters
    ----------
    name : str or path-like

    Returns
    -------
    str or None
        "T1map", "part-phase", "FA"; None for a scan.
    """
    *_, last = parts = stem(pathlib.PurePath(name).name).split("_")
    part = next((part for part in parts if part in ("part-phase", "part-real", "part-imag")), None)
    if part is not None:
        return part
    return last if _NO_SCANS.fullmatch(last) or len(last) > 2 and _NO_SCANS.fullmatch(last.lower()) else None
