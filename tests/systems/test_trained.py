"""The verdict on a fresh network, by what it does to a scan of its training."""

import types

import numpy as np
import pytest
from scipy import ndimage

from keras_mri.imaging import phantoms
from keras_mri.imaging.verdict import ANATOMY_REMOVED, LEFT, NOISE_REMOVED
from keras_mri.io.volumes import Volume
from keras_mri.systems.records import Outcome
from keras_mri.systems.trained import TrainedNetwork


def judged_as(result, scan):
    """Return the verdict on a system that makes `result` of `scan`."""
    measured = Volume.from_array(scan, np.diag([2.0, 2.0, 2.0, 1.0]))
    outcome = Outcome({}, judged=measured.with_frames(lambda t: result))
    system = types.SimpleNamespace(outcome=lambda *training: outcome)
    return TrainedNetwork(system, None, None, None).verdict


@pytest.fixture(scope="module")
def scan():
    clean = phantoms.head((48, 44, 40), seed=1)[0]
    return clean, (clean + np.random.default_rng(0).normal(0, 20, clean.shape)).astype(np.float32)


def test_a_network_that_blurs_its_own_scan_is_said_to_remove_anatomy(scan):
    verdict = judged_as(ndimage.gaussian_filter(scan[1], 1.5), scan[1])
    assert verdict.word == ANATOMY_REMOVED and "train longer" in verdict.remarks()[0]


def test_a_network_that_removes_noise_and_one_that_does_nothing_are_told_apart(scan):
    clean, noisy = scan
    assert judged_as(clean, noisy).word == NOISE_REMOVED
    assert judged_as(noisy, noisy).word == LEFT


def test_a_system_that_removes_nothing_has_no_verdict():
    system = types.SimpleNamespace(outcome=lambda *training: Outcome({}))
    assert TrainedNetwork(system, None, None, None).verdict is None
