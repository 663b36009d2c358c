"""The test activation: what a known network does to spheres in the maps of a run."""

import numpy as np
import pytest
from scipy import ndimage

from keras_mri.imaging import phantoms
from keras_mri.systems.wgan.run_response import TestActivation as Spheres

SHAPE, FRAMES = (24, 22, 20), 48


@pytest.fixture(scope="module")
def basis():
    random = np.random.default_rng(0).standard_normal((FRAMES, FRAMES))
    random[:, 0] = 1
    return np.linalg.qr(random)[0][:, 1:].astype(np.float32)


@pytest.fixture(scope="module")
def spheres(basis):
    _, tissue = phantoms.head(SHAPE)
    return Spheres(np.full(SHAPE, 80, np.float32), tissue, basis)


def answered(spheres, denoised, seed=1):
    """Return what is measured of a network, in maps of noise."""
    maps = {k: np.random.default_rng(seed + k).standard_normal(SHAPE).astype(np.float32) for k in spheres.maps}
    return spheres.response(denoised, {k: (values, denoised(values)) for k, values in maps.items()})


@pytest.mark.parametrize("factor", [0.0, 0.4, 1.0, 1.3])
def test_a_network_that_multiplies_keeps_that_share_and_spreads_nothing(spheres, factor):
    measured = answered(spheres, lambda values: np.float32(factor) * values)
    assert measured["keep_measured"] == pytest.approx(factor, abs=2e-3)
    assert measured["spread"] == pytest.approx(0, abs=2e-3)


def test_an_offset_is_no_response(spheres):
    measured = answered(spheres, lambda values: values + 7)
    assert (measured["keep_measured"], measured["spread"]) == (pytest.approx(1, abs=2e-3), pytest.approx(0, abs=2e-3))


def test_a_gaussian_keeps_and_spreads_what_its_kernel_does(spheres):
    measured = answered(spheres, lambda values: ndimage.gaussian_filter(values, 1.0))
    # A sphere of 2.1 voxels alone: its own mean after the filter, and that of the shell around; other spheres add to both.
    grids = np.indices((15, 15, 15)) - 7
    body = (grids**2).sum(axis=0) <= 4.5
    smooth = ndimage.gaussian_filter(body.astype(float), 1.0)
    shell = ndimage.binary_dilation(body) & ~body
    assert measured["keep_measured"] == pytest.approx(smooth[body].mean(), abs=0.15)
    assert measured["spread"] == pytest.approx(smooth[shell].mean(), abs=0.15)
    assert measured["spread"] > 0.15


def test_maps_that_hold_most_of_the_time_course_are_asked_for(spheres, basis):
    block = (np.arange(FRAMES) // 12 % 2).astype(float)
    weights = np.abs(basis.T @ (block - block.mean()))
    assert set(spheres.maps) == set(np.argsort(-weights)[:12])


def test_without_tissue_nothing_is_measured(basis):
    empty = Spheres(np.full(SHAPE, 80, np.float32), np.zeros(SHAPE, bool), basis)
    assert answered(empty, lambda values: values) == {"keep_measured": None, "spread": None}


def test_a_run_shorter_than_a_block_has_no_test(basis):
    short = Spheres(np.full(SHAPE, 80, np.float32), np.ones(SHAPE, bool), basis[:10, :9])
    assert short.maps == ()
    assert short.response(lambda values: values, {}) == {"keep_measured": None, "spread": None}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("voxels", [1, 3])
def test_a_few_voxels_of_tissue_are_enough(basis, voxels):
    tissue = np.zeros(SHAPE, bool)
    tissue[4 : 4 + voxels, 5, 6] = True
    measured = answered(Spheres(np.full(SHAPE, 80, np.float32), tissue, basis), lambda values: values)
    assert measured["keep_measured"] == pytest.approx(1, abs=2e-3)
    assert measured["spread"] is None or np.isfinite(measured["spread"])
