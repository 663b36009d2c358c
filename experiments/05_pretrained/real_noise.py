"""Real noise and a real truth, the headline: python -m experiments.05_pretrained.real_noise filters | networks

    python -m experiments.05_pretrained.real_noise filters                        # half an hour; go on by the same command
    python -m experiments.05_pretrained.real_noise networks wgan_epi wgan_any      # minutes

Nothing is added. One frame of a run is restored by itself and compared, inside the brain mask, with the mean of the other frames; one
repetition of an EPI with the mean of the other repetitions. gain.py derives what is reported: RMS distances, and how much of the
possible gain they are. No network knows these heads. Rows go to real_filters.csv and real_networks.csv.

set             frames                                             told to filters
forrest-bold    8 of 156, spread over the run                      σ of second differences of the run, its spectrum of differences
philips-3t      8 of 70 (volumes 5–74)                             likewise
ge-seepi        3 of 3 (volumes 1–3; 0 is brighter)                likewise
cabi-dti b0     each repetition against the other                  σ of their difference
cabi-dti b1000  6 directions, likewise                             σ of their difference

All are magnitudes, and a mean of magnitudes has the bias of each: networks are asked to keep it. The noise of the two runs is
correlated in the plane, .4 from voxel to voxel; the columns x, y, z have it for each set. The truth of a run is the mean of the others
without any correction: drift and physiology stay in d_in and d_out, and the share of what noise alone would gain is beside it, and the
distances where noise is not much above its median (quiet_in, quiet_out).
Scored are the 24 middle slices of the mask; BM4D and DIPY's NLM restore every eighth frame. Both for want of time.
"""

import argparse
import pathlib
import sys
import time
import typing

import numpy as np

from experiments.data import FOLDER
from keras_mri.errors import InputError
from keras_mri.io.nifti_reading import open_image

from . import denoisers, gain
from .rows import Rows

HERE = pathlib.Path(__file__).parent
COLUMNS = (
    *("set", "frame", "method", "network", "told", "count", "d_in", "d_out", "sigma"),
    *("share", "share_rms", "share_noise", "quiet_in", "quiet_out", "zeros", "x", "y", "z", "seconds"),
)
_TESTED = 8
# Of these filters every eighth frame: they take half a minute each.
_SLOW = ("BM4D", "BM4D, spectrum", "DIPY NLM")
# Voxels around the scored ones that filters see, along each axis; networks see all.
_MARGIN, _SLICES = (4, 4, 2), 24


class Repeats(typing.NamedTuple):
    """Frames of one scan whose truth is the same.

    Parameters
    ----------
    name : str
        Of the set.
    labels : sequence of str
        Of the tested frames.
    tested : sequence of int
        Frames that are restored.
    frames : ndarray of float32, shape (x, y, z, t)
    mask : ndarray of bool, shape (x, y, z)
        Where distances are taken.
    affine : ndarray of float64, shape (4, 4)
    """

    name: str
    labels: typing.Sequence
    tested: typing.Sequence
    frames: np.ndarray
    mask: np.ndarray
    affine: np.ndarray


def main(arguments=None):
    """Add the rows that are missing; see `--help`."""
    chosen = denoisers.checked(_parser(), arguments)
    try:
        methods = {name: method for name, method in denoisers.FILTERS.items() if name in chosen.filters}
        if chosen.what == "networks":
            methods = dict(denoisers.network(model, chosen.label, keep_bias=True) for model in chosen.models)
    except InputError as error:
        sys.exit(f"real_noise: error: {error}")
    rows = Rows(chosen.output / f"real_{chosen.what}.csv", COLUMNS)
    for name, method in methods.items():
        rows.forget(name, method.digest)
    for name in chosen.sets:
        seen = 0
        for repeats in SETS[name]():
            score(rows, repeats, methods, seen)
            seen += len(repeats.labels)
    return 0


def runs(name, folder, first):
    """Yield the frames of a run from `first` on, eight of them to be restored."""
    frames, mask, affine = _loaded(f"{folder}/bold.nii.gz", f"{folder}/bold_mask.nii.gz", first)
    tested = np.linspace(0, frames.shape[3] - 1, _TESTED + 2)[1:-1].round().astype(int)
    yield Repeats(name, [str(first + t) for t in tested], tested, frames, mask, affine)


def ge_seepi():
    """Yield the three repetitions of ge-seepi that are equally bright."""
    frames, mask, affine = _loaded("ge-seepi/series7_4rep.nii.gz", "ge-seepi/series7_mask.nii.gz", 1)
    yield Repeats("ge-seepi", ("1", "2", "3"), range(3), frames, mask, affine)


def cabi_dti(directions, name):
    """Yield pairs of repetitions of the diffusion series, one for each direction (0: without weighting)."""
    pair = [open_image(FOLDER / f"cabi-dti/dev_rep{number}.nii.gz") for number in (1, 2)]
    mask = _middle("cabi-dti/mask.nii.gz")
    for direction in directions:
        frames = np.stack([image.frame(direction) for image in pair], axis=-1)
        labels = [f"direction {direction}, repetition {number}" for number in (1, 2)]
        yield Repeats(name, labels, range(2), frames, mask, pair[0].affine)


SETS = {
    "forrest-bold": lambda: runs("forrest-bold", "forrest-bold", 0),
    "philips-3t": lambda: runs("philips-3t", "philips-3t", 5),
    "ge-seepi": ge_seepi,
    "cabi-dti b0": lambda: cabi_dti((0,), "cabi-dti b0"),
    "cabi-dti b1000": lambda: cabi_dti(range(1, 7), "cabi-dti b1000"),
}


def score(rows, repeats, methods, seen=0):
    """Restore the tested frames by every method and add a row for each; distances and σ are % of the mean inside the mask.

    `seen` frames of the set were before them: of slow filters every eighth one counts.
    """
    mean = float(repeats.frames[repeats.mask].mean(dtype=np.float64))
    facts, box = _facts(repeats), _box(repeats.mask)
    for number, (label, t) in enumerate(zip(repeats.labels, repeats.tested)):
        frame, truth = repeats.frames[..., t], gain.others(repeats.frames, t)
        for name, method in methods.items():
            row = dict(set=repeats.name, frame=label, method=name, network=method.digest, told=method.told)
            if row in rows or (name in _SLOW and (number + seen) % 8):
                continue
            start = time.perf_counter()
            known = denoisers.Known(truth[box], repeats.mask[box], facts["sigma"], facts["spectrum"])
            restored = frame.copy()
            if method.digest:
                restored = method.restore(frame, None, repeats.affine)
            else:
                restored[box] = method.restore(frame[box], known, repeats.affine)
            row |= _distances(repeats, frame, truth, restored, facts, mean)
            row |= dict(zip("xyz", facts["neighbours"]), seconds=time.perf_counter() - start)
            rows.add(row)
            print(f"{repeats.name:15s} {label:24s} {name:24s} share {row['share']:6.3f}  {row['seconds']:6.1f} s", flush=True)


def _facts(repeats):
    box = _box(repeats.mask)
    frames, mask = repeats.frames[box], repeats.mask[box]
    return dict(
        sigma=gain.noise_of_frames(frames, mask),
        spectrum=gain.spectrum_of_frames(frames, mask),
        quiet=_whole(gain.quiet(frames, mask), box, repeats.mask.shape),
        neighbours=gain.neighbours_of_frames(frames, mask),
    )


def _whole(part, box, shape):
    whole = np.zeros(shape, part.dtype)
    whole[box] = part
    return whole


def _distances(repeats, frame, truth, restored, facts, mean):
    before, after = (gain.distance(image, truth, repeats.mask) for image in (frame, restored))
    quiet_before, quiet_after = (gain.distance(image, truth, facts["quiet"]) for image in (frame, restored))
    count, zeros, sigma = repeats.frames.shape[3], frame == 0, facts["sigma"]
    return dict(
        count=count,
        d_in=100 * before / mean,
        d_out=100 * after / mean,
        sigma=100 * sigma / mean,
        share=gain.share(before, after, count),
        share_rms=gain.share_of_rms(before, after, count),
        share_noise=gain.share_of_noise(before, after, sigma),
        quiet_in=100 * quiet_before / mean,
        quiet_out=100 * quiet_after / mean,
        zeros=float(100 * np.mean(restored[zeros] != 0)) if zeros.any() else "",
    )


def _box(mask):
    inside = np.argwhere(mask)
    first, end = np.maximum(inside.min(axis=0) - _MARGIN, 0), np.minimum(inside.max(axis=0) + 1 + np.array(_MARGIN), mask.shape)
    return tuple(slice(a, b) for a, b in zip(first, end))


def _loaded(file, mask, first):
    image = open_image(FOLDER / file)
    frames = np.stack([image.frame(t) for t in range(first, image.n_frames)], axis=-1)
    return frames, _middle(mask), image.affine


def _middle(file):
    """Return the middle slices of a mask."""
    mask = open_image(FOLDER / file).frame(0) > 0
    inside = np.flatnonzero(mask.any(axis=(0, 1)))
    start = max(inside[0], (inside[0] + inside[-1] + 1 - _SLICES) // 2)
    chosen = np.zeros_like(mask)
    chosen[:, :, start : start + _SLICES] = mask[:, :, start : start + _SLICES]
    return chosen


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m experiments.05_pretrained.real_noise", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("filters", "networks"))
    parser.add_argument("models", nargs="*", help="files, or names of pre-trained networks")
    parser.add_argument("--sets", nargs="+", choices=tuple(SETS), default=tuple(SETS), metavar="SET")
    parser.add_argument("--filters", nargs="+", choices=tuple(denoisers.FILTERS), default=tuple(denoisers.FILTERS), metavar="NAME")
    parser.add_argument("--label", default="ours", help="put before a network's name (default: ours)")
    parser.add_argument("-o", "--output", type=pathlib.Path, default=HERE, help="folder of the CSV files (default: beside this file)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
