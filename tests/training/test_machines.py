"""Two processes that train as two machines would: what goes wrong on one is said on both."""

import contextlib
import csv
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import tensorflow as tf

from keras_mri.errors import InputError
from keras_mri.training import machines
from tests.test_resume import KILLED, command


def two_machines(environment, *command):
    """Start one command on two machines, which are one, on ports that are free."""
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(socket.socket()) for _ in range(2)]
        for one in held:
            one.bind(("localhost", 0))
        cluster = {"worker": [f"localhost:{one.getsockname()[1]}" for one in held]}
    tasks = [json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}}) for index in range(2)]
    return [
        subprocess.Popen([sys.executable, *command, "--workers"], env={**environment, "TF_CONFIG": task}, stderr=subprocess.PIPE, text=True)
        for task in tasks
    ]


def ended(processes):
    """Wait for processes: exit status and stderr of each."""
    try:
        said = [process.communicate(timeout=600)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()
    return [process.returncode for process in processes], said


def logged(path):
    """Return names and numbers of a training's log, without its times."""
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    numbers = [[float(value or "nan") for key, value in row.items() if key != "seconds"] for row in rows]
    return list(rows[0].keys()), np.array(numbers)


def test_a_machine_alone_agrees_with_itself():
    assert not machines.several() and machines.agreed(0.25) == 0.25
    assert machines.agreed_on("bfloat16", ("float32", "bfloat16")) == "bfloat16"
    machines.check_same({"seed": 1})


@pytest.mark.tensorflow_internal
def test_threads_of_replicas_that_were_interrupted_as_they_started_end(monkeypatch):
    mirrored_run = pytest.importorskip("tensorflow.python.distribute.mirrored_run")
    started, start = [], mirrored_run._MirroredReplicaThread.start

    def interrupted(thread):
        start(thread)
        started.append(thread)
        raise InputError("interrupted")

    monkeypatch.setattr(mirrored_run._MirroredReplicaThread, "start", interrupted)
    with pytest.raises(InputError):
        tf.distribute.MirroredStrategy(["/cpu:0"]).run(lambda: 1)
    assert started[0].is_alive()
    machines._release_threads()
    started[0].join(timeout=60)
    assert not started[0].is_alive()


def test_an_interruption_that_was_lost_ends_the_training_after_the_step(monkeypatch):
    monkeypatch.setattr(machines, "_HEARD", threading.Event())
    listener = machines.EndWhenInterrupted()
    listener.on_train_batch_end(0)
    with pytest.raises(InputError, match="interrupted"):
        machines._interrupted()
    with pytest.raises(InputError, match="interrupted"):
        listener.on_train_batch_end(1)


MEMORY = """
import sys
from keras_mri.io import memory
from keras_mri.training import machines, workers

here = workers.workers_here()
memory.available_bytes = lambda: 3e9 - 1e9 * here.index
with machines.scope(machines.strategy_across(here)):
    print(memory._AGREED, file=sys.stderr)
"""


@pytest.mark.slow
def test_machines_agree_on_the_least_memory(in_this_checkout):
    states, said = ended(two_machines(in_this_checkout, "-c", MEMORY))
    assert states == [0, 0] and all("[2000000000.0]" in text for text in said), said


# As KILLED of test_resume, but that only the second of two machines dies.
DIES = KILLED.replace("if count < 0:", "if count < 0 and '\"index\": 1' in os.environ['TF_CONFIG']:")


@pytest.mark.slow
def test_a_machine_that_dies_is_named_and_all_can_go_on(tmp_path, write_nifti, in_this_checkout):
    line = command("wgan", tmp_path, write_nifti, "network.h5")
    states, said = ended(two_machines(in_this_checkout, "-c", DIES, "7", *line))
    assert states == [2, -9], said
    assert "keras_mri: error: another machine of this training has gone" in said[0] and "Traceback" not in said[0]
    assert (tmp_path / "network.state").exists() and not (tmp_path / "network.h5").exists()
    states, said = ended(two_machines(in_this_checkout, "-m", "keras_mri.train", *line, "--resume"))
    assert states == [0, 0] and all("going on from" in text for text in said), said
    whole = command("wgan", tmp_path, write_nifti, "whole.h5")
    subprocess.run([sys.executable, "-m", "keras_mri.train", *whole], env=in_this_checkout, capture_output=True, check=True)
    np.testing.assert_allclose(logged(tmp_path / "network.csv")[1], logged(tmp_path / "whole.csv")[1], atol=1e-4, rtol=1e-4)
    assert not (tmp_path / "network.state").exists()


@pytest.mark.slow
def test_machines_with_different_options_are_told_so(tmp_path, write_nifti, in_this_checkout):
    """The options of each process follow from its index."""
    differ = """
import json, os, sys
from keras_mri import train
sys.exit(train.main([*sys.argv[1:], "--seed", str(json.loads(os.environ["TF_CONFIG"])["task"]["index"])]))
"""
    states, said = ended(two_machines(in_this_checkout, "-c", differ, *command("wgan", tmp_path, write_nifti, "network.h5")))
    assert states == [2, 2] and all(
        "the machines would not do the same training. Give all of them the same command" in text for text in said
    )
    assert not list(tmp_path.glob("network*"))


@pytest.mark.slow
def test_ctrl_c_on_one_machine_ends_both_and_keeps_the_state(tmp_path, write_nifti, in_this_checkout):
    line = [*command("wgan", tmp_path, write_nifti, "network.h5"), "--epochs", "1000", "--state-every", "0.5s"]
    first, second = two_machines(in_this_checkout, "-m", "keras_mri.train", *line)
    state, patience = tmp_path / "network.state", time.monotonic() + 300
    while not state.exists() and time.monotonic() < patience and first.poll() is None:
        time.sleep(0.2)
    os.kill(second.pid, signal.SIGINT)
    states, said = ended([first, second])
    assert states == [2, 2], said
    assert "keras_mri: error: interrupted. Start all machines again" in said[1] and "another machine of this training has gone" in said[0]
    assert state.exists() and not (tmp_path / "network.h5").exists()
