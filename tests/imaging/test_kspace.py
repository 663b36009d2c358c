"""Oracles: cosines, whose spectrum is known, at odd and even sides; and the discrete sum of the definition."""

import numpy as np
import pytest

from keras_mri.imaging import phantoms
from keras_mri.imaging.kspace import finer_affine, resampled, truncated


def wave(positions, period, phase=0.3):
    """A cosine along x, at positions in voxels."""
    return np.cos(2 * np.pi * positions / period + phase)


def along_x(values):
    return np.broadcast_to(values[:, None, None], (len(values), 3, 2)).astype(np.float32).copy()


@pytest.mark.parametrize("side", [24, 25, 27])
@pytest.mark.parametrize("factor", [2, 3, 1.5])
def test_truncation_keeps_what_the_coarser_grid_could_hold_and_nothing_else(side, factor):
    positions = np.arange(side)
    for cycles in range(side // 2 + 1):
        data = along_x(wave(positions, side / cycles if cycles else np.inf))
        expected = data if cycles < side / factor / 2 else 0.5 * data if cycles == side / factor / 2 else 0 * data
        np.testing.assert_allclose(truncated(data, (factor, 1, 1)), expected, atol=1e-5)


def test_truncation_is_the_sum_of_the_definition_along_every_axis(rng):
    data = rng.normal(size=(9, 8, 7)).astype(np.float32)
    expected = data.astype(np.complex128)
    for axis, (side, factor) in enumerate(zip(data.shape, (2, 3, 1))):
        frequencies = [k for k in range(-(side // 2), side // 2 + 1) if abs(k) < side / factor / 2]
        positions = np.arange(side)
        matrix = sum(np.exp(2j * np.pi * k * (positions[:, None] - positions) / side) for k in frequencies) / side
        if factor > 1:
            expected = np.moveaxis(np.tensordot(matrix, expected, (1, axis)), 0, axis)
    np.testing.assert_allclose(truncated(data, (2, 3, 1)), expected.real, atol=1e-5)


def test_a_factor_of_one_changes_nothing(rng):
    data = rng.random((9, 8, 7), dtype=np.float32)
    np.testing.assert_array_equal(truncated(data, (1, 1, 1)), data)
    np.testing.assert_array_equal(resampled(data, data.shape), data)


def test_magnitude_data_stay_magnitude_and_others_keep_their_sign(rng):
    head, _ = phantoms.head((19, 17, 14))
    assert truncated(head, (2, 2, 1)).min() >= 0
    assert resampled(head, (38, 34, 14)).min() >= 0
    assert truncated(head - 500, (2, 2, 1)).min() < -400


@pytest.mark.parametrize(("before", "after"), [(8, 16), (9, 18), (9, 27), (8, 12), (27, 9), (24, 8), (9, 7)])
def test_a_resampled_wave_is_the_wave_at_the_new_centres(before, after):
    """The field of view runs from -1/2 to side - 1/2; its new voxels are side / after wide."""
    centres = (np.arange(after) + 0.5) * before / after - 0.5
    for cycles in range((min(before, after) - 1) // 2 + 1):
        period = before / cycles if cycles else np.inf
        found = resampled(along_x(wave(np.arange(before), period)), (after, 3, 2))
        np.testing.assert_allclose(found, along_x(wave(centres, period)), atol=1e-5)


def test_a_coarser_grid_zero_filled_is_the_truncated_image(rng):
    data = rng.normal(size=(15, 21, 8)).astype(np.float32)
    coarse = resampled(data, (5, 7, 8))
    np.testing.assert_allclose(resampled(coarse, data.shape), truncated(data, (3, 3, 1)), atol=1e-5)


def test_the_finer_grid_covers_the_same_field_of_view(affine):
    shape, factors = np.array((9, 8, 7)), np.array((2, 3, 1))
    finer = finer_affine(affine, factors)
    for corner in np.ndindex(2, 2, 2):
        edge, finer_edge = np.where(corner, shape, 0) - 0.5, np.where(corner, shape * factors, 0) - 0.5
        np.testing.assert_allclose(finer @ [*finer_edge, 1], affine @ [*edge, 1])
    np.testing.assert_allclose(np.linalg.norm(finer[:3, :3], axis=0), np.linalg.norm(affine[:3, :3], axis=0) / factors)


def test_the_finer_image_shows_a_structure_where_it_was_in_the_world(affine):
    """Oracle: a smooth blob drawn at its world position, on the coarse and on the fine grid."""
    shape, factors = (24, 22, 20), (2, 2, 1)
    centre = affine @ [11.3, 10.6, 9.2, 1]

    def blob(affine, shape):
        world = np.einsum("ij,jxyz->ixyz", affine[:3, :3], np.indices(shape)) + affine[:3, 3].reshape(3, 1, 1, 1)
        return np.exp(-((world - centre[:3].reshape(3, 1, 1, 1)) ** 2).sum(axis=0) / (2 * 5.0**2)).astype(np.float32)

    fine_shape = tuple(side * factor for side, factor in zip(shape, factors))
    np.testing.assert_allclose(resampled(blob(affine, shape), fine_shape), blob(finer_affine(affine, factors), fine_shape), atol=1e-3)
