"""Oracles: the mean of whole voxels, a line's own values, the normal distribution's FWHM, k-space and splines of other code."""

import numpy as np
import pytest
from scipy import interpolate

from keras_mri.errors import InputError
from keras_mri.imaging.acquisition.slice_profiles import distance_to_slices, interpolation_matrix, kept, profile_matrix
from keras_mri.imaging.kspace import resampled

# n_fine, n_thick, thickness in spacings: whole and broken ratios, gaps and overlap.
GRIDS = [(24, 6, 1.0), (23, 7, 1.0), (30, 8, 0.7), (24, 6, 0.5), (15, 10, 1.0)]
OVERLAPPING = (40, 10, 1.4)


def matrix(n_fine, n_thick, share, profile, fine=0.9):
    spacing = n_fine * fine / n_thick
    return profile_matrix(n_fine, n_thick, fine, spacing, share * spacing, profile)


def centres(n_fine, n_thick):
    """Of slices, as indices of fine voxels."""
    return (np.arange(n_thick) + 0.5) * n_fine / n_thick - 0.5


@pytest.mark.parametrize("profile", ["box", "gaussian", "kspace"])
@pytest.mark.parametrize("grid", [*GRIDS, OVERLAPPING])
def test_a_constant_comes_through_any_profile(grid, profile):
    rows = matrix(*grid, profile)
    assert rows.shape == (grid[1], grid[0]) and rows.dtype == np.float64
    np.testing.assert_allclose(rows.sum(axis=1), 1, atol=1e-12)
    assert profile == "kspace" or rows.min() >= 0


@pytest.mark.parametrize("profile", ["box", "gaussian"])
@pytest.mark.parametrize("grid", GRIDS)
def test_a_straight_line_is_measured_at_the_centres_of_the_slices(grid, profile):
    np.testing.assert_allclose(matrix(*grid, profile) @ np.arange(grid[0]), centres(*grid[:2]), atol=1e-9)


@pytest.mark.parametrize("profile", ["box", "gaussian"])
def test_only_the_outermost_of_overlapping_slices_are_moved_inwards(profile):
    rows = matrix(*OVERLAPPING, profile)
    apart = rows @ np.arange(OVERLAPPING[0]) - centres(*OVERLAPPING[:2])
    np.testing.assert_allclose(apart[2:-2], 0, atol=1e-9)
    assert 1 > apart[0] > -1e-9 and apart[0] == pytest.approx(-apart[-1], abs=1e-9)


def test_a_box_of_whole_voxels_is_their_mean(rng):
    fine = rng.normal(size=(5, 24))
    np.testing.assert_allclose(fine @ matrix(24, 6, 1.0, "box").T, fine.reshape(5, 6, 4).mean(axis=-1), atol=1e-12)
    # Half as thick: the two voxels in the middle of four.
    np.testing.assert_allclose(fine @ matrix(24, 6, 0.5, "box").T, fine.reshape(5, 6, 4)[..., 1:3].mean(axis=-1), atol=1e-12)
    # Twice as thick: two voxels of each neighbour as well.
    np.testing.assert_allclose(matrix(24, 6, 2.0, "box")[2], np.r_[np.zeros(6), np.full(8, 1 / 8), np.zeros(10)], atol=1e-12)


@pytest.mark.parametrize("share", [0.6, 1.0, 1.4])
def test_a_gaussian_has_half_its_height_half_a_thickness_from_its_centre(share):
    n_fine, n_thick = 4020, 10
    row = matrix(n_fine, n_thick, share, "gaussian")[5]
    place = np.arange(n_fine) - centres(n_fine, n_thick)[5]
    above = place[row > row.max() / 2]
    assert above[-1] - above[0] == pytest.approx(share * n_fine / n_thick, abs=2)
    # In the unit of the spacing: the SD of a normal distribution of this FWHM.
    assert np.sqrt(row @ place**2) * n_thick / n_fine == pytest.approx(share / 2.354820045, rel=0.03)


@pytest.mark.parametrize(("n_fine", "n_thick"), [(24, 12), (24, 9), (27, 16), (25, 15)])
def test_kspace_is_the_truncation_that_simulates_coarse_scans(n_fine, n_thick, rng):
    fine = rng.normal(size=(3, 2, n_fine)).astype(np.float32)
    expected = resampled(fine, (3, 2, n_thick))
    np.testing.assert_allclose(fine @ matrix(n_fine, n_thick, 1.0, "kspace").T, expected, atol=1e-5)


@pytest.mark.parametrize(("n_fine", "n_thick"), [(24, 6), (23, 7), (15, 10), (12, 2), (5, 1)])
def test_interpolation_is_the_cubic_spline_of_slices_whose_last_is_repeated(n_fine, n_thick, rng):
    rows = interpolation_matrix(n_fine, n_thick)
    np.testing.assert_allclose(rows.sum(axis=1), 1, atol=1e-9)
    slices = rng.normal(size=n_thick)
    places, long = np.arange(-30, n_thick + 30), np.r_[np.full(30, slices[0]), slices, np.full(30, slices[-1])]
    spline = interpolate.CubicSpline(places, long)((np.arange(n_fine) + 0.5) * n_thick / n_fine - 0.5)
    np.testing.assert_allclose(rows @ slices, spline, atol=1e-6)


def test_distances_are_those_of_the_nearest_slice():
    np.testing.assert_allclose(distance_to_slices(9, 3), [1, 0, 1] * 3, atol=1e-6)
    np.testing.assert_allclose(distance_to_slices(8, 2), [1.5, 0.5, 0.5, 1.5] * 2, atol=1e-6)
    # Slices at 0.75, 2.25 … of voxels at 0.5, 1.5, 2.5.
    np.testing.assert_allclose(distance_to_slices(6, 4), [0.25, 0.75, 0.25] * 2, atol=1e-6)
    found = distance_to_slices(31, 7)
    np.testing.assert_allclose(found, found[::-1], atol=1e-5)
    assert found.dtype == np.float32


@pytest.mark.parametrize("profile", ["box", "gaussian", "kspace"])
@pytest.mark.parametrize("grid", [*GRIDS, OVERLAPPING])
def test_what_was_measured_is_kept(grid, profile, rng):
    rows = matrix(*grid, profile)
    result, measured = (rng.normal(size=(4, 3, side)).astype(np.float32) for side in grid[:2])
    found = kept(result, measured, rows)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found @ rows.T, measured, atol=2e-4)
    # The change is a combination of the slices' profiles: nothing that no slice has seen is touched.
    unseen = np.linalg.svd(rows)[2][grid[1] :]
    np.testing.assert_allclose((found - result) @ unseen.T, 0, atol=1e-4)


def test_an_image_that_agrees_with_the_slices_stays_as_it_is(rng):
    rows = matrix(23, 7, 1.0, "gaussian")
    result = rng.normal(size=(4, 3, 23)).astype(np.float32)
    np.testing.assert_allclose(kept(result, result @ rows.T, rows), result, atol=1e-5)


@pytest.mark.parametrize("profile", ["box", "gaussian", "kspace"])
def test_a_difference_of_the_tolerance_stays(profile, rng):
    rows = matrix(24, 6, 1.0, profile)
    result, measured = (rng.normal(size=(40, 30, side)).astype(np.float32) for side in (24, 6))
    inside = np.zeros(measured.shape, bool)
    inside[:20] = True
    exact = kept(result, measured, rows)
    for where, seen in ((slice(None), None), (slice(20), inside)):
        found = kept(result, measured, rows, 0.2, seen)
        assert np.sqrt(np.mean((found @ rows.T - measured)[where] ** 2)) == pytest.approx(0.2, rel=1e-3)
        # Less is changed than for exact agreement.
        assert np.linalg.norm(found - result) < np.linalg.norm(exact - result)
    np.testing.assert_array_equal(kept(result, measured, rows, 9.0), result)
    np.testing.assert_allclose(kept(result, measured, rows, 1e-9), exact, atol=1e-3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((24, 6, 1, 4, 4, "cosine"), "`profile` must be one of box, gaussian, kspace. Received: 'cosine'"),
        ((24, 6, 1, 4, 0, "box"), "must be above 0 mm. Received: `thickness` 0"),
        ((25, 6, 1, 4, 4, "box"), "must be one field of view. Received: 25 and 24 mm"),
    ],
)
def test_what_makes_no_slices_is_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        profile_matrix(*arguments)
