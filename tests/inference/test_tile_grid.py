"""A volume that is split into tiles is restored by merging or blending them."""

import itertools

import numpy as np
import pytest

from keras_mri.errors import InputError
from keras_mri.inference.tile_grid import PatchGrid

_GRIDS = [
    PatchGrid((9, 8, 7), (4, 3, 5)),
    PatchGrid((30, 9, 7), (16, 9, 7), (5, 0, 0)),
    PatchGrid((17, 13, 11), (8, 6, 5), (2, 1, 2)),
    PatchGrid((20, 18, 13), (12, 12, 8), (3, 2, 0), stride=4),
    PatchGrid((9, 8, 1), (4, 8, 1), (1, 3, 4)),
    PatchGrid((1, 1, 7), (1, 1, 3), (0, 0, 1)),
    PatchGrid((9, 8, 7), (9, 8, 7), (4, 4, 4)),
]


@pytest.mark.parametrize("grid", _GRIDS, ids=str)
@pytest.mark.parametrize("assemble", [PatchGrid.merge, PatchGrid.blend])
def test_a_volume_that_the_step_does_not_divide_is_restored(grid, assemble, rng):
    volume = rng.normal(size=grid.shape).astype(np.float32)
    restored = assemble(grid, grid.split(volume))
    assert restored.dtype == np.float32
    np.testing.assert_allclose(restored, volume, rtol=1e-6 if assemble is PatchGrid.blend else 0)


@pytest.mark.parametrize("grid", _GRIDS, ids=str)
def test_windows_have_one_shape_lie_inside_and_start_on_a_block_unless_last(grid):
    for corner, window in grid.split(np.zeros((*grid.shape, 2))):
        assert window.shape == (*grid.window, 2)
        for start, side, size in zip(corner, grid.shape, grid.window):
            assert 0 <= start <= side - size
            assert start % grid.stride == 0 or start == side - size


def test_merge_keeps_the_voxels_of_the_worked_examples():
    # The picture in tile_grid.py.
    grid = PatchGrid((14, 1, 1), (8, 1, 1), (2, 0, 0))
    assert grid.starts() == [(0, 0, 0), (4, 0, 0), (6, 0, 0)]
    merged = grid.merge((corner, np.full((8, 1, 1), corner[0])) for corner in grid.starts())
    np.testing.assert_array_equal(merged[:, 0, 0], [0, 0, 0, 0, 0, 0, 4, 4, 6, 6, 6, 6, 6, 6])
    # Halo 5, window 16, side 30: windows at 0, 6, 12, 14 keep voxels 0–10, 11–16, 17–22 (of which the last takes 19–29).
    grid = PatchGrid((30, 1, 1), (16, 1, 1), (5, 0, 0))
    assert grid.starts() == [(0, 0, 0), (6, 0, 0), (12, 0, 0), (14, 0, 0)]
    merged = grid.merge((corner, np.full((16, 1, 1), corner[0])) for corner in grid.starts())
    np.testing.assert_array_equal(merged[:, 0, 0], [0] * 11 + [6] * 6 + [12] * 2 + [14] * 11)


@pytest.mark.parametrize("grid", _GRIDS, ids=str)
def test_merge_uses_nothing_that_a_cut_side_has_touched(grid, rng):
    volume = rng.normal(size=grid.shape).astype(np.float32)

    def spoil(corner, window):
        spoilt = np.full(grid.window, np.nan, np.float32)
        kept = tuple(
            slice(halo if start else 0, size if start + size == side else size - halo)
            for start, size, side, halo in zip(corner, grid.window, grid.shape, grid.halo)
        )
        spoilt[kept] = window[kept]
        return corner, spoilt

    np.testing.assert_array_equal(grid.merge(itertools.starmap(spoil, grid.split(volume))), volume)


@pytest.mark.parametrize("grid", _GRIDS, ids=str)
def test_blend_of_a_constant_is_exact(grid):
    blended = grid.blend((corner, np.full(grid.window, 0.1, np.float32)) for corner in grid.starts())
    np.testing.assert_array_equal(blended, np.full(grid.shape, 0.1, np.float32))


def test_blend_weights_fall_towards_the_edges_of_a_window():
    # Weights 1 2 2 1 at 0 and 2; where both lie (voxels 2, 3) they are 2:1 and 1:2.
    grid = PatchGrid((6, 1, 1), (4, 1, 1), (1, 0, 0))
    assert grid.starts() == [(0, 0, 0), (2, 0, 0)]
    blended = grid.blend((corner, np.full((4, 1, 1), corner[0] / 2)) for corner in grid.starts())
    np.testing.assert_allclose(blended[:, 0, 0], [0, 0, 1 / 3, 2 / 3, 1, 1], rtol=1e-6)


@pytest.mark.parametrize(("window", "halo", "stride"), [((10, 8, 7), (0, 0, 0), 1), ((6, 8, 7), (3, 0, 0), 1), ((6, 8, 7), (2, 0, 0), 4)])
def test_a_tile_too_large_or_all_halo_is_refused(window, halo, stride):
    message = rf"twice the network's reach of \({halo[0]}, 0, 0\) voxels. Received: tile \({window[0]}, 8, 7\), volume \(9, 8, 7\)."
    with pytest.raises(InputError, match="tiles must lie inside the volume and be larger than " + message):
        PatchGrid((9, 8, 7), window, halo, stride)


@pytest.mark.parametrize("assemble", ["merge", "blend"])
def test_windows_of_several_channels_become_a_volume_of_as_many(assemble, rng):
    volume = rng.random((9, 8, 7, 3), dtype=np.float32)
    grid = PatchGrid((9, 8, 7), (5, 8, 4), (1, 0, 1))
    np.testing.assert_allclose(getattr(grid, assemble)(grid.split(volume)), volume, rtol=1e-6)
