import json
import os
import subprocess
import sys

import pytest

from keras_mri.errors import InputError
from keras_mri.training.workers import Workers, discarded_folder, workers_here

CLUSTER = {"worker": ["first:1234", "second:1234"]}


def test_who_trains_is_read_from_tf_config(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": CLUSTER, "task": {"type": "worker", "index": 1}}))
    assert workers_here() == Workers(("first:1234", "second:1234"), 1)


@pytest.mark.parametrize(
    "told",
    [
        "{",
        "[]",
        {"cluster": CLUSTER},
        {"cluster": CLUSTER, "task": {"type": "worker"}},
        {"cluster": CLUSTER, "task": {"type": "worker", "index": 2}},
        {"cluster": CLUSTER, "task": {"type": "worker", "index": -1}},
        {"cluster": CLUSTER, "task": {"type": "worker", "index": "0"}},
        {"cluster": CLUSTER, "task": {"type": "worker", "index": True}},
        {"cluster": CLUSTER, "task": {"type": "chief", "index": 0}},
        {"cluster": {**CLUSTER, "ps": ["third:1234"]}, "task": {"type": "worker", "index": 0}},
        {"cluster": {"worker": ["first:1234"] * 2}, "task": {"type": "worker", "index": 0}},
        {"cluster": {"worker": ["first", "second"]}, "task": {"type": "worker", "index": 0}},
        {"cluster": {"worker": "first:1234"}, "task": {"type": "worker", "index": 0}},
    ],
)
def test_what_names_no_workers_is_shown_beside_an_example(told, monkeypatch):
    text = told if isinstance(told, str) else json.dumps(told)
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(InputError, match='TF_CONFIG must .*{"cluster": {"worker": .*Received: ') as error:
        workers_here()
    assert str(error.value).endswith(text)


def test_only_the_first_machine_keeps_what_it_writes():
    for workers in (None, Workers(("a:1", "b:1"), 0)):
        with discarded_folder(workers) as folder:
            assert folder is None
    with discarded_folder(Workers(("a:1", "b:1"), 1)) as folder:
        with open(os.path.join(folder, "network.h5"), "w"):
            pass
    assert not os.path.exists(folder)


@pytest.mark.parametrize(
    "options, message",
    [
        ([], 'keras_mri: error: --workers needs the environment variable TF_CONFIG, such as {"cluster"'),
        (["--devices", "2"], "keras_mri: error: --workers takes all devices of every machine: leave --devices out."),
    ],
)
def test_wrong_usage_gets_one_message_and_exit_2_without_tensorflow(options, message, in_this_checkout, tmp_path):
    environment = {name: value for name, value in in_this_checkout.items() if name != "TF_CONFIG"}
    line = [sys.executable, "-X", "importtime", "-m", "keras_mri.train", "wgan", "scan.nii.gz", "--workers", *options]
    ended = subprocess.run(line, env=environment, cwd=tmp_path, capture_output=True, text=True)
    said = [part for part in ended.stderr.splitlines() if not part.startswith("import time:")]
    assert ended.returncode == 2 and len(said) == 1 and said[0].startswith(message)
    assert "tensorflow" not in ended.stderr.replace(said[0], "") and not list(tmp_path.iterdir())
