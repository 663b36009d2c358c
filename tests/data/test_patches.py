"""Where patches lie, and that a volume taken apart is put together again."""

import itertools

import numpy as np
import pytest

from keras_mri.data.patches import PatchGrid, check_patch_fits, fitting_patch, foreground, foreground_corners, lattice_corners, thickened
from keras_mri.errors import InputError

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


def test_merge_keeps_the_voxels_of_the_worked_example():
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


def test_foreground_is_brighter_than_a_tenth_of_the_98th_percentile():
    # 0 … 999: the 98th percentile is 979.02, a tenth of it 97.902.
    volume = np.arange(1000, dtype=np.float32).reshape(10, 4, 25)
    np.testing.assert_array_equal(foreground(volume), volume >= 98)


def test_foreground_corners_centre_patches_on_tissue_and_move_them_inwards():
    tissue = np.zeros((9, 8, 7), bool)
    tissue[4, 3, 3] = tissue[0, 0, 0] = tissue[8, 7, 6] = True
    corners = foreground_corners(tissue, (4, 3, 2))
    np.testing.assert_array_equal(corners, [(0, 0, 0), (2, 2, 2), (5, 5, 5)])
    assert corners.dtype == np.int32


def test_foreground_corners_without_tissue_cover_the_whole_volume():
    corners = foreground_corners(np.zeros((9, 8, 1), bool), (4, 8, 1))
    assert {tuple(corner) for corner in corners.tolist()} == {(x, 0, 0) for x in range(6)}


def test_lattice_corners_are_half_a_patch_apart_and_inside():
    corners = lattice_corners(np.ones((9, 8, 7), np.float32), (4, 3, 1), lowest_mean=0.5)
    assert [tuple(corner) for corner in corners.tolist()] == list(itertools.product((0, 2, 4), range(6), range(7)))
    assert corners.dtype == np.int32


def test_lattice_corners_leave_out_patches_that_are_not_brighter_than_the_limit():
    frame = np.zeros((8, 4, 4), np.float32)
    frame[6:] = 1.0
    # Means of the patches at x = 0, 2, 4: 0, 0 and 1/2.
    np.testing.assert_array_equal(lattice_corners(frame, (4, 4, 4), 0.25), [(4, 0, 0)])
    assert lattice_corners(frame, (4, 4, 4), 0.5).shape == (0, 3)


@pytest.mark.parametrize(
    "check",
    [
        lambda patch, shape: check_patch_fits(patch, shape),
        lambda patch, shape: foreground_corners(np.ones(shape, bool), patch),
        lambda patch, shape: lattice_corners(np.ones(shape), patch, 0.0),
    ],
)
def test_a_patch_larger_than_the_volume_is_refused_with_the_largest_valid(check):
    message = r"--patch-shape must lie inside the volume. Received: patch \(4, 9, 8\), volume \(9, 8, 7\). Largest valid: \(4, 8, 7\)."
    with pytest.raises(InputError, match=message):
        check((4, 9, 8), (9, 8, 7))


def test_a_patch_as_large_as_the_volume_fits():
    check_patch_fits((9, 8, 7), (9, 8, 7))
    np.testing.assert_array_equal(lattice_corners(np.ones((9, 8, 7)), (9, 8, 7), 0.0), [(0, 0, 0)])


@pytest.mark.parametrize("assemble", ["merge", "blend"])
def test_windows_of_several_channels_become_a_volume_of_as_many(assemble, rng):
    volume = rng.random((9, 8, 7, 3), dtype=np.float32)
    grid = PatchGrid((9, 8, 7), (5, 8, 4), (1, 0, 1))
    np.testing.assert_allclose(getattr(grid, assemble)(grid.split(volume)), volume, rtol=1e-6)


def test_a_patch_is_cut_to_what_fits_every_scan_in_blocks():
    runs = [np.zeros((20, 70, 9, 1)), np.zeros((40, 15, 30, 1))]
    assert fitting_patch((32, 32, 32), runs, 1) == (20, 15, 9)
    assert fitting_patch((32, 32, 32), runs, 4) == (20, 12, 8)
    assert fitting_patch((16, 8, 8), runs, 4) == (16, 8, 8)
    assert fitting_patch((32, 32, 32), runs, 16) == (16, 16, 16)


def test_thin_scans_repeat_their_last_voxels():
    run = np.arange(24, dtype=np.float32).reshape(4, 3, 1, 2)
    thick = thickened(run, 4)
    assert thick.shape == (4, 4, 4, 2)
    np.testing.assert_array_equal(thick[:, :3, 0], run[:, :, 0])
    np.testing.assert_array_equal(thick[:, 3, 3], run[:, 2, 0])
    assert thickened(run, 1) is run
