"""Repetitions brought together: what is refused, what is mended, what stays as it was measured."""

import dataclasses
import logging
import re

import numpy as np
import pytest
from scipy.ndimage import affine_transform

from keras_mri.errors import GridMismatchError, InputError
from keras_mri.imaging import phantoms
from keras_mri.imaging.noise import add_gaussian_noise
from keras_mri.imaging.rigid import RigidTransform, resample_rigid
from keras_mri.io.volumes import Volume
from keras_mri.systems.n2a.repetitions import align_repetitions

SHAPE = (40, 44, 36)
# Voxels of motion that are left alone.
ABOVE = 0.2


@pytest.fixture(scope="module")
def clean():
    return phantoms.head(SHAPE, seed=1)[0]


@pytest.fixture
def mask_path(write_nifti):
    return str(write_nifti(phantoms.head(SHAPE, seed=1)[1].astype(np.uint8), "mask.nii.gz"))


def repetition(data, seed, affine, name=None, sigma=30):
    return Volume.from_array(add_gaussian_noise(data, sigma, np.random.default_rng(seed)), affine, name=name or f"rep{seed}")


def test_repetitions_in_place_are_not_touched(clean, affine, mask_path):
    first, second = repetition(clean, 1, affine), repetition(clean, 2, affine)
    scan = align_repetitions([first, second], ABOVE, mask=mask_path)
    np.testing.assert_array_equal(scan.data[0, ..., 0], first.data)
    # Only the gain, close to one, is matched: no interpolation.
    ratio = scan.data[1, ..., 0] / second.data
    np.testing.assert_allclose(ratio, ratio.flat[0], rtol=1e-4)
    assert abs(ratio.flat[0] - 1) < 0.005
    assert scan.reference is first and not scan.estimated
    np.testing.assert_allclose(scan.average[..., 0], scan.data[..., 0].mean(axis=0), rtol=1e-6)


def test_a_brighter_repetition_is_matched_inside_the_mask(clean, affine, mask_path, caplog):
    caplog.set_level(logging.INFO, "keras_mri")
    first, second = repetition(clean, 1, affine), repetition(1.1 * clean, 2, affine)
    scan = align_repetitions([first, second], None, mask=mask_path)
    means = scan.data[:, scan.mask].mean(axis=(1, 2))
    assert means[1] == pytest.approx(means[0], rel=1e-4)
    assert "rep2 is 10.0 % brighter than the first; matched" in caplog.text


def test_mean_and_spread_are_matched_when_asked_for(clean, affine, mask_path):
    first, second = repetition(clean, 1, affine), repetition(0.7 * clean + 200, 2, affine)
    scan = align_repetitions([first, second], None, mask=mask_path, match="mean and SD")
    inside = scan.data[:, scan.mask]
    assert inside[1].mean() == pytest.approx(inside[0].mean(), rel=1e-4)
    assert inside[1].std() == pytest.approx(inside[0].std(), rel=1e-4)


def test_a_moved_repetition_is_brought_back(clean, affine, mask_path, caplog):
    caplog.set_level(logging.INFO, "keras_mri")
    moved = affine_transform(clean, np.eye(3), offset=(1.5, -0.8, 0.6), order=3, mode="nearest")
    first, second = repetition(clean, 1, affine, sigma=5), repetition(moved, 2, affine, sigma=5)
    scan = align_repetitions([first, second], ABOVE, mask=mask_path)
    left = align_repetitions([first, second], None, mask=mask_path)
    inside = scan.mask
    error = np.abs(scan.data[1, ..., 0] - clean)[inside].mean()
    assert error < 0.35 * np.abs(left.data[1, ..., 0] - clean)[inside].mean()
    assert "corrected" in caplog.text and "rep2 against the first: shift" in caplog.text


def test_a_shift_below_the_threshold_is_left_alone(clean, affine, mask_path, caplog):
    caplog.set_level(logging.INFO, "keras_mri")
    moved = affine_transform(clean, np.eye(3), offset=(0.5, 0, 0), order=3, mode="nearest")
    first, second = repetition(clean, 1, affine), repetition(moved, 2, affine)
    scan = align_repetitions([first, second], 1.0, mask=mask_path)
    ratio = scan.data[1, ..., 0] / second.data
    np.testing.assert_allclose(ratio, ratio.flat[0], rtol=1e-4)
    assert "left alone" in caplog.text


def test_the_volumes_of_one_image_are_repetitions(clean, affine, mask_path):
    run = np.stack([repetition(clean, seed, affine).data for seed in range(3)], axis=-1)
    scan = align_repetitions([Volume.from_array(run, affine)], None, mask=mask_path)
    assert scan.data.shape == (3, *SHAPE, 1)
    assert scan.reference.shape == SHAPE


def test_runs_of_equal_length_are_repetitions_frame_by_frame(clean, affine, mask_path):
    runs = [np.stack([repetition(gain * clean, [seed, k], affine).data for k, gain in enumerate((1, 0.6))], axis=-1) for seed in (1, 2)]
    scan = align_repetitions([Volume.from_array(run, affine) for run in runs], ABOVE, mask=mask_path)
    assert scan.data.shape == (2, *SHAPE, 2)
    assert scan.reference.shape == (*SHAPE, 2)


def test_without_a_mask_one_is_estimated(clean, affine):
    scan = align_repetitions([repetition(clean, 1, affine), repetition(clean, 2, affine)], None)
    assert scan.estimated and 0.2 < scan.mask.mean() < 0.8


def test_one_repetition_is_refused(clean, affine):
    volume = repetition(clean, 1, affine, "t1.nii.gz")
    with pytest.raises(
        InputError, match=r"two or more repetitions of a scan. Received: one, t1.nii.gz of shape \(40, 44, 36\).*predict t1w.*train wgan"
    ):
        align_repetitions([volume], ABOVE)
    with pytest.raises(InputError, match="two or more repetitions of a scan. Received: one image, t1.nii.gz, with `repetitions` images"):
        align_repetitions([volume], ABOVE, repetitions="images")


def test_volumes_of_two_images_are_refused(clean, affine):
    with pytest.raises(InputError, match="`repetitions` volumes takes one 4D image. Received: 2 images"):
        align_repetitions([repetition(clean, 1, affine), repetition(clean, 2, affine)], ABOVE, repetitions="volumes")


def test_different_grids_are_refused_with_both_printed(clean, affine):
    other = Volume.from_array(clean[:-1], affine, name="rep2.nii.gz")
    with pytest.raises(
        GridMismatchError, match=r"(?s)repetitions must lie on one grid.*rep1  shape \(40, 44, 36\).*rep2.nii.gz  shape \(39,"
    ):
        align_repetitions([repetition(clean, 1, affine), other], ABOVE)


def test_different_lengths_are_refused(clean, affine):
    runs = [Volume.from_array(np.repeat(clean[..., None], count, axis=-1), affine, name=f"run{count}") for count in (2, 3)]
    with pytest.raises(InputError, match="as many frames as one another. Received: run2 with 2, run3 with 3"):
        align_repetitions(runs, ABOVE)


@pytest.mark.parametrize(("gain", "offset"), [(1.0, 0.0), (1.37, 0.0), (0.9, 50.0)])
def test_a_copy_is_refused(clean, affine, mask_path, gain, offset):
    first = repetition(clean, 1, affine, "rep1.nii.gz")
    copy = Volume.from_array(gain * first.data + offset, affine, name="copy.nii.gz")
    with pytest.raises(InputError, match="copy.nii.gz is a copy of rep1.nii.gz.*no independent noise"):
        align_repetitions([first, copy], ABOVE, mask=mask_path)


def test_a_frame_that_is_a_copy_is_refused_by_number(clean, affine, mask_path):
    runs = [np.stack([repetition(clean, seed, affine).data for seed in seeds], axis=-1) for seeds in ((1, 2), (3, 2))]
    with pytest.raises(InputError, match="run1, frame 1, is a copy of run0"):
        align_repetitions([Volume.from_array(run, affine, name=f"run{k}") for k, run in enumerate(runs)], None, mask=mask_path)


def test_each_frame_is_matched_by_itself(clean, affine, mask_path):
    gains = ((1.0, 0.5), (1.1, 0.45))
    runs = [np.stack([repetition(g * clean, [k, t], affine).data for t, g in enumerate(pair)], axis=-1) for k, pair in enumerate(gains)]
    scan = align_repetitions([Volume.from_array(run, affine) for run in runs], None, mask=mask_path)
    means = scan.data[:, scan.mask].mean(axis=1)
    np.testing.assert_allclose(means[1], means[0], rtol=1e-4)


def test_splines_do_not_make_magnitudes_negative_and_beyond_the_other_scan_the_first_one_stays(clean, affine, mask_path):
    moved = affine_transform(clean, np.eye(3), offset=(2.5, 0, 0), order=1, mode="nearest")
    volumes = [Volume.from_array(np.abs(repetition(data, seed, affine, sigma=5).data), affine) for seed, data in enumerate((clean, moved))]
    scan = align_repetitions(volumes, ABOVE, mask=mask_path)
    assert scan.magnitude and scan.data.min() >= 0
    # Shifted by 2.5 voxels, the moving scan does not hold the first two planes.
    ratio = scan.data[1, :2, ..., 0] / np.maximum(volumes[0].data[:2], 1e-3)
    np.testing.assert_allclose(ratio[volumes[0].data[:2] > 1], 1, atol=0.02)


def test_images_of_different_things_are_refused(clean, affine, mask_path):
    other = np.ascontiguousarray(np.random.default_rng(5).permuted(clean.ravel()).reshape(SHAPE))
    with pytest.raises(InputError, match="does not show what the first repetition shows.*correlation in the mask"):
        align_repetitions([repetition(clean, 1, affine), repetition(other, 2, affine)], ABOVE, mask=mask_path)


def test_motion_that_is_not_rigid_is_reported(affine, write_nifti, caplog):
    # Texture, so that a local motion can be seen at all.
    rng = np.random.default_rng(0)
    from scipy.ndimage import gaussian_filter, map_coordinates

    scene = 500 + 3000 * gaussian_filter(rng.standard_normal((56, 56, 48)), 2)
    grid = np.indices(scene.shape).astype(float)
    grid[0] += 2.5 * np.sin(2 * np.pi * grid[1] / 40)
    warped = map_coordinates(scene, grid, order=3, mode="nearest")
    mask = np.zeros(scene.shape, np.uint8)
    mask[4:-4, 4:-4, 4:-4] = 1
    images = [repetition(scene.astype(np.float32), 1, affine, sigma=5), repetition(warped.astype(np.float32), 2, affine, sigma=5)]
    align_repetitions(images, ABOVE, mask=str(write_nifti(mask, "mask.nii.gz")))
    assert "still displaced by" in caplog.text and "no rigid motion can correct" in caplog.text


def test_dark_images_are_refused(affine, mask_path, clean):
    with pytest.raises(InputError, match="has a mean of .* inside the mask. Expected magnitude data"):
        align_repetitions([repetition(-clean, 1, affine), repetition(-clean, 2, affine)], ABOVE, mask=mask_path)


def test_the_options_are_those_of_training_and_of_prediction():
    from keras_mri.systems.n2a.settings import Config, PredictConfig

    shared = {"mask", "repetitions", "align", "align_above"}
    for kind in (Config, PredictConfig):
        assert shared <= {field.name for field in dataclasses.fields(kind)}


def test_turned_frames_with_gradients_are_remarked_on(clean, affine, mask_path, tmp_path, caplog):
    """The second run is turned by two degrees: as its vectors are, they do not hold for frames that were turned back."""
    turned = resample_rigid(
        clean, RigidTransform(rotation=(0.0, 0.0, 2.0), centre=tuple(affine[:3, :3] @ [20, 22, 18] + affine[:3, 3])), affine
    )
    runs = []
    for number, data in enumerate((clean, turned)):
        (tmp_path / f"rep{number}.bval").write_text("1000\n")
        (tmp_path / f"rep{number}.bvec").write_text("1\n0\n0\n")
        run = repetition(data, number, affine, sigma=10).data[..., None]
        runs.append(Volume.from_array(run, affine, name=tmp_path / f"rep{number}.nii.gz"))
        runs[-1].file = tmp_path / f"rep{number}.nii.gz"
    align_repetitions(runs, ABOVE, mask=mask_path)
    degrees = re.search(r"warning: rep1.nii.gz: frames were rotated by up to (\S+) degrees onto .* goes with rep0.bvec", caplog.text)
    assert float(degrees[1]) == pytest.approx(2.0, abs=0.15)
