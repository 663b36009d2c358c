"""Does the pipeline feed faster than the step consumes? python -m experiments.06_pipeline.pipeline

Every system's default training is begun on a real scan. Instead of its first fit: so many batches are taken from the pipeline alone, then
so many updates are made with one batch that stays, both in seconds per batch. Each part is done three times; the median counts.
"""

import contextlib
import pathlib
import statistics
import tempfile
import time
from unittest import mock

import numpy as np
import tensorflow as tf

from experiments.data import FOLDER, adi_t1w, forrest_bold, write_rows
from keras_mri.imaging.noise import add_gaussian_noise
from keras_mri.io.nifti_writing import save
from keras_mri.io.volumes import Volume
from keras_mri.systems import get_system
from keras_mri.systems.cnn import settings as cnn
from keras_mri.systems.ldm import settings as ldm
from keras_mri.systems.ldm import training as latent_training
from keras_mri.systems.n2a import iterations
from keras_mri.systems.n2a import settings as n2a
from keras_mri.systems.sr import settings as sr
from keras_mri.systems.wgan import settings as wgan
from keras_mri.training import fit as fit_room
from keras_mri.training import two_phases

BATCHES, TIMES = 5, 3
RUN = FOLDER / "forrest-bold" / "bold.nii.gz"


class MeasuredError(Exception):
    """Ends a training that was only begun."""


def main():
    """Write pipeline.csv: system, precision and cache, seconds of feeding and of a step, and their ratio."""
    run, head = forrest_bold()[0], adi_t1w()[0]
    with tempfile.TemporaryDirectory() as folder:
        cases = {
            "wgan": (get_system("wgan"), [run], wgan.Config()),
            "wgan, runs on disk": (get_system("wgan"), [run], wgan.Config(cache=0.0)),
            "n2a": (get_system("n2a"), _repetitions(folder, head), n2a.Config(initial="none")),
            "sr": (get_system("sr"), None, sr.Config(simulate=(2.0, 2.0, 2.0))),
            "ldm": (get_system("ldm"), [run], ldm.Config()),
            "cnn": (get_system("cnn"), [run], cnn.Config()),
        }
        rows = []
        for name, (system, images, config) in cases.items():
            images = sr.open_inputs([str(FOLDER / "adi-t1t2" / "T1w_defaced.nii.gz")], config) if images is None else images
            rows.append({"training": name, **_rates(system, images, config)})
            print(rows[-1], flush=True)
            write_rows(pathlib.Path(__file__).with_name("pipeline.csv"), rows)


def _repetitions(folder, head):
    paths = []
    for seed in range(2):
        paths.append(pathlib.Path(folder) / f"repetition{seed}.nii.gz")
        noisy = add_gaussian_noise(head.frame(0), 0.05 * head.frame(0).max(), np.random.default_rng(seed))
        save(Volume.from_array(noisy, head.affine), paths[-1])
    return paths


def _rates(system, images, config):
    found = {}

    def fit(model, data, callbacks):
        batches = iter(data.training)
        # The first ones begin the pipeline.
        batch = [next(batches) for _ in range(3)][-1]
        feeding = [_seconds(lambda: [next(batches) for _ in range(BATCHES)]) for _ in range(TIMES)]
        still = tf.data.Dataset.from_tensors(batch).repeat()
        model.fit(still, steps_per_epoch=2, verbose=0)
        step = [_seconds(lambda: model.fit(still, steps_per_epoch=BATCHES, verbose=0)) for _ in range(TIMES)]
        found.update({"feeding, s per batch": statistics.median(feeding), "step, s": statistics.median(step)})
        raise MeasuredError

    config = system.settle(config)
    with contextlib.ExitStack() as patched, contextlib.suppress(MeasuredError):
        for module in (fit_room, two_phases, iterations, latent_training):
            patched.enter_context(mock.patch.object(module, "fit", fit))
        system.train(system.prepare(images, config), config)
    return {**found, "step / feeding": found["step, s"] / found["feeding, s per batch"]}


def _seconds(work):
    start = time.monotonic()
    work()
    return (time.monotonic() - start) / BATCHES


if __name__ == "__main__":
    main()
