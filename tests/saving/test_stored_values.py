"""What prediction needs, as a network's file states it: each damage is one message; what trainings write is accepted."""

import copy
import json

import numpy as np
import pytest

from keras_mri.errors import CheckpointError
from keras_mri.io.volumes import Volume
from keras_mri.saving.checkpoints import Checkpoint
from keras_mri.saving.stored_values import number, one_of, or_none, record, several, wrong_values
from keras_mri.systems.network_files import SYSTEMS, get_settings
from keras_mri.systems.records import stored_inference
from keras_mri.systems.sr import system as sr

# Of no value in any file.
NONSENSE = ("x", -1, [-1], {"a": [1]}, float("inf"), float("nan"), 10**400, [[]], ["a", "b"])
SLICES = {"scaling": "percentile", "simulate": None, "tile": None, "slices": {"voxel": [0.6, 1.2], "spacing": [1.3, 6.6]}}


def read(system, values):
    return stored_inference({"inference": values}, get_settings(system))


def written(system):
    """What a training of each system writes; through JSON, as a file."""
    settings = get_settings(system)
    return json.loads(json.dumps(settings.inference(settings.Config(), {})))


@pytest.mark.parametrize("system", SYSTEMS)
def test_what_a_training_writes_is_accepted(system):
    assert read(system, written(system)) == written(system)


@pytest.mark.parametrize("system", SYSTEMS)
def test_each_damaged_value_is_named(system):
    # Any texts are labels.
    for name in set(written(system)) - {"labels"}:
        for value in NONSENSE:
            with pytest.raises(CheckpointError, match=f"damaged.* {name} ") as error:
                read(system, written(system) | {name: value})
            assert str(error.value).endswith("Copy it again.")


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_value_that_is_missing_is_named_where_it_is_needed(system):
    for name, check in get_settings(system).stored.items():
        if check(None):
            continue
        values = written(system)
        del values[name]
        with pytest.raises(CheckpointError, match=rf"{name} \(missing\)"):
            read(system, values)


@pytest.mark.parametrize(
    "slices",
    [{"voxel": [1, 2]}, {"voxel": [2, 1], "spacing": [1, 2]}, {"voxel": [1], "spacing": [1, 2]}, {"voxel": [None, 1], "spacing": [1, 2]}],
)
def test_ranges_of_thick_slices_have_two_ends(slices):
    assert read("sr", SLICES) == SLICES
    with pytest.raises(CheckpointError, match="slices"):
        read("sr", SLICES | {"slices": slices})


def test_a_network_of_another_kind_than_its_file_says_is_refused():
    import keras

    inputs = keras.Input((None, None, None, 1))
    checkpoint = Checkpoint(keras.Model(inputs, keras.layers.Conv3D(1, 1)(inputs)), "sr", {}, {}, copy.deepcopy(SLICES))
    with pytest.raises(CheckpointError, match="of thick slices, but it takes 1 channel"):
        sr.predict(
            checkpoint, [Volume.from_array(np.ones((8, 8, 8), np.float32), np.diag([1, 1, 4, 1]))], sr.SYSTEM.settings.PredictConfig()
        )


def test_checks_tell_types_apart():
    assert number(0, 1)(1) and not number(0, 1)(True) and not number(0, 1, whole=True)(1.0)
    assert one_of(1, "a", None)(None) and not one_of(1)(True) and not one_of(0)(0.0)
    assert several(number(), 2, rising=True)([1, 1]) and not several(number(), rising=True)([2, 1]) and not several(number())([])
    assert or_none(number())(None) and not or_none(number())("")
    assert record(a=number())({"a": 1, "b": "x"}) and not record(a=number())({"b": 1}) and not record(a=number())([1])
    assert wrong_values({"b": 2}, {"b": one_of(1), "a": number()}) == ["a", "b"]
