"""Two devices with halves of a batch compute what one computes with the whole: same draws, same codes, same losses."""

import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from keras_mri.errors import InputError
from keras_mri.training import devices as replicas
from tests.test_resume import command
from tests.training.test_machines import ended, logged, two_machines

# Runs a command on a machine that seems to have two processors; TensorFlow takes that before it computes anything, or not at all.
TWO = """
import sys
import tensorflow as tf
tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2)
"""
TRAIN = TWO + "from keras_mri import train; sys.exit(train.main(sys.argv[1:]))"
# Options of the trainings of test_resume that give every device its part.
EVEN = {"ldm": "--latent kl --batch-size 2 --diffusion-batch-size 2".split(), "vq": "--batch-size 2 --diffusion-batch-size 2".split()}


@pytest.mark.parametrize("devices", [1, "all"])
def test_one_device_needs_no_strategy(devices):
    assert replicas.strategy_for(devices) is tf.distribute.get_strategy()


def test_more_devices_than_there_are_is_said():
    with pytest.raises(InputError, match="`devices` must be at most 1, the CPUs that TensorFlow finds here, or all. Received: 65"):
        replicas.strategy_for(65)


def test_alone_a_device_has_all_of_the_draw_and_of_the_batches():
    training, validation = (tf.data.Dataset.range(5).batch(3) for _ in range(2))
    assert replicas.shared(training, validation) == (training, validation)
    assert replicas.own_share(tf.range, 3).numpy().tolist() == [0, 1, 2]
    assert replicas.together(tf.range(3)).numpy().tolist() == [0, 1, 2]


def test_draws_depend_on_the_seed_and_on_the_number_alone(rng):
    latent = tf.zeros((2, 3, 4))
    draws = [replicas.own_noise(latent, seed, number).numpy() for seed, number in ((1, 1), (1, 1), (1, 2), (2, 1))]
    assert draws[0].shape == (2, 3, 4)
    np.testing.assert_array_equal(draws[0], draws[1])
    assert all(np.abs(draws[0] - other).max() > 0.1 for other in draws[2:])
    picked = replicas.picks(1000, 7, 0, 0).numpy()
    assert set(picked) == set(range(7))


HALVES = """
import numpy as np
from keras_mri.training import devices as replicas
strategy = replicas.strategy_for("all")

def part(batch):
    noise = replicas.own_noise(batch, 3, 4)
    return noise, replicas.together(noise), replicas.picks(9, 100, 1, 2)

with strategy.scope():
    assert replicas.count() == 2
    halves = iter(strategy.experimental_distribute_dataset(tf.data.Dataset.from_tensors(tf.zeros((4, 2)))))
    own, whole, picked = strategy.run(tf.function(part), args=(next(halves),))
np.savez(sys.argv[1], *own.values, *whole.values, *picked.values)
"""


def test_two_devices_have_halves_of_one_draw(tmp_path, in_this_checkout):
    path = tmp_path / "drawn.npz"
    subprocess.run([sys.executable, "-c", TWO + HALVES, path], env=in_this_checkout, check=True)
    with np.load(path) as file:
        first, second, whole, also_whole, picked, also_picked = (file[f"arr_{number}"] for number in range(6))
    expected = replicas.own_noise(tf.zeros((4, 2)), 3, 4).numpy()
    np.testing.assert_array_equal(np.concatenate([first, second]), expected)
    np.testing.assert_array_equal(whole, expected)
    np.testing.assert_array_equal(also_whole, expected)
    np.testing.assert_array_equal(picked, also_picked)


UNEVEN = """
from keras_mri.training import devices as replicas
with replicas.strategy_for(2).scope():
    def batches(count, size):
        return tf.data.Dataset.range(count).batch(size, drop_remainder=count == 8)

    print([[len(tf.nest.flatten(batch)[0]) for batch in part] for part in replicas.shared(batches(8, 4), batches(5, 3))])
    replicas.shared(batches(8, 3), batches(5, 1))
"""


def test_batches_without_equal_parts_are_refused_and_held_out_ones_repeated(in_this_checkout):
    ended = subprocess.run([sys.executable, "-c", TWO + UNEVEN], env=in_this_checkout, capture_output=True, text=True)
    assert "InputError: 2 devices cannot share batches of 3 evenly. Choose a multiple of 2 with `batch_size`" in ended.stderr
    assert ended.stdout == "[[4, 4], [6, 4]]\n"


@pytest.mark.parametrize(
    "name", ["cnn", *(pytest.param(name, marks=pytest.mark.slow) for name in ("wgan", "runs", "n2a", "sr", "ldm", "vq"))]
)
def test_two_devices_and_two_machines_give_the_losses_of_one(name, tmp_path, write_nifti, in_this_checkout):
    def line(out, *options):
        return [*command("ldm" if name == "vq" else name, tmp_path, write_nifti, f"{out}.h5"), *EVEN.get(name, []), *options]

    for out, options in (("one", []), ("devices", ["--devices", "2"])):
        done = subprocess.run([sys.executable, "-c", TRAIN, *line(out, *options)], env=in_this_checkout, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    states, said = ended(two_machines(in_this_checkout, "-m", "keras_mri.train", *line("machines")))
    assert states == [0, 0], "\n".join(said)
    assert "wrote" in said[0] and "wrote" not in said[1] and "writes the network" in said[1]
    names, one = logged(tmp_path / "one.csv")
    for out in ("devices", "machines"):
        others = logged(tmp_path / f"{out}.csv")[1]
        assert others.shape == one.shape
        np.testing.assert_allclose(others, one, atol=1e-4, rtol=1e-4, err_msg=f"{out}: {names}")
