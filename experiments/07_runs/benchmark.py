"""python -m experiments.07_runs.benchmark RUN: denoisers of runs against activations that are known."""

import argparse
import csv
import pathlib
import sys
import time

from experiments.data import FOLDER

from . import activations, methods, runs, tables
from .scores import Scorer

_QUICK = dict(percent=[3.0], noise=["white"], seeds=[0], baselines=False, fwhm=[1.0, 1.5], keep=[0.95], budget="60s")


def main(arguments=None):
    """Score every method on one run at every level of noise; see `--help`."""
    chosen = _parser().parse_args(arguments)
    if chosen.quick:
        vars(chosen).update(_QUICK)
    if not FOLDER.is_dir():
        sys.exit(f"the scans of the experiments are not in {FOLDER}; name their folder by the variable KERAS_MRI_DATA")
    run = runs.load(chosen.run, "quick" if chosen.quick else chosen.slices)
    rows = []
    for seed in chosen.seeds:
        places = activations.draw_places(run.data.mean(axis=3), run.mask, run.data.shape[3], run.repetition_time, seed)
        truth = activations.add_activations(run.data, places)
        scorer = Scorer(truth, run.mask, places)
        for percent in chosen.percent:
            for noise in chosen.noise if percent else ["as it came"]:
                noisy = runs.with_noise(truth, run.mask, percent, noise == "coloured", seed) if percent else truth
                for name, method in methods.methods(chosen).items():
                    start = time.perf_counter()
                    restored = method(noisy, run.mask, run.repetition_time)
                    facts = dict(run=chosen.run, method=name, percent=percent, noise=noise, seed=seed, places=len(places))
                    rows.append({**facts, "seconds": time.perf_counter() - start, **scorer(restored)})
                    print(tables.line(rows[-1]), flush=True)
                    _append(chosen.output, rows[-1])
    return 0


def _append(path, row):
    """Add a row to a CSV file: a benchmark that is stopped keeps what it has."""
    new = not path.exists()
    with open(path, "a", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        if new:
            writer.writeheader()
        writer.writerow({key: f"{value:.4g}" if isinstance(value, float) else value for key, value in row.items()})


def _pair(text):
    first, end = text.split("-")
    return int(first), int(end)


def _parser():
    parser = argparse.ArgumentParser(prog="python -m experiments.07_runs.benchmark", description=__doc__)
    parser.add_argument("run", choices=runs.NAMES, metavar="RUN", help=f"one of {', '.join(runs.NAMES)}")
    parser.add_argument("--percent", type=float, nargs="*", default=[0.0, 1.0, 3.0, 5.0], help="SD of the added noise, %% of the range")
    parser.add_argument("--noise", nargs="*", default=["white", "coloured"], choices=["white", "coloured"])
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2], help="of places, noise and training")
    parser.add_argument("--slices", type=_pair, metavar="FIRST-END", help="only these slices, e.g. 10-26")
    parser.add_argument("--fwhm", type=float, nargs="*", default=[1.0, 1.5, 2.0], help="of the Gaussians, voxels")
    parser.add_argument("--radius", type=int, nargs="*", default=[2], help="of mppca's patches, voxels")
    parser.add_argument("--no-baselines", dest="baselines", action="store_false", help="leave mppca and hybrid-pca out")
    parser.add_argument("--before", type=pathlib.Path, metavar="FOLDER", help="a checkout of an earlier version, for its default")
    parser.add_argument("--networks", nargs="*", default=[], help="pre-trained networks of runs, which must not know RUN")
    parser.add_argument("--keep", type=float, nargs="*", default=[], help="train `wgan` on the noisy run, asking to keep this share")
    parser.add_argument("--initial", default="none", help="what those trainings start from")
    parser.add_argument("--critic", type=float, help="train with a critic of this weight as well")
    parser.add_argument("--budget", default="5m", help="of each training")
    parser.add_argument("--quick", action="store_true", help="sixteen slices, 3 %% of white noise, one draw, a minute of training")
    parser.add_argument("-o", "--output", type=pathlib.Path, default=pathlib.Path("results.csv"), help="rows are added to it")
    return parser


if __name__ == "__main__":
    sys.exit(main())
