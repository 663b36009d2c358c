"""How samples compare with real frames: python -m experiments.04_ldm.samples [FOLDER], writes samples.csv and samples.png

As many volumes of each source as real frames of it, which never trained. MMD² with a Gaussian kernel as wide as the median distance of
real frames; MS-SSIM between pairs of one source; the share whose source a classifier, trained on real frames, recognises.
"""

import importlib
import itertools
import pathlib
import sys
import time

import numpy as np

from experiments.data import peak_memory, write_rows
from keras_mri.imaging.intensity import fit_image_scaling
from keras_mri.imaging.kspace import resampled
from keras_mri.imaging.metrics import ssim_map
from keras_mri.io.volumes import Volume
from keras_mri.report.figures import save_contact_sheet
from keras_mri.systems.ldm.labels import codes
from keras_mri.systems.ldm.settings import SamplingOptions
from keras_mri.systems.network_files import load_network

autoencoder = importlib.import_module("experiments.04_ldm.autoencoder")
data = importlib.import_module("experiments.04_ldm.data")
train = importlib.import_module("experiments.04_ldm.train")

# Volumes of each source and setting; pairs of each source; side of the volumes in which distances are taken.
COUNT, PAIRS, SIDES = 12, 12, (20, 20, 9)
SETTINGS = [("dpm-solver", 20), ("dpm-solver", 50), ("ddim", 50), ("ddpm", 50), ("ddpm", 1000)]
# Wang 2003, the first three of five scales, made to sum to one.
SCALES = np.array([0.0448, 0.2856, 0.3001]) / 0.6305


def main(folder="networks"):
    """Draw with every setting, compare, and write samples.csv."""
    data.write_parts(folder)
    checkpoint = load_network(train.network_path(folder, "kl"))
    space, names = autoencoder.space_of(checkpoint), checkpoint.training["labels"]
    trained, real = ({source: _spread(_units(part(folder, source), space)) for source in data.SOURCES} for part in (data.training, _test))
    classify = classifier(trained)
    through = {source: [space.decode(space.encode(frame), frame.shape) for frame in frames] for source, frames in real.items()}
    rows = [dict(what="real, of the training", **compared(trained, real, classify))]
    rows.append(dict(what="real, through the autoencoder", **compared(through, real, classify)))
    rows.append(dict(what="real, held out", **compared(real, real, classify)))
    alone = autoencoder.space_of(checkpoint)
    silence(alone.denoiser)
    for sampler, steps, space, what in [("dpm-solver", 50, alone, ", the linear denoiser alone"), *((*one, space, "") for one in SETTINGS)]:
        options = SamplingOptions(sampler=sampler, steps=steps)
        latents, seconds = {}, []
        for source in data.SOURCES:
            start = time.perf_counter()
            latents[source] = space.sample(real[source][0].shape, COUNT, options, int(codes([source], names)[0]))
            seconds.append((time.perf_counter() - start) / COUNT)
        drawn = {source: [np.maximum(space.decode(one, real[source][0].shape), 0) for one in found] for source, found in latents.items()}
        # The first call also compiles the loop.
        row = dict(what=f"{sampler}, {steps} steps{what}", **compared(drawn, real, classify), seconds=min(seconds), peak_mb=peak_memory())
        rows.append(row)
        print(row, flush=True)
        write_rows(pathlib.Path(__file__).with_name("samples.csv"), rows)
        if (sampler, steps, what) == ("dpm-solver", 50, ""):
            save_contact_sheet(pathlib.Path(__file__).with_name("samples.png"), [volume for some in drawn.values() for volume in some[:8]])


def silence(denoiser):
    """Let the denoiser's network add nothing to the linear one that it began as."""
    last = denoiser.get_layer("said")
    last.set_weights([0 * weight for weight in last.get_weights()])


def compared(volumes, real, classify):
    """Return every measure of one row, from dicts of source to lists of volumes."""
    whole = [[_small(volume) for some in part.values() for volume in some] for part in (volumes, real)]
    right = [np.mean([classify(volume) == source for volume in some]) for source, some in volumes.items()]
    return dict(
        mmd2=mmd2(*map(np.array, whole)), ms_ssim=np.mean([diversity(some) for some in volumes.values()]), recognised=np.mean(right)
    )


def mmd2(first, second):
    """Return the squared maximum mean discrepancy of two sets of vectors, all pairs counted (Gretton 2012, eq. 5): 0 for equal sets."""
    width = np.median([np.linalg.norm(a - b) for a, b in itertools.combinations(second, 2)])

    def kernel(a, b):
        squares = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * a @ b.T
        return np.exp(-np.maximum(squares, 0) / (2 * width**2)).mean()

    return float(kernel(first, first) + kernel(second, second) - 2 * kernel(first, second))


def diversity(volumes):
    """Return the mean MS-SSIM of random pairs: 1 if all are alike."""
    rng = np.random.default_rng(0)
    chosen = [rng.choice(len(volumes), 2, replace=False) for _ in range(PAIRS)]
    return float(np.mean([ms_ssim(volumes[a], volumes[b]) for a, b in chosen]))


def ms_ssim(first, second):
    """Return the product of the SSIM at the full, half and quarter resolution, weighted as by Wang et al. 2003."""
    value = 1.0
    for level, weight in enumerate(SCALES):
        few = tuple(max(1, side // 2**level) for side in first.shape)
        value *= max(float(ssim_map(resampled(first, few), resampled(second, few), 1.0).mean()), 0.0) ** weight
    return value


def classifier(volumes):
    """Return a function from a volume to its source: ridge regression on indicator vectors, in the dual."""
    vectors = np.array([_small(volume) for some in volumes.values() for volume in some])
    labels = np.repeat(np.eye(len(volumes)), [len(some) for some in volumes.values()], axis=0)
    mean = vectors.mean(axis=0)
    gram = (vectors - mean) @ (vectors - mean).T
    weights = np.linalg.solve(gram + 0.01 * np.trace(gram) / len(gram) * np.eye(len(gram)), labels - labels.mean(axis=0))
    names = list(volumes)
    return lambda volume: names[int(((_small(volume) - mean) @ (vectors - mean).T @ weights).argmax())]


def _small(volume):
    return resampled(np.asarray(volume, np.float32), SIDES).ravel().astype(np.float64)


def _test(folder, source):
    return data.held_out(folder, source)[0].data


def _units(run, space):
    """Bring a run to network units, as prediction would."""
    return fit_image_scaling(Volume.from_array(run, np.eye(4)), space.config.scaling).apply(run)


def _spread(run):
    """Return as many frames as there are samples, spread over the run."""
    return [run[..., t] for t in np.linspace(0, run.shape[3] - 1, COUNT).round().astype(int)]


if __name__ == "__main__":
    main(*sys.argv[1:2])
