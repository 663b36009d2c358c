"""One step of diffusion on latents and on voxels: python -m experiments.04_ldm.latent_or_voxel, writes latent_or_voxel.csv

The denoiser of this experiment on the latents of one volume of 80×80×40 voxels; and the same one on its voxels, with two more levels
above, so that attention sees the same grid. Seconds of a training step and of a step of sampling, and the memory of the process.
"""

import importlib
import json
import pathlib
import statistics
import subprocess
import sys
import time

import keras
import numpy as np
import tensorflow as tf

from experiments.data import peak_memory, write_rows
from keras_mri.networks.latent_unet import latent_unet
from keras_mri.networks.precision import hidden_layers_in
from keras_mri.systems.ldm.settings import Config

train = importlib.import_module("experiments.04_ldm.train")

VOLUME, REPEATS = (80, 80, 40), 5


def main():
    """Measure each in a process of its own, one after the other, and write latent_or_voxel.csv."""
    rows = []
    for what in ("latents", "voxels"):
        done = subprocess.run([sys.executable, "-m", __spec__.name, what], stdout=subprocess.PIPE, text=True, check=True)
        rows.append(json.loads(done.stdout.splitlines()[-1]))
        print(rows[-1], flush=True)
    rows.append({"diffusion": "ratio", **{name: rows[1][name] / rows[0][name] for name in rows[0] if name != "diffusion"}})
    write_rows(pathlib.Path(__file__).with_name("latent_or_voxel.csv"), rows)


def measured(what):
    """Return the row of one denoiser, batch 1: a dict."""
    filters, levels = train.CONFIG["unet_filters"], len(train.CONFIG["filters"]) - 1
    shape = (*(side // 2**levels for side in VOLUME), train.CONFIG["latent_channels"])
    if what == "voxels":
        filters, shape = (filters[0],) * levels + filters, (*VOLUME, 1)
    with hidden_layers_in(Config().precision):
        network = latent_unet(shape[-1], 2, 1000, filters)
    network.compile(keras.optimizers.AdamW(1e-3), loss="mse", jit_compile=False)
    rng = np.random.default_rng(0)
    noisy, target = (tf.constant(rng.standard_normal((1, *shape), dtype=np.float32)) for _ in range(2))
    told = [noisy, tf.constant([500]), tf.constant([1])]
    sampling = _seconds(lambda: network.predict_on_batch(told))
    return {
        "diffusion": what, "parameters": network.count_params(), "numbers": int(np.prod(shape)),
        "seconds_per_training_step": _seconds(lambda: network.train_on_batch(told, target)),
        "seconds_per_sampling_step": sampling, "peak_mb": peak_memory(),
    }  # fmt: skip


def _seconds(run):
    """Return the median of REPEATS runs after a first one that compiles."""
    times = []
    for _ in range(REPEATS + 1):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


if __name__ == "__main__":
    if sys.argv[1:]:
        print(json.dumps(measured(sys.argv[1])))
    else:
        main()
