"""The drawing against a phantom with a bright block at a known place of the body, and against NumPy."""

import io
import re

import nibabel
import numpy as np
import PIL.Image
import pytest

import keras_mri
from keras_mri.imaging import phantoms
from keras_mri.report.before_after import before_after_figure

SHAPE = (20, 24, 16)
PLANES = {"axial": (0, 1), "coronal": (0, 2), "sagittal": (1, 2)}


def affine_of(codes, zooms=(2.0, 2.5, 3.0), angle=0.0):
    """Return an affine whose voxel axes run towards these sides, turned by an angle about each axis, the body's centre in its middle."""
    from scipy.spatial.transform import Rotation

    axes = np.zeros((3, 3))
    for column, code in enumerate(codes):
        row = "RLAPSI".index(code) // 2
        axes[row, column] = 1 if code in "RAS" else -1
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", [angle, -angle, angle]).as_matrix() @ axes * zooms
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(SHAPE) - 1) / 2) + (5.0, -7.0, 11.0)
    return affine


def places_of(affine, shape=SHAPE):
    """Return the RAS+ millimetres of every voxel: ndarray of float64, shape (*shape, 3)."""
    return nibabel.affines.apply_affine(affine, np.moveaxis(np.indices(shape), 0, -1))


def block_at(affine, corner, shape=SHAPE):
    """Return a dim volume with a bright block around a place of the body, mm."""
    near = (np.abs(places_of(affine, shape) - corner) < 5.0).all(axis=-1)
    assert near.sum() >= 4
    return keras_mri.Volume.from_array(np.where(near, 900.0, 100.0) + np.indices(shape).sum(axis=0), affine)


def axes_of(figure, column):
    return {plane: next(axis for axis in figure.axes if axis.get_label() == f"{plane} {column}") for plane in PLANES}


def brightest(axis):
    """Return the centre of what is bright on some axes, in their own millimetres."""
    (image,) = axis.get_images()
    data, (left, right, low, high) = np.asarray(image.get_array()), image.get_extent()
    rows, columns = np.nonzero(data > 500)
    assert image.origin == "lower" and len(rows)
    return left + (columns.mean() + 0.5) / data.shape[1] * (right - left), low + (rows.mean() + 0.5) / data.shape[0] * (high - low)


def letters(axis):
    return {text.get_text(): np.array(text.get_position()) for text in axis.texts}


@pytest.mark.parametrize("corner", [(-5.0, -17.0, 1.0), (-5.0, 3.0, 21.0), (15.0, -17.0, 21.0), (15.0, 3.0, 1.0)])
@pytest.mark.parametrize(("codes", "angle"), [*((code, 0.0) for code in ("RAS", "LPS", "PIR", "LAS", "ASR")), ("LPS", 0.25), ("IRP", -0.2)])
def test_a_block_in_a_corner_of_the_body_lies_beside_the_letters_of_its_sides(codes, angle, corner):
    affine = affine_of(codes, angle=angle)
    volume = block_at(affine, corner)
    figure = before_after_figure(volume, volume, where=corner)
    sides = ["LR"[corner[0] > 5], "PA"[corner[1] > -7], "IS"[corner[2] > 11]]
    for plane, axis in axes_of(figure, 0).items():
        place, beside = brightest(axis), letters(axis)
        for dimension, world in enumerate(PLANES[plane]):
            opposite = {"L": "R", "R": "L", "A": "P", "P": "A", "S": "I", "I": "S"}[sides[world]]
            near, far = (abs(place[dimension] - beside[letter][dimension]) for letter in (sides[world], opposite))
            assert near < far, (plane, sides[world])
    # The left of the body is on the left, whatever the order of the voxels.
    axial = letters(axes_of(figure, 0)["axial"])
    assert axial["L"][0] < axial["R"][0] and axial["P"][1] < axial["A"][1]
    assert "neurological: the left of the body is on the left" in "\n".join(text.get_text() for text in figure.texts)


@pytest.mark.parametrize("codes", ["RAS", "LPS", "PIR"])
def test_places_are_millimetres_of_the_body_from_the_cut(codes):
    affine = affine_of(codes)
    volume, where = block_at(affine, (12.0, -20.0, 2.0)), np.array([9.0, -16.0, 4.0])
    bright = places_of(affine)[volume.data > 500].mean(axis=0)
    for plane, axis in axes_of(before_after_figure(volume, volume, where=where), 1).items():
        expected = [bright[world] - where[world] for world in PLANES[plane]]
        assert brightest(axis) == pytest.approx(expected, abs=1e-3)


def test_one_inch_is_as_many_millimetres_along_all_axes_of_all_slices():
    volume = block_at(affine_of("PIR", zooms=(1.0, 2.0, 6.0)), (9.0, -7.0, 11.0))
    figure = before_after_figure(volume, volume)
    scales = []
    for axis in figure.axes:
        box = axis.get_position().size * figure.get_size_inches()
        scales += [np.ptp(axis.get_xlim()) / box[0], np.ptp(axis.get_ylim()) / box[1]]
        assert axis.get_aspect() == 1
    assert len(figure.axes) == 9 and scales == pytest.approx([scales[0]] * 18, rel=1e-6)
    # P I R of 1, 2 and 6 mm: along R 16 voxels of 6 mm, along A 20 of 1 mm, along S 24 of 2 mm.
    extents = {plane: axis.get_images()[0].get_extent() for plane, axis in axes_of(figure, 0).items()}
    sizes = {plane: (right - left, high - low) for plane, (left, right, low, high) in extents.items()}
    assert sizes["axial"] == pytest.approx((96, 20)) and sizes["sagittal"] == pytest.approx((20, 48))


@pytest.fixture
def pair(affine, rng):
    head, _ = phantoms.head((24, 20, 16))
    noisy = head[..., None] + rng.normal(0, 20, (*head.shape, 3))
    return [keras_mri.Volume.from_array(data, affine, name=name) for name, data in (("noisy", noisy), ("head", noisy * 0.9 + 7))]


def test_what_was_removed_is_before_minus_after_with_its_sd_over_the_foreground(pair):
    before, after = pair
    figure = before_after_figure(before, after, frame=2, where=(4, 15, 9), unit="voxel")
    frame = before.data[..., 2].astype(np.float64)
    removed = frame - after.data[..., 2]
    expected = removed[frame > 0.2 * np.percentile(frame[frame != 0], 95)].std()
    titles = [text.get_text() for text in figure.texts if "black to white" in text.get_text()]
    assert float(re.search(r"SD ([\d.]+)", titles[2])[1]) == pytest.approx(expected, rel=2e-3)
    (image,) = axes_of(figure, 2)["axial"].get_images()
    low, high = image.get_clim()
    # The default affine of phantoms runs to the left, forwards and upwards.
    np.testing.assert_array_equal(image.get_array(), removed[::-1, :, 9].T)
    assert low == -high
    greys = [axes_of(figure, column)["axial"].get_images()[0].get_clim() for column in (0, 1)]
    assert greys[0] == greys[1] and f"to {greys[0][1]:,.0f}" in titles[0].replace("−", "-")
    assert any("frame 2 of 3" in text.get_text() for text in figure.texts)


def test_without_a_frame_the_middle_one_is_drawn_and_a_volume_beside_any_frame(pair, affine):
    before, after = pair
    drawn = np.asarray(axes_of(before_after_figure(before, after), 0)["axial"].get_images()[0].get_array())
    middle = np.asarray(axes_of(before_after_figure(before, after, frame=1), 0)["axial"].get_images()[0].get_array())
    np.testing.assert_array_equal(drawn, middle)
    volume = keras_mri.Volume.from_array(before.frame(2), affine)
    beside = before_after_figure(before, volume, frame=2)
    assert not np.asarray(axes_of(beside, 2)["axial"].get_images()[0].get_array()).any()
    assert any("SD 0\n" in text.get_text() for text in beside.texts)


def test_voxels_of_before_name_the_same_place_as_millimetres(pair, affine):
    before, after = pair
    voxel = np.array([4, 15, 9])
    by_voxel, by_place = (
        before_after_figure(before, after, where=where, unit=unit)
        for where, unit in ((voxel, "voxel"), (nibabel.affines.apply_affine(affine, voxel), "mm"))
    )
    for first, second in zip(by_voxel.axes, by_place.axes):
        np.testing.assert_array_equal(first.get_images()[0].get_array(), second.get_images()[0].get_array())
    np.testing.assert_array_equal(axes_of(by_voxel, 0)["axial"].get_images()[0].get_array(), before.frame(1)[::-1, :, 9].T)


def test_scans_on_different_grids_lie_side_by_side_in_millimetres_without_a_difference():
    corner = (10.0, -16.0, 20.0)
    thick_affine = affine_of("LPS", zooms=(2.0, 2.0, 6.0))
    fine_affine = thick_affine @ np.diag([0.5, 0.5, 0.25, 1.0])
    fine_affine[:3, 3] += thick_affine[:3, :3] @ (-0.25, -0.25, -0.375)
    thick, fine = block_at(thick_affine, corner, (20, 24, 16)), block_at(fine_affine, corner, (40, 48, 64))
    figure = before_after_figure(thick, fine, where=(3.0, -4.0, 12.0))
    assert len(figure.axes) == 6
    for plane in PLANES:
        first, second = (axes_of(figure, column)[plane] for column in (0, 1))
        (left, right, low, high), other = first.get_images()[0].get_extent(), second.get_images()[0].get_extent()
        assert (left, right, low, high) == pytest.approx(other)
        assert first.get_xlim() == second.get_xlim() and first.get_ylim() == second.get_ylim()
    assert any("different grids: no difference is drawn" in text.get_text() for text in figure.texts)
    titles = [text.get_text() for text in figure.texts][:2]
    assert "2 × 2 × 6 mm" in titles[0] and "1 × 1 × 1.5 mm" in titles[1]


def test_a_tilt_of_the_voxel_axes_is_said():
    for angle, said in ((0.0, False), (0.3, True)):
        volume = block_at(affine_of("RAS", angle=angle), (5.0, -7.0, 11.0))
        notes = "\n".join(text.get_text() for text in before_after_figure(volume, volume).texts)
        assert ("oblique" in notes) == said
        if said:
            largest = np.degrees(np.arccos(np.abs(volume.affine[:3, :3] / volume.zooms).diagonal().min()))
            assert f"tilted by up to {largest:.0f}°" in notes


@pytest.mark.parametrize(("shape", "planes"), [((12, 10, 1), 1), ((1, 10, 9), 1), ((12, 1, 1), 1), ((12, 10, 2), 3)])
def test_planes_that_are_mere_lines_are_left_out(shape, planes):
    volume = keras_mri.Volume.from_array(np.arange(np.prod(shape), dtype=np.float32).reshape(shape), np.diag([2.0, 2.0, 3.0, 1.0]))
    assert len(before_after_figure(volume, volume).axes) == 3 * planes


def test_a_notebook_gets_a_grey_picture(pair):
    figure = before_after_figure(*pair)
    picture = PIL.Image.open(io.BytesIO(figure._repr_png_()))
    assert picture.mode == "L" and picture.size == pytest.approx(figure.get_size_inches() * figure.dpi, abs=1)
    # The margins are black, the notes black on white, and the middle of the brain is neither.
    assert {0, 255} <= set(np.asarray(picture).ravel().tolist())
