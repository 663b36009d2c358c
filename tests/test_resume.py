"""For every system: a training whose process is killed at any step ends, taken up, with the weights it would have had."""

import subprocess
import sys
import zlib

import numpy as np
import pytest

from keras_mri.imaging import phantoms
from keras_mri.saving import checkpoints
from keras_mri.training.state_files import previous_of

LENGTH = "--epochs 3 --steps-per-epoch 4 --deterministic --precision float32".split()
PATCH = "--patch-shape 8 8 8".split()
# system, or what it is named here → scans, options, steps of the whole training
TRAININGS = {
    "runs": (1, [*"--filters 2 3 --depths 1 1 --adversarial-weight 0.1 --warm-up 0.4 --batch-size 2".split(), *PATCH], 12),
    "wgan": (1, [*"--frames 1 --filters 2 3 --depths 1 1 --warm-up 0.4 --batch-size 2".split(), *PATCH], 12),
    "n2a": (2, [*"--initial none --filters 2 --iterations 2 --no-align --batch-size 2".split(), *PATCH], 24),
    "sr": (1, [*"--simulate 2 2 1 --filters 2 3 4 --depths 1 1 1 --warm-up 0.4 --discriminator-filters 2".split(), *PATCH], 12),
    "ldm": (1, "--filters 4 6 --unet-filters 4 6 --latent-channels 2 --latent vq --codes 8 --diffusion-steps 20".split(), 12),
    "cnn": (1, "--filters 2 3 --depths 1 1 --batch-size 2".split(), 12),
}
# Runs a training whose process is killed, without a word, before the step given first.
KILLED = """
import os, sys
from keras_mri import train
from keras_mri.training.resuming import TrainingState

count, saved = int(sys.argv[1]), TrainingState.on_train_batch_begin

def on_train_batch_begin(self, batch, logs=None):
    global count
    saved(self, batch, logs)
    count -= 1
    if count < 0:
        os.kill(os.getpid(), 9)

TrainingState.on_train_batch_begin = on_train_batch_begin
TrainingState.every = property(lambda self: 0.0, lambda self, value: None)
sys.exit(train.main(sys.argv[2:]))
"""


# Systems that have two networks, and frames that make their scans a run.
_SYSTEM_OF, _FRAMES_OF = {"runs": "wgan"}, {"n2a": 1, "sr": 1, "runs": 12}


def command(name, tmp_path, write_nifti, out):
    scans, options, _ = TRAININGS[name]
    paths = []
    for number in range(scans):
        head = phantoms.head((16, 16, 16), seed=0)[0]
        noise = np.random.default_rng(number).normal(0, 0.05 * head.max(), (*head.shape, _FRAMES_OF.get(name, 6)))
        paths.append(str(write_nifti((head[..., None] + noise).squeeze().astype(np.float32), f"scan{number}.nii.gz")))
    return [_SYSTEM_OF.get(name, name), *paths, *LENGTH, *options, "-o", str(tmp_path / out)]


@pytest.mark.parametrize("name", [name if name == "cnn" else pytest.param(name, marks=pytest.mark.slow) for name in TRAININGS])
def test_a_killed_training_ends_with_the_weights_of_one_that_was_not(name, tmp_path, write_nifti, in_this_checkout):
    def run(*arguments):
        # Processes of their own: what else has computed in one can move the last bit.
        return subprocess.run([sys.executable, *arguments], env=in_this_checkout, capture_output=True, text=True)

    whole, killed = (command(name, tmp_path, write_nifti, out) for out in ("whole.h5", "killed.h5"))
    # Any step, another one for each system; the same at every run of the tests.
    step = zlib.crc32(name.encode()) % (TRAININGS[name][2] - 1) + 1
    died = run("-c", KILLED, str(step), *killed)
    assert died.returncode == -9, died.stderr
    assert (tmp_path / "killed.state").exists() and not (tmp_path / "killed.h5").exists()
    resumed = run("-m", "keras_mri.train", *killed, "--resume")
    assert resumed.returncode == 0 and "going on from" in resumed.stderr, resumed.stderr
    assert run("-m", "keras_mri.train", *whole).returncode == 0
    first, second = (checkpoints.load(tmp_path / f"{out}.h5").network.get_weights() for out in ("whole", "killed"))
    for layer, (one, other) in enumerate(zip(first, second, strict=True)):
        np.testing.assert_array_equal(other, one, err_msg=f"weight {layer}, killed before step {step}")
    assert not (tmp_path / "killed.state").exists() and not previous_of(tmp_path / "killed.state").exists()
