"""Peak memory of predict and evaluate against the length of a run: python -m experiments.06_memory.memory

Runs of 64×64×30 voxels made of noise, 50 and 500 frames, compressed, in a temporary folder; networks of `wgan` without training, one that
sees five frames (release 0.1.0) and the network of runs. Each command is a process of its own; what the framework takes by itself is that
of `predict` on one volume of 8×8×8 voxels.
"""

import pathlib
import subprocess
import sys
import tempfile
import time

import nibabel
import numpy as np

from experiments.data import write_rows
from keras_mri.networks.residual_unet import residual_unet
from keras_mri.networks.run_unet import run_unet
from keras_mri.saving import checkpoints
from keras_mri.systems.network_files import checkpoint_for
from keras_mri.systems.wgan.settings import FILTERS, Config

SHAPE, LENGTHS, FRAMES = (64, 64, 30), (50, 500), 5


def main():
    """Write memory.csv: command, frames, seconds, peak resident memory and what of it is beyond the framework, MB."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        model = folder / "network.h5"
        config = Config()
        network = residual_unet((None, None, None, FRAMES), FILTERS, (2, 4), noise_scale=config.noise_scale)
        checkpoints.save(checkpoint_for(network, "wgan", config), model)
        of_runs = folder / "runs.h5"
        checkpoints.save(checkpoint_for(run_unet(), "wgan", config), of_runs)
        commands = [("framework", FRAMES, _predict(model, _run(folder, (8, 8, 8), FRAMES), folder))]
        for frames in LENGTHS:
            run = _run(folder, SHAPE, frames)
            commands.append(("predict", frames, _predict(model, run, folder)))
            commands.append(("predict, network of runs", frames, [*_predict(of_runs, run, folder), "--overwrite"]))
            # Against itself: what it says does not matter here.
            commands.append(("evaluate", frames, ["evaluate", run, run]))
        rows = []
        for name, frames, arguments in commands:
            seconds, peak = _measured([sys.executable, "-m", f"keras_mri.{arguments[0]}", *map(str, arguments[1:])])
            # `evaluate` needs no framework.
            beyond = peak - rows[0]["peak MB"] if name.startswith("predict") else ""
            rows.append({"command": name, "frames": frames, "seconds": seconds, "peak MB": peak, "beyond the framework MB": beyond})
            print(rows[-1], flush=True)
        write_rows(pathlib.Path(__file__).with_name("memory.csv"), rows)


def _predict(model, run, folder):
    return ["predict", model, run, "-o", folder / f"out_{run.name}"]


def _run(folder, shape, frames):
    path = folder / f"run_{'x'.join(map(str, shape))}_{frames}.nii.gz"
    data = np.random.default_rng(0).normal(1000, 50, (*shape, frames)).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(data, np.diag([3.0, 3.0, 3.0, 1.0])), path)
    return path


def _measured(command):
    """Run a command in a child of its own; return its seconds and its peak resident memory in MB."""
    program = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL); "
    program += "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", program, *command], check=True, capture_output=True, text=True)
    scale = 1024**2 if sys.platform == "darwin" else 1024
    return time.perf_counter() - start, int(done.stdout) / scale


if __name__ == "__main__":
    main()
