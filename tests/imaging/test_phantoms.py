"""The phantom is what the other tests take it for: its truth is known."""

import nibabel
import numpy as np
import pytest

from keras_mri.imaging import phantoms


@pytest.mark.parametrize("shape", [(23, 21, 19), (24, 22, 1), (16, 1, 12)])
def test_the_head_has_air_outside_and_signal_inside(shape):
    data, brain = phantoms.head(shape)
    assert data.shape == brain.shape == shape
    assert (data.dtype, brain.dtype) == (np.float32, bool)
    assert (data[brain] > 0).all()
    assert 0.1 < brain.mean() < 0.9
    assert data.min() == 0


def test_the_volume_of_the_brain_is_that_of_its_ellipsoid():
    # The field of view runs from the first voxel's centre to the last one's.
    _, brain = phantoms.head((61, 57, 53))
    assert brain.sum() == pytest.approx(np.pi / 6 * (0.80 * 60) * (0.85 * 56) * (0.84 * 52), rel=0.02)


def test_the_seed_decides_the_head():
    first, again, other = (phantoms.head((23, 21, 19), seed)[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_the_intensity_scales_the_head():
    np.testing.assert_allclose(phantoms.head((9, 8, 7), intensity=500.0)[0] * 2, phantoms.head((9, 8, 7))[0], rtol=1e-6)


def test_a_run_changes_by_the_drift_and_where_active_by_the_activation():
    run, brain, active, course = phantoms.bold_run((17, 15, 13, 9), amplitude=0.05, drift=0.1, period=4)
    np.testing.assert_array_equal(course, [0, 0, 1, 1, 0, 0, 1, 1, 0])
    still = brain & ~active
    # Frame t of nine: a drift of t/8 of a tenth, and 5 % of the undrifted signal during activation.
    np.testing.assert_allclose(run[still][:, 8] / run[still][:, 0], 1.1, rtol=1e-5)
    np.testing.assert_allclose(run[active][:, 3] / run[active][:, 0], 1 + 0.1 * 3 / 8 + 0.05, rtol=1e-5)
    np.testing.assert_array_equal(run[..., 0], phantoms.head((17, 15, 13))[0])


@pytest.mark.parametrize("shape", [(17, 15, 13, 4), (12, 10, 3, 4)])
def test_the_activation_is_a_few_voxels_of_the_brain(shape):
    run, brain, active, _ = phantoms.bold_run(shape)
    assert run.shape == shape
    assert active.any()
    assert not (active & ~brain).any()
    assert active.sum() < 0.1 * brain.sum()


@pytest.mark.parametrize(("model", "lowest"), [("gaussian", -np.inf), ("rician", 0)])
def test_a_noisy_volume_differs_from_the_truth_by_the_noise(model, lowest):
    data, brain = phantoms.head((23, 21, 19))
    noisy = phantoms.noisy_volume(data, 20.0, seed=3, model=model)
    assert (noisy.data - data)[brain].std() == pytest.approx(20.0, rel=0.05)
    assert noisy.data.min() >= lowest
    assert (noisy.data.min() < 0) == (model == "gaussian")
    np.testing.assert_array_equal(noisy.affine, phantoms.oblique_affine())
    np.testing.assert_array_equal(phantoms.noisy_volume(data, 20.0, seed=3, model=model).data, noisy.data)


def test_a_noisy_volume_lies_where_it_is_told(affine):
    data, _ = phantoms.head((9, 8, 7))
    np.testing.assert_array_equal(phantoms.noisy_volume(data, 1.0, affine=2 * affine).affine, 2 * affine)


def test_the_affine_is_a_tilted_left_handed_grid_of_the_zooms_asked_for():
    affine = phantoms.oblique_affine((1.0, 1.5, 4.0), angle=0.3)
    np.testing.assert_allclose(nibabel.affines.voxel_sizes(affine), (1.0, 1.5, 4.0))
    np.testing.assert_allclose(nibabel.affines.obliquity(affine), (0, 0.3, 0.3), atol=1e-12)
    assert nibabel.aff2axcodes(affine) == ("L", "A", "S")
    assert np.linalg.det(affine[:3, :3]) == pytest.approx(-6.0)
