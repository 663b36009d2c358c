import numpy as np
import pytest
from skimage.io import imread

from keras_mri.imaging import phantoms
from keras_mri.report import figures

ROWS = [
    {"epoch": 1, "seconds": 3.0, "l1": 0.04, "val_l1": 0.05},
    {"epoch": 2, "seconds": 6.0, "l1": 0.03, "val_l1": 0.04, "critic_loss": -1.0, "adversarial_loss": 2.0},
    {"epoch": 3, "seconds": 9.0, "l1": 0.02, "val_l1": 0.03, "critic_loss": -2.0, "adversarial_loss": 3.0},
]


def test_a_figure_of_curves_and_panels_is_a_picture_that_is_not_empty(tmp_path):
    head, _ = phantoms.head((24, 20, 9))
    figures.save_training(tmp_path / "figure.png", ROWS, {"noisy": head + 50, "denoised": head, "clean": head})
    picture = imread(tmp_path / "figure.png")
    assert min(picture.shape[:2]) > 400 and len(np.unique(picture[..., 0])) > 100


def test_panels_share_the_grey_scale_of_the_last_one():
    import matplotlib.pyplot as plt

    head, _ = phantoms.head((12, 10, 8))
    figure = plt.figure()
    figures.draw_panels(figure, {"noisy": 5 * head, "clean": head})
    limits = {image.get_clim() for axis in figure.axes for image in axis.get_images()}
    plt.close(figure)
    assert limits == {(0.0, float(np.percentile(head, 99.8)))}


def test_thin_volumes_and_a_training_without_an_epoch_can_be_drawn(tmp_path):
    volume = np.ones((5, 7, 1), np.float32)
    figures.save_training(tmp_path / "figure.png", [], {"noisy": volume, "clean": volume})
    assert (tmp_path / "figure.png").stat().st_size > 1000


def test_squared_errors_are_drawn_against_the_epoch_linear_and_log_log():
    rows = [{"epoch": n, "seconds": 3.0 * n, "mse": 0.1 / n, "val_mse": 0.2 / n} for n in (1, 2)]
    plots = figures._curves(rows)
    assert [(x, scale) for _, x, scale, _ in plots] == [("epoch", "linear"), ("epoch", "log")]
    assert plots[0][3] == plots[1][3] == {"training": [(1, 0.1), (2, 0.05)], "held out": [(1, 0.2), (2, 0.1)]}


def test_other_errors_are_drawn_against_time():
    plots = figures._curves(ROWS)
    assert {(x, scale) for _, x, scale, _ in plots} == {("seconds", "linear")}
    assert plots[0][3]["held out"] == [(3.0, 0.05), (6.0, 0.04), (9.0, 0.03)]
    assert [title for title, *_ in plots][1:] == ["weighted sum of losses", "critic", "generator"]


@pytest.mark.parametrize("count", [2, 5])
def test_examples_are_a_table_of_slices(tmp_path, count):
    head, _ = phantoms.head((24, 20, 9))
    examples = [{"noisy": head[..., k] + 50, "denoised": head[..., k], "clean": head[..., k]} for k in range(3, 3 + count)]
    figures.save_examples(tmp_path / "examples.png", examples)
    height, width = imread(tmp_path / "examples.png").shape[:2]
    # Square cells: `count` rows of three.
    assert height / width == pytest.approx(count / 3, rel=0.01)


def test_a_single_slice_is_not_shown_from_the_side():
    import matplotlib.pyplot as plt

    figure = plt.figure()
    figures.draw_panels(figure, {"noisy": np.ones((8, 6, 1), np.float32), "clean": np.eye(8, 6, dtype=np.float32)[..., None]})
    shapes = [image.get_array().shape for axis in figure.axes for image in axis.get_images()]
    plt.close(figure)
    assert shapes == [(6, 8), (6, 8)]


def test_a_denoiser_has_a_plot_of_its_own():
    rows = [{"seconds": 1.0, "l1": 0.1, "val_l1": 0.2}, {"seconds": 2.0, "denoising": 0.5, "val_denoising": 0.6}]
    plots = {title: lines for title, _, _, lines in figures._curves(rows)}
    assert plots["denoiser: mean squared error"] == {"training": [(2.0, 0.5)], "held out": [(2.0, 0.6)]}


def test_a_contact_sheet_shows_every_volume(tmp_path, rng):
    for count in (1, 5):
        figures.save_contact_sheet(tmp_path / "sheet.png", [rng.random((9, 8, 7)) for _ in range(count)])
        assert imread(tmp_path / "sheet.png").std() > 10
