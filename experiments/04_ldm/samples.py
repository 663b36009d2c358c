"""How drawn samples compare with the heads that trained: python -m experiments.04_ldm.samples HEADS NETWORK.h5 [--count 40]

Writes samples.csv and samples.png. As many samples of each label as half of `count`. Reference are heads drawn from the two label maps that
never trained (`held_*` of HEADS). Distances are taken between volumes of 32×32×20 voxels, in network units.

Rows: real heads that trained; samples; the mean and the variance of the latents ("linear prior"); principal components of the heads that
trained ("Gaussian"), which needs no network. A copy would have a nearest head that trained nearer than heads are to each other.
"""

import argparse
import importlib
import itertools
import pathlib
import time

import numpy as np

from experiments.data import write_rows
from keras_mri.imaging.intensity import fit_image_scaling
from keras_mri.imaging.kspace import resampled
from keras_mri.imaging.metrics import ssim_map
from keras_mri.io.volumes import Volume
from keras_mri.networks.latent_diffusion import parts
from keras_mri.report.figures import save_contact_sheet
from keras_mri.systems.ldm.latent_space import LatentSpace
from keras_mri.systems.ldm.settings import SamplingOptions
from keras_mri.systems.ldm.stored import Inference
from keras_mri.systems.network_files import load_network

heads = importlib.import_module("experiments.04_ldm.heads")
# Sides of the volumes in which distances are taken; pairs of MS-SSIM.
SIDES, PAIRS = (32, 32, 20), 30
# Wang 2003, the first three of five scales, made to sum to one.
SCALES = np.array([0.0448, 0.2856, 0.3001]) / 0.6305


def main(options):
    """Compare every set of volumes with the held-out heads."""
    network = load_network(options.network)
    stored = Inference.from_json(network.inference)
    space = LatentSpace(parts(network.network), stored, len(stored.labels))
    trained, held = (in_units(options.heads, group, stored.scaling) for group in ("whole", "held"))
    each, rng = options.count // 2, np.random.default_rng(0)
    sets = {
        "heads that trained": {label: some[:each] for label, some in trained.items()},
        "held-out heads, other half": {label: some[1::2] for label, some in held.items()},
        "linear prior": linear(space, trained, each, rng),
        "Gaussian of the heads that trained": gaussian(trained, each, rng),
    }
    seconds = {}
    for steps in options.steps:
        start, name = time.perf_counter(), f"samples, {steps} steps"
        sets[name] = sampled(space, stored.labels, each, SamplingOptions(steps=steps, seed=1))
        seconds[name] = (time.perf_counter() - start) / options.count
    sheet = [volume for label in stored.labels for volume in sets[name][label][:8]]
    save_contact_sheet(pathlib.Path(__file__).with_name("samples.png"), sheet)
    classify, reference = classifier(trained), {label: some[::2] for label, some in held.items()}
    rows = [compared(name, volumes, reference, trained, classify) | dict(seconds=seconds.get(name)) for name, volumes in sets.items()]
    for row in rows:
        print(row, flush=True)
    write_rows(pathlib.Path(__file__).with_name("samples.csv"), rows)


def in_units(folder, group, policy):
    """Return drawn heads in network units: dict of label to list of ndarray."""
    images, _, labels = heads.load(folder, group)
    scaled = [fit_image_scaling(Volume.from_array(image, np.eye(4)), policy).apply(image) for image in images]
    return {label: [image for image, own in zip(scaled, labels) if own == label] for label in heads.LABELS}


def sampled(space, names, count, options):
    """Return samples of each label."""
    latents = {label: space.sample(heads.SHAPE, count, options, names.index(label)) for label in names}
    return {label: [np.maximum(space.decode(one, heads.SHAPE), 0) for one in some] for label, some in latents.items()}


def linear(space, trained, count, rng):
    """Return the mean latent of each label with noise of the SD of each latent, decoded: what needs no denoiser."""
    result = {}
    for label, volumes in trained.items():
        latents = np.stack([space.encode(volume) for volume in volumes[:100]])
        mean, deviation = latents.mean(axis=0), latents.std(axis=0)
        drawn = [mean + deviation * rng.standard_normal(mean.shape) for _ in range(count)]
        result[label] = [np.maximum(space.decode(one.astype(np.float32), heads.SHAPE), 0) for one in drawn]
    return result


def gaussian(trained, count, rng):
    """Return draws of the Gaussian with mean and covariance of the heads that trained: mixtures of them."""
    result = {}
    for label, volumes in trained.items():
        stack = np.stack(volumes)
        mean = stack.mean(axis=0)
        weights = rng.standard_normal((count, len(stack))) / np.sqrt(len(stack) - 1)
        result[label] = [np.maximum(mean + np.tensordot(one, stack - mean, 1), 0).astype(np.float32) for one in weights]
    return result


def compared(name, volumes, reference, trained, classify):
    """Return every measure of one row."""
    whole, held, known = (np.array([small(one) for some in part.values() for one in some]) for part in (volumes, reference, trained))
    nearest = [nearest_other(vector, known) for vector in whole]
    between = [nearest_other(vector, known) for vector in known]
    return dict(
        what=name,
        mmd2=mmd2(whole, held),
        ms_ssim=np.mean([diversity(some) for some in volumes.values()]),
        recognised=np.mean([classify(one) == label for label, some in volumes.items() for one in some]),
        nearest=float(np.median(nearest)),
        nearest_least=float(np.min(nearest)),
        between_trained=float(np.median(between)),
    )


def nearest_other(vector, known):
    """Return the root mean square distance to the nearest of some vectors that is not the vector itself."""
    distances = np.sqrt(((known - vector) ** 2).mean(axis=1))
    return distances[distances > 0].min()


def mmd2(first, second):
    """Return the squared maximum mean discrepancy of two sets of vectors (Gretton 2012, eq. 3): no vector is paired with itself."""
    width = np.median([np.linalg.norm(a - b) for a, b in itertools.combinations(second, 2)])

    def kernel(a, b):
        squares = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * a @ b.T
        return np.exp(-np.maximum(squares, 0) / (2 * width**2))

    def others(a):
        whole = kernel(a, a)
        return (whole.sum() - np.trace(whole)) / (len(a) * (len(a) - 1))

    return float(others(first) + others(second) - 2 * kernel(first, second).mean())


def diversity(volumes):
    """Return the mean MS-SSIM of random pairs: 1 if all are alike."""
    rng = np.random.default_rng(0)
    pairs = [rng.choice(len(volumes), 2, replace=False) for _ in range(PAIRS)]
    return float(np.mean([ms_ssim(volumes[a], volumes[b]) for a, b in pairs]))


def ms_ssim(first, second):
    """Return the product of the SSIM at the full, half and quarter resolution, weighted as by Wang et al. 2003."""
    value = 1.0
    for level, weight in enumerate(SCALES):
        few = tuple(max(1, side // 2**level) for side in first.shape)
        value *= max(float(ssim_map(resampled(first, few), resampled(second, few), 1.0).mean()), 0.0) ** weight
    return value


def classifier(volumes):
    """Return a function from a volume to its label: ridge regression on indicator vectors, in the dual."""
    vectors = np.array([small(volume) for some in volumes.values() for volume in some])
    labels = np.repeat(np.eye(len(volumes)), [len(some) for some in volumes.values()], axis=0)
    mean = vectors.mean(axis=0)
    gram = (vectors - mean) @ (vectors - mean).T
    weights = np.linalg.solve(gram + 0.01 * np.trace(gram) / len(gram) * np.eye(len(gram)), labels - labels.mean(axis=0))
    names = list(volumes)
    return lambda volume: names[int(((small(volume) - mean) @ (vectors - mean).T @ weights).argmax())]


def small(volume):
    """Return a volume as a short vector."""
    return resampled(np.asarray(volume, np.float32), SIDES).ravel().astype(np.float64)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("heads")
    parser.add_argument("network")
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--steps", type=int, nargs="+", default=(20, 50))
    main(parser.parse_args())
