import functools
import logging
import math

import keras
import numpy as np
import pytest

from keras_mri.inference import fitting_precision
from keras_mri.inference.fitting_precision import FittingPrecision, Trial, difference_of_bfloat16, trial_of
from keras_mri.networks import precision
from keras_mri.networks.precision import with_hidden_layers_in
from keras_mri.networks.residual_unet import residual_unet

SHAPE = (11, 40, 9)


@pytest.fixture
def network():
    """A small network whose hidden layers round."""
    made, rng = residual_unet((None, None, None, 1), (3, 4), (1, 1)), np.random.default_rng(1)
    made.set_weights([rng.normal(0, 0.2, weight.shape) for weight in made.get_weights()])
    return made


@pytest.fixture
def data(rng):
    return rng.random((*SHAPE, 1), dtype=np.float32)


@pytest.fixture
def made_for_it(monkeypatch):
    """Any machine is made for bfloat16, and any scan large enough."""
    monkeypatch.setattr(fitting_precision, "made_for_bfloat16", lambda: True)
    monkeypatch.setattr(fitting_precision, "LEAST_VOXELS", 1)


def never():
    raise AssertionError("nothing is to be tried")


def in_bfloat16(network):
    return any(layer.compute_dtype == "bfloat16" for layer in network.layers)


def test_the_difference_is_the_largest_rms_of_three_blocks_in_units_of_the_noise(network, data):
    copy, parts = with_hidden_layers_in(network, "bfloat16"), []
    # Blocks of 32 at a quarter, half and three quarters of what remains of 40 voxels.
    for first in (2, 4, 6):
        block = data[:, first : first + 32]
        # The network halves each side once.
        block = np.pad(block, [(0, 1), (0, 0), (0, 1), (0, 0)], mode="reflect")[None]
        one, other = (each.predict_on_batch(block)[0, :11, :, :9] for each in (network, copy))
        parts.append(np.sqrt(((one - other) ** 2).mean()))
    assert 0 < max(parts) < 0.1
    assert difference_of_bfloat16(network, Trial(data, 0.25)) == pytest.approx(max(parts) / 0.25, rel=1e-4)


@pytest.mark.parametrize("sigma", [0.0, math.nan])
def test_without_noise_nothing_hides_a_difference(network, data, sigma, made_for_it, caplog):
    facts = {}
    with caplog.at_level(logging.INFO, "keras_mri"):
        assert FittingPrecision(network, "auto", 1, "a/scan.nii", facts).network(lambda: Trial(data, sigma)) is network
    assert facts == {"precision": {"used": "float32"}}
    assert caplog.messages == ["scan.nii: computed in float32: no noise was found that would hide the difference of bfloat16"]


def test_bfloat16_is_taken_where_the_noise_hides_the_difference_and_only_there(network, data, made_for_it, caplog):
    difference = difference_of_bfloat16(network, Trial(data, 1.0))
    with caplog.at_level(logging.INFO, "keras_mri"):
        for sigma, used in ((10.2 * difference, "bfloat16"), (9.8 * difference, "float32")):
            facts = {}
            chosen = FittingPrecision(network, "auto", 1, "a/scan.nii", facts).network(functools.partial(Trial, data, sigma))
            assert in_bfloat16(chosen) == (used == "bfloat16")
            assert facts == {"precision": {"used": used, "difference": pytest.approx(difference / sigma, abs=1e-5)}}
    assert caplog.messages == [
        "scan.nii: computed in bfloat16, which changes the result by 9.8 % of its noise",
        "scan.nii: computed in float32: bfloat16 would change the result by 10 % of its noise",
    ]


def test_it_is_settled_once(network, data, made_for_it):
    trials = iter([Trial(data, 10.0)])
    fitting = FittingPrecision(network, "auto", 1, "scan.nii", {})
    assert fitting.network(lambda: next(trials)) is fitting.network(lambda: next(trials))


@pytest.mark.parametrize("wanted", ["float32", "bfloat16"])
def test_what_the_user_names_is_taken_without_a_trial(network, wanted, made_for_it):
    facts = {}
    assert in_bfloat16(FittingPrecision(network, wanted, 1, "scan.nii", facts).network(never)) == (wanted == "bfloat16")
    assert facts == {"precision": {"used": wanted}}


def test_small_scans_stay_as_they_were(network, monkeypatch):
    monkeypatch.setattr(fitting_precision, "made_for_bfloat16", lambda: True)
    assert FittingPrecision(network, "auto", fitting_precision.LEAST_VOXELS - 1, "scan.nii", {}).network(never) is network


@pytest.mark.parametrize(
    ("flags", "backend", "gpus", "expected"),
    [
        ("fpu avx2 avx512_bf16", "tensorflow", [], True),
        ("fpu amx_bf16 amx_tile", "tensorflow", [], True),
        ("fpu avx2 avx512f", "tensorflow", [], False),
        ("fpu avx512_bf16", "jax", [], False),
        ("fpu avx512_bf16", "torch", [], False),
        ("fpu avx512_bf16", "tensorflow", ["gpu:0"], False),
    ],
)
def test_the_machine_is_judged_by_its_flags_and_by_no_clock(flags, backend, gpus, expected, network, monkeypatch, tmp_path):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"model name\t: any\nflags\t\t: {flags}\n")
    monkeypatch.setattr(precision, "_CPUINFO", cpuinfo)
    monkeypatch.setattr(precision, "_faster_in_bfloat16", never)
    monkeypatch.setattr(keras.backend, "backend", lambda: backend)
    monkeypatch.setattr(keras.distribution, "list_devices", lambda kind=None: gpus if kind == "gpu" else ["cpu:0"])
    assert fitting_precision.made_for_bfloat16() == expected
    monkeypatch.setattr(fitting_precision, "LEAST_VOXELS", 1)
    if not expected:
        assert FittingPrecision(network, "auto", 1, "scan.nii", {}).network(never) is network


def test_a_machine_that_tells_nothing_is_made_for_float32(monkeypatch, tmp_path):
    monkeypatch.setattr(precision, "_CPUINFO", tmp_path / "absent")
    assert not fitting_precision.made_for_bfloat16()


def test_the_noise_is_that_of_the_middle_frame(rng):
    data = np.ones((24, 24, 24, 3), np.float32)
    data[..., 1] += 0.05 * rng.standard_normal((24, 24, 24))
    assert trial_of(data).sigma == pytest.approx(0.05, rel=0.05)
