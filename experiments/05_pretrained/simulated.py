"""Noise of nine kinds on 16 heads that no network knows: python -m experiments.05_pretrained.simulated filters | networks

    python -m experiments.05_pretrained.simulated filters                               # hours; go on by the same command
    python -m experiments.05_pretrained.simulated networks wgan_t1w wgan_epi wgan_any    # minutes
    python -m experiments.05_pretrained.simulated networks old/wgan_t1w.h5 --label "ours before" --all-heads

Heads and crops: heads.py. Noise of p % of the crop's maximum: experiments/noise_kinds.py, which trains nothing; one draw for each head,
kind and p, the same for every method. Filters are told σ, or σ and the spectrum; networks nothing. Of the best Gaussian the width is
chosen by the truth. Rows go to simulated_filters.csv and simulated_networks.csv as they come; rows that are there are not made
again, unless the network's file is another.

psnr, ssim      where the clean crop exceeds 10/255 of its maximum; its range is 1
air             mean of restored − clean in air, % of the maximum: the bias of a magnitude
dark, bright    the same in the flattest quarter of the head, of its darker and its brighter half
zeros           of air that is exactly 0 in the noisy crop, the share that no longer is, %
"""

import argparse
import pathlib
import sys
import time
import zlib

import numpy as np

from experiments import noise_kinds
from keras_mri.errors import InputError
from keras_mri.imaging.metrics import psnr, ssim

from . import denoisers, heads
from .rows import Rows

HERE = pathlib.Path(__file__).parent
COLUMNS = (
    *("head", "group", "noise", "percent", "method", "network", "told"),
    *("psnr", "ssim", "air", "dark", "bright", "zeros", "seconds"),
)
# The most needed first.
CASES = (
    *(("white", 5), ("zero-filled .65", 5), ("partial Fourier .75", 5), ("smoothed", 5), ("growing", 5), ("white", 1), ("rician", 5)),
    *(("white", 3), ("white", 9), ("white", 15), ("zero-filled .5", 5), ("zero-filled .75", 5), ("rician", 9), ("masked", 5)),
)
# Filters that take long are shown some of the noise; BM4D that is told σ alone is no match for coloured noise: one row shows it.
_FEW = {
    "DIPY NLM": (("white", 5), ("zero-filled .65", 5), ("rician", 5)),
    "BM4D": tuple(case for case in CASES if case[0] in ("white", "growing", "rician", "zero-filled .65")),
}
_LEAST_AIR = 1000


def main(arguments=None):
    """Add the rows that are missing; see `--help`."""
    chosen = denoisers.checked(_parser(), arguments)
    try:
        methods = {name: (method, heads.GROUPS) for name, method in denoisers.FILTERS.items() if name in chosen.filters}
        if chosen.what == "networks":
            methods = dict(_network(model, chosen) for model in chosen.models)
    except InputError as error:
        sys.exit(f"simulated: error: {error}")
    rows = Rows(chosen.output / f"simulated_{chosen.what}.csv", COLUMNS)
    for name, (method, _) in methods.items():
        rows.forget(name, method.digest)
    names = [name for name in heads.NAMES if heads.group_of(name) in chosen.groups]
    clean = {name: heads.load(name) for name in names}
    for noise, percent in CASES:
        for name in names:
            _score_all(rows, clean[name], noise, percent, methods)
    return 0


def noisy_and_known(head, noise, percent):
    """Draw the noise of one row: return the noisy crop and what is known of it (ndarray of float32, Known)."""
    rng = np.random.default_rng([zlib.crc32(f"{head.name}, {noise}".encode()), round(100 * percent)])
    sigma, spectrum = percent / 100, noise_kinds.spectrum(noise, head.clean.shape)
    noisy = noise_kinds.add(noise, head.clean, sigma, rng)
    mean, kind = spectrum.mean(), noise_kinds.KINDS[noise]
    truth = noise_kinds.truth(noise, head.clean)
    # Noise that is not the same everywhere has a root mean square above its mean SD.
    told = spectrum / mean if kind.filter is not None else None
    return noisy, denoisers.Known(truth, head.region, sigma * float(np.sqrt(mean)), told, kind.rician)


def score(head, noisy, known, restored):
    """Return the scores of a restored crop: dict; see the top of this file."""
    error = 100 * (np.asarray(restored, np.float64) - known.truth)
    middle, zeros = np.median(head.clean[head.flat]), (noisy == 0) & (known.truth == 0)
    return dict(
        psnr=psnr(known.truth, restored, head.region, 1.0),
        ssim=ssim(known.truth, restored, head.region, 1.0),
        air=float(error[head.air].mean()) if head.air.sum() >= _LEAST_AIR else "",
        dark=float(error[head.flat & (head.clean <= middle)].mean()),
        bright=float(error[head.flat & (head.clean > middle)].mean()),
        zeros=float(100 * np.mean(np.asarray(restored)[zeros] != 0)) if zeros.sum() >= _LEAST_AIR else "",
    )


def _score_all(rows, head, noise, percent, methods):
    noisy = known = None
    for name, (method, groups) in methods.items():
        facts = dict(head=head.name, group=head.group, noise=noise, percent=percent, method=name, network=method.digest, told=method.told)
        if facts in rows or head.group not in groups or (noise, percent) not in _FEW.get(name, CASES):
            continue
        if noisy is None:
            noisy, known = noisy_and_known(head, noise, percent)
        if not method.serves(known):
            continue
        start = time.perf_counter()
        restored = np.asarray(method.restore(noisy, known, head.affine), np.float32)
        scores = score(head, noisy, known, restored) | dict(seconds=time.perf_counter() - start)
        rows.add(facts | scores)
        if name == "BM4D" and known.rician:
            _add_without_bias(rows, head, noisy, known, restored, facts)
        print(f"{head.name:15s} {noise:20s} {percent:3g} %  {name:24s} {scores['psnr']:6.2f} dB  {scores['seconds']:6.1f} s", flush=True)


def _add_without_bias(rows, head, noisy, known, restored, facts):
    """Add what BM4D's result is worth once its bias is taken off by the textbook."""
    corrected = denoisers.without_bias(restored, known.sigma)
    rows.add(facts | dict(method="BM4D, √(m² − σ²)") | score(head, noisy, known, corrected))


def _network(model, chosen):
    name, method = denoisers.network(model, chosen.label)
    return name, (method, heads.GROUPS if chosen.all_heads else denoisers.groups_of(model))


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m experiments.05_pretrained.simulated", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("filters", "networks"))
    parser.add_argument("models", nargs="*", help="files, or names of pre-trained networks")
    parser.add_argument("--filters", nargs="+", choices=tuple(denoisers.FILTERS), default=tuple(denoisers.FILTERS), metavar="NAME")
    parser.add_argument("--groups", nargs="+", choices=heads.GROUPS, default=heads.GROUPS, metavar="GROUP", help="T1w, EPI, other")
    parser.add_argument("--label", default="ours", help="put before a network's name (default: ours)")
    parser.add_argument("--all-heads", action="store_true", help="a network of T1w or EPI on all groups")
    parser.add_argument("-o", "--output", type=pathlib.Path, default=HERE, help="folder of the CSV files (default: beside this file)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
