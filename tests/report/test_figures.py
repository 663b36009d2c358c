"""Figures by the limits and data of their axes; the files by their size in pixels."""

import matplotlib.figure
import numpy as np
import pytest
from skimage.io import imread

from keras_mri.imaging import phantoms
from keras_mri.report import figures

ROWS = [
    {"epoch": 1, "seconds": 3.0, "loss": 9.0, "error": 0.04, "val_error": 0.05},
    {"epoch": 2, "seconds": 6.0, "loss": 8.0, "error": 0.03, "val_error": 0.04, "critic_loss": -1.0, "adversarial_loss": 2.0},
    {"epoch": 3, "seconds": 9.0, "loss": 7.0, "error": 0.02, "val_error": 0.03, "critic_loss": -2.0, "adversarial_loss": 3.0},
]
PANELS = {"noisy": np.ones((5, 7, 1), np.float32), "clean": np.eye(5, 7, dtype=np.float32)[..., None]}


def plots(figure):
    """Return the plots of a figure: title → (x label, scales, points by label of the line)."""
    return {
        axis.get_title(): (
            axis.get_xlabel(),
            {axis.get_xscale(), axis.get_yscale()},
            {line.get_label(): list(zip(*line.get_data())) for line in axis.get_lines()},
        )
        for axis in figure.axes
        if not axis.get_images()
    }


def slices(figure):
    """Return the slices of a figure, as (title, image of shape (x, y) with y upwards, limits of the grey scale)."""
    images = [(axis, image) for axis in figure.axes for image in axis.get_images()]
    assert all(image.origin == "lower" for _, image in images)
    return [(axis.get_title(), np.asarray(image.get_array()).T, image.get_clim()) for axis, image in images]


def test_errors_are_drawn_against_time_beside_the_losses_of_both_players():
    assert plots(figures.training_figure(ROWS, PANELS)) == {
        "mean absolute error (network units)": (
            "seconds",
            {"linear"},
            {"training": [(3, 0.04), (6, 0.03), (9, 0.02)], "held out": [(3, 0.05), (6, 0.04), (9, 0.03)]},
        ),
        "weighted sum of losses": ("seconds", {"linear"}, {"total": [(3, 9), (6, 8), (9, 7)]}),
        "critic": ("seconds", {"linear"}, {"critic loss": [(6, -1), (9, -2)]}),
        "generator": ("seconds", {"linear"}, {"adversarial loss": [(6, 2), (9, 3)]}),
    }


def test_an_error_is_drawn_against_the_epoch_with_linear_and_with_logarithmic_axes():
    lines = {"training": [(1, 0.04), (2, 0.03)], "held out": [(1, 0.05), (2, 0.04)]}
    rows = [{name: row[name] for name in ("epoch", "seconds", "error", "val_error")} for row in ROWS[:2]]
    assert plots(figures.training_figure(rows, PANELS, error_names=["mean squared error"], log_log=True)) == {
        "mean squared error": ("epoch", {"linear"}, lines),
        "mean squared error, log-log": ("epoch", {"log"}, lines),
    }


def test_each_stage_has_a_plot_of_its_own():
    rows = [
        {"seconds": float(t), "stage": n, "error": (0.1, 0.5)[n - 1], "val_error": (0.2, 0.6)[n - 1]} for n in (1, 2) for t in (2 * n, 9)
    ]
    drawn = plots(figures.training_figure(rows, PANELS, ("autoencoder", "denoiser")))
    assert [lines for _, _, lines in drawn.values()] == [
        {"training": [(2, 0.1), (9, 0.1)], "held out": [(2, 0.2), (9, 0.2)]},
        {"training": [(4, 0.5), (9, 0.5)], "held out": [(4, 0.6), (9, 0.6)]},
    ]
    assert list(drawn) == ["autoencoder", "denoiser"]


def test_a_training_without_an_epoch_has_a_plot_without_lines():
    assert plots(figures.training_figure([], PANELS)) == {"mean absolute error (network units)": ("seconds", {"linear"}, {})}


def words(figure):
    """Return what stands in the plots without curves, by their titles."""
    return {axis.get_title(): [text.get_text() for text in axis.texts] for axis in figure.axes if not axis.axison and axis.get_title()}


def test_a_single_number_is_written_and_not_drawn():
    figure = figures.training_figure(ROWS[:1], PANELS)
    assert plots(figure)["mean absolute error (network units)"][2] == {}
    assert words(figure)["mean absolute error (network units)"] == ["training 0.0400, held out 0.0500 (one epoch)"]
    # Each player's loss was logged once, after the warm-up: no plot of a dot; nor of a number that is not finite.
    lines = plots(figures.training_figure([*ROWS[:2], {"epoch": 3, "seconds": 9.0, "critic_loss": float("nan"), "error": 0.02}], PANELS))
    assert list(lines) == ["mean absolute error (network units)", "weighted sum of losses"]


def test_a_number_beside_a_curve_is_written_in_its_legend():
    rows = [{"epoch": n, "seconds": float(n), "error": 0.1 * n, **({"val_error": 0.5} if n == 2 else {})} for n in (1, 2)]
    (axis,) = (axis for axis in figures.training_figure(rows, PANELS).axes if axis.get_lines())
    assert [line.get_label() for line in axis.get_lines()] == ["training"]
    assert axis.get_legend().get_title().get_text() == "held out 0.500 (one epoch)"


def test_with_an_affine_slices_are_upright_with_letters_and_voxels_have_their_sides():
    """Voxel axes run to the back, to the left and upwards, with sides of 2, 1 and 4 mm."""
    affine = np.array([[0, -1.0, 0, 0], [-2.0, 0, 0, 0], [0, 0, 4.0, 0], [0, 0, 0, 1]])
    head = np.arange(6 * 10 * 5, dtype=np.float32).reshape(6, 10, 5)
    figure = matplotlib.figure.Figure()
    figures.draw_panels(figure, {"head": head}, affine)
    axial, coronal = figure.axes
    # To the right is the right of the body, upwards its front: both run against their voxel axes.
    (_, view, _), (_, below, _) = slices(figure)
    np.testing.assert_array_equal(view, head[::-1, ::-1, 2].T)
    np.testing.assert_array_equal(below, head[3, ::-1, :])
    assert [text.get_text() for text in axial.texts] == ["L", "R", "A", "P"]
    assert [text.get_text() for text in coronal.texts] == ["L", "R", "S", "I"]
    assert [tuple(axis.images[0].get_extent()) for axis in figure.axes] == [(0, 10, 0, 12), (0, 10, 0, 20)]
    for axis in figure.axes:
        # White letters with a dark outline, beside the slice and within the picture.
        for text in axis.texts:
            x, y = text.get_position()
            left, right, low, high = axis.images[0].get_extent()
            assert text.get_color() == "white" and text.get_path_effects()
            assert not (left <= x <= right and low <= y <= high)
            assert axis.get_xlim()[0] < x < axis.get_xlim()[1] and axis.get_ylim()[0] < y < axis.get_ylim()[1]


def test_a_slice_of_another_plane_is_drawn_in_that_plane():
    figure = matplotlib.figure.Figure()
    volume = np.arange(63, dtype=np.float32).reshape(1, 9, 7)
    figures.draw_panels(figure, {"sagittal": volume}, np.diag([2.0, 2.0, 3.0, 1.0]))
    assert len(slices(figure)) == 1
    np.testing.assert_array_equal(slices(figure)[0][1], volume[0])
    assert [text.get_text() for text in figure.axes[0].texts] == ["P", "A", "S", "I"]
    table = figures.examples_figure([{"noisy": volume, "clean": volume}], np.diag([2.0, 2.0, 3.0, 1.0]))
    np.testing.assert_array_equal(slices(table)[1][1], volume[0])
    sheet = figures.contact_sheet([np.ones((4, 5, 6), np.float32)], np.eye(4))
    assert [text.get_text() for text in sheet.axes[0].texts] == ["L", "R", "A", "P"]


def test_the_volumes_of_a_training_are_shown_by_their_middle_slices():
    head, _ = phantoms.head((24, 20, 9))
    drawn = slices(figures.training_figure(ROWS, {"noisy": head + 50, "clean": head}))
    assert [title for title, _, _ in drawn] == ["noisy", "clean", "", ""]
    for (_, view, _), expected in zip(drawn, (head[:, :, 4] + 50, head[:, :, 4], head[:, 10] + 50, head[:, 10])):
        np.testing.assert_array_equal(view, expected)


def test_panels_share_the_grey_scale_of_the_last_one():
    head, _ = phantoms.head((12, 10, 8))
    figure = matplotlib.figure.Figure()
    figures.draw_panels(figure, {"noisy": 5 * head, "clean": head})
    assert {limits for _, _, limits in slices(figure)} == {(0.0, float(np.percentile(head, 99.8)))}


def test_a_single_slice_is_not_shown_from_the_side():
    figure = matplotlib.figure.Figure()
    figures.draw_panels(figure, PANELS)
    drawn = slices(figure)
    assert len(drawn) == 2
    for (title, view, _), (name, volume) in zip(drawn, PANELS.items()):
        assert title == name
        np.testing.assert_array_equal(view, volume[..., 0])


def test_examples_are_a_table_of_slices_on_the_grey_scale_of_the_last_column():
    head, _ = phantoms.head((24, 20, 9))
    examples = [{"noisy": head[..., k] + 50, "clean": head[..., k] - 1} for k in (3, 5)]
    drawn = slices(figures.examples_figure(examples))
    assert [title for title, _, _ in drawn] == ["noisy", "clean"] * 2
    for (_, view, limits), (expected, last) in zip(drawn, [(view, row["clean"]) for row in examples for view in row.values()]):
        np.testing.assert_array_equal(view, expected)
        assert limits == (-1.0, float(last.max()))


@pytest.mark.parametrize(("count", "cells"), [(1, 1), (5, 6)])
def test_a_contact_sheet_shows_the_middle_slice_of_every_volume_on_one_grey_scale(rng, count, cells):
    volumes = [rng.random((9, 8, 7), dtype=np.float32) for _ in range(count)]
    figure = figures.contact_sheet(volumes)
    drawn = slices(figure)
    assert len(figure.axes) == cells and not any(axis.axison for axis in figure.axes)
    assert [title for title, _, _ in drawn] == [str(number) for number in range(1, count + 1)]
    for (_, view, limits), volume in zip(drawn, volumes):
        np.testing.assert_array_equal(view, volume[:, :, 3])
        assert limits == pytest.approx(np.percentile(np.stack(volumes)[..., 3], (0.2, 99.8)), rel=1e-6)


def test_figures_are_saved_as_pictures_of_their_size(tmp_path):
    volumes = list(np.random.default_rng(0).random((5, 9, 8, 7), dtype=np.float32))
    figures.save_training(tmp_path / "training.png", ROWS, {"noisy": volumes[0], "clean": volumes[1]}, error_names=["error"], log_log=True)
    figures.save_examples(tmp_path / "examples.png", [{"noisy": volume[0], "clean": volume[1]} for volume in volumes])
    figures.save_contact_sheet(tmp_path / "sheet.png", volumes)
    # 100 pixels to the inch: a figure is 12 inches wide, an example 3.2 and one of three columns 4.
    assert imread(tmp_path / "training.png").shape[1] == 1200
    assert imread(tmp_path / "examples.png").shape[:2] == (1600, 640)
    assert imread(tmp_path / "sheet.png").shape[:2] == (800, 1200)
