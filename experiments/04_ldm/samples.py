"""How samples compare with real frames: python -m experiments.04_ldm.samples [FOLDER], writes samples.csv

Needs the network `sources`. MMD² with a Gaussian kernel whose width is the median distance of real frames; MS-SSIM between pairs; the
share of samples whose label a ridge classifier, trained on real frames, recognises.
"""

import importlib
import itertools
import pathlib
import sys
import time

import numpy as np

from experiments.data import peak_memory, write_rows
from keras_mri import checkpoints
from keras_mri.kspace import resampled
from keras_mri.labelled_runs import labelled_runs
from keras_mri.metrics import ssim_map
from keras_mri.settings.ldm import Config, GenerateConfig
from keras_mri.systems import ldm

train = importlib.import_module("experiments.04_ldm.train")
# Samples of each label and setting; real frames that they are compared with; side of the volumes in which distances are taken.
COUNT, REAL, SIDES = 16, 48, (20, 20, 9)
SETTINGS = [("dpm-solver", 20), ("dpm-solver", 50), ("ddim", 50), ("ddpm", 50), ("ddim", 1000), ("ddpm", 1000)]
# Wang 2003, the first three of five scales, made to sum to one.
SCALES = np.array([0.0448, 0.2856, 0.3001]) / 0.6305


def main(folder="networks"):
    """Draw with every setting, compare, and write samples.csv."""
    network = checkpoints.load(train.network_path(folder, "sources"), "ldm")
    config = Config.from_json(network.config)
    scans = [train.BOLD / "bold.nii.gz", train.prisma_on_forrest_grid(folder)]
    data = labelled_runs(scans, config)
    training, held_out = data.divided()
    classify = classifier(*_frames(training, REAL), len(data.names))
    real, labels = _frames(held_out, REAL)
    rows = [dict(what="real, held out", **compared(real, _frames(training, REAL)[0], classify, labels))]
    for sampler, steps in SETTINGS:
        drawn, numbers, start = [], [], time.perf_counter()
        for number, label in enumerate(data.names):
            options = GenerateConfig(label=label, sampler=sampler, steps=steps)
            drawn += [data.scaling.apply(volume.frame(0)) for volume in ldm.generate(network, COUNT, options)]
            numbers += [number] * COUNT
        seconds = (time.perf_counter() - start) / len(drawn)
        row = dict(what=f"{sampler}, {steps} steps", **compared(drawn, real, classify, numbers))
        rows.append({**row, "seconds_per_sample": seconds, "peak_mb": peak_memory()})
        print(rows[-1], flush=True)
    write_rows(pathlib.Path(__file__).parent / "samples.csv", rows)


def compared(volumes, real, classify, labels):
    """Return every measure of one row."""
    found = classify(volumes)
    return dict(
        mmd2=mmd2(_small(volumes), _small(real)), ms_ssim=diversity(volumes), label_accuracy=float(np.mean(found == np.array(labels)))
    )


def mmd2(first, second):
    """Return the unbiased squared maximum mean discrepancy of two sets of vectors (Gretton 2012, eq. 3)."""
    width = np.median([np.linalg.norm(a - b) for a, b in itertools.combinations(second, 2)])

    def kernel(a, b):
        squares = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * a @ b.T
        return np.exp(-np.maximum(squares, 0) / (2 * width**2))

    within = [(kernel(x, x).sum() - len(x)) / (len(x) * (len(x) - 1)) for x in (first, second)]
    return float(sum(within) - 2 * kernel(first, second).mean())


def diversity(volumes, pairs=40):
    """Return the mean MS-SSIM of random pairs: 1 if all are alike."""
    rng = np.random.default_rng(0)
    chosen = [rng.choice(len(volumes), 2, replace=False) for _ in range(pairs)]
    return float(np.mean([ms_ssim(volumes[a], volumes[b]) for a, b in chosen]))


def ms_ssim(first, second):
    """Return the product of the SSIM at the full, half and quarter resolution, weighted as by Wang et al. 2003."""
    value = 1.0
    for level, weight in enumerate(SCALES):
        few = tuple(max(1, side // 2**level) for side in first.shape)
        value *= max(float(ssim_map(resampled(first, few), resampled(second, few), 1.0).mean()), 0.0) ** weight
    return value


def classifier(volumes, labels, count):
    """Return a function from volumes to the numbers of their labels: ridge regression on indicator vectors, in the dual."""
    vectors = _small(volumes)
    mean = vectors.mean(axis=0)
    gram = (vectors - mean) @ (vectors - mean).T
    weights = np.linalg.solve(gram + 0.01 * np.trace(gram) / len(gram) * np.eye(len(gram)), np.eye(count)[labels] - 1 / count)
    return lambda others: ((_small(others) - mean) @ (vectors - mean).T @ weights).argmax(axis=1)


def _small(volumes):
    return np.stack([resampled(np.asarray(volume, np.float32), SIDES).ravel() for volume in volumes]).astype(np.float64)


def _frames(data, count):
    """Return frames spread over all runs, and the numbers of their labels."""
    places = [(k, t) for k, run in enumerate(data.runs) for t in range(run.shape[3])]
    chosen = [places[number] for number in np.unique(np.linspace(0, len(places) - 1, count).astype(int))]
    return [data.runs[k][..., t] for k, t in chosen], np.array([data.codes[k][t] for k, t in chosen])


if __name__ == "__main__":
    main(*sys.argv[1:2])
