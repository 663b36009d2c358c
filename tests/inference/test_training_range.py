"""What is said of a scan that differs from those of the training, and that nothing is said otherwise."""

import numpy as np
import pytest

from keras_mri.imaging import phantoms
from keras_mri.inference.training_range import (
    contrast_of,
    differences_from_training,
    facts_of_heads,
    trained_contrast,
    trained_sigma,
    trained_zooms,
)
from keras_mri.io.volumes import Volume

TRAINING = {"zooms": [[3.0, 3.0, 3.3], [2.0, 2.2, 2.0]], "sigma": [0.0, 0.1]}
PERCENTILE = {"scaling": "percentile"}


def scan(zooms=(2.5, 2.5, 3.0), sigma=50.0, frames=12):
    """A head whose brightest tissue is near 1000: σ = 50 is about 0.05 in network units."""
    data = phantoms.head((41, 38, 33))[0]
    data = np.repeat(data[..., None], frames, axis=3) if frames else data
    return phantoms.noisy_volume(data, sigma, model="rician", affine=phantoms.oblique_affine(zooms))


def test_of_a_scan_like_the_others_nothing_is_said():
    assert differences_from_training(scan(), TRAINING, PERCENTILE) == []


@pytest.mark.parametrize("zooms", [(2.0, 2.0, 2.0), (3.0, 3.3, 3.0), (1.9, 2.1, 2.1), (3.2, 3.1, 3.5), (3.3, 2.0, 2.5)])
def test_voxels_within_a_tenth_of_the_trained_ones_are_fine_whatever_the_axis(zooms):
    assert differences_from_training(scan(zooms), TRAINING, PERCENTILE) == []


@pytest.mark.parametrize("zooms", [(1.5, 2.0, 2.0), (3.0, 3.0, 6.0), (0.7, 0.7, 0.7)])
def test_voxels_of_another_size_are_named_with_the_trained_ones(zooms):
    (remark,) = differences_from_training(scan(zooms), TRAINING, PERCENTILE)
    here = " × ".join(f"{side:.3g}" for side in sorted(zooms))
    assert remark == f"its voxels are {here} mm; the network was trained on 2 × 2 × 2.2 to 3 × 3 × 3.3 mm, and is applied all the same"


def test_a_network_of_thick_slices_was_trained_on_the_voxels_that_it_makes():
    slices = {**PERCENTILE, "slices": {"voxel": [0.8, 1.2], "spacing": [1.3, 6.6]}}
    assert differences_from_training(scan((1.0, 1.0, 5.0)), {"zooms": [[1.0, 1.0, 1.0]]}, slices) == []


@pytest.mark.parametrize("config", [PERCENTILE, {"scaling": "minmax"}, {"percentiles": [0.0, 99.9]}])
def test_noise_above_the_trained_range_is_told(config):
    (remark,) = differences_from_training(scan(sigma=300), {**TRAINING, "sigma": [0.0, 0.05]}, config)
    assert "the network was trained on 0 to 0.05: some of it will stay" in remark
    # The number that is shown, against what was drawn; the scale is near 1000 plus two to four SD.
    shown = float(remark.split("an estimated SD of ")[1].split(" ")[0])
    assert 0.07 < shown < 0.25


def test_noise_below_the_trained_range_is_told():
    (remark,) = differences_from_training(scan(sigma=10), {"sigma": [0.06, 0.06]}, {"percentiles": [1.0, 99.0]})
    assert "trained on 0.06: it will be smoothed more than it needs" in remark


def test_averaging_repetitions_lowers_their_noise():
    training = {"sigma": [0.0, 0.1]}
    assert len(differences_from_training(scan(sigma=300), training, PERCENTILE)) == 1
    assert differences_from_training(scan(sigma=300), training, PERCENTILE, averaged=4) == []


def test_a_single_volume_is_judged_too():
    data, _ = phantoms.head((97, 90, 83))
    volume = phantoms.noisy_volume(data, 300.0, model="rician")
    assert len(differences_from_training(volume, {"sigma": [0.0, 0.1]}, PERCENTILE)) == 1


@pytest.mark.parametrize(
    "training",
    [{}, {"zooms": [], "sigma": []}, {"zooms": None}, {"zooms": "large", "sigma": "much"}, {"zooms": [[1, 2]], "sigma": [1, 2, 3]},
     {"zooms": [[1, 2, 3], [4]]}, {"contrast": [0.5]}, {"contrast": "bright"}, {"shows": 7, "contrast": None},
     {"sigma": [float("nan"), 1.0]}, {"zooms": 3, "sigma": 4}],
)  # fmt: skip
def test_a_file_that_tells_nothing_or_nonsense_is_no_reason_to_speak(training):
    assert differences_from_training(scan((9, 9, 9), 400), training, PERCENTILE) == []
    assert len(trained_zooms(training)) == 0 and trained_sigma(training) is None and trained_contrast(training) is None


@pytest.mark.parametrize("config", [{}, {"scaling": "zscore"}, {"scaling": "mask"}])
def test_noise_in_units_that_are_not_a_share_of_the_range_is_left_alone(config):
    assert differences_from_training(scan(sigma=400), {"sigma": [0.0, 0.1]}, config) == []


def test_a_scan_without_foreground_has_no_noise_to_speak_of(affine):
    data = np.zeros((9, 8, 7), np.float32)
    data[0, 0, 0] = 1
    assert differences_from_training(Volume.from_array(data, affine), {"sigma": [0.05, 0.1]}, {"scaling": "minmax"}) == []


def test_sides_are_sorted():
    np.testing.assert_array_equal(trained_zooms(TRAINING), [[3, 3, 3.3], [2, 2, 2.2]])
    assert trained_sigma(TRAINING) == (0.0, 0.1)


def test_a_system_that_knows_its_grid_judges_voxels_by_itself(affine):
    volume = Volume.from_array(np.ones((4, 4, 4)), affine)
    training = {"zooms": [[9, 9, 9]], "sigma": []}
    assert differences_from_training(volume, training, {}) and not differences_from_training(volume, {**training, "grid": {}}, {})


@pytest.mark.parametrize(
    ("name", "trained", "said"),
    [
        ("x/sub-01_task-rest_bold.nii.gz", ["T1w"], "is a bold image by its name; the network was trained on T1w"),
        ("sub-01_dwi.nii.gz", ["bold", "asl"], "is a dwi image by its name; the network was trained on bold, asl"),
        ("sub-01_asl.nii.gz", ["bold", "asl"], None),
        ("t1w.nii.gz", ["T1w"], None),
        ("head.nii.gz", ["T1w"], None),
        ("sub-01_T1w.nii.gz", [], None),
        ("sub-01_T1w.nii.gz", "bold", None),
        ("sub-01_T1w.nii.gz", [3, None], None),
    ],
)
def test_a_scan_of_another_kind_is_told_by_its_name(name, trained, said):
    volume = Volume(scan().frame, scan().shape, scan().affine, None, name)
    assert differences_from_training(volume, {"modalities": trained}, {}) == ([f"{said}, and is applied all the same"] if said else [])


def ball(inside=1000.0, side=64):
    """A ball of 170 mm in air, of one intensity."""
    distance = sum(((np.arange(side) - side / 2) * 3.0).reshape(shape) ** 2 for shape in ((-1, 1, 1), (1, -1, 1), (1, 1, -1)))
    return np.where(distance < 85**2, inside, 0).astype(np.float32)


def test_a_network_of_heads_says_where_there_is_none():
    bottle = phantoms.noisy_volume(ball(), 20, affine=phantoms.oblique_affine((3, 3, 3)), model="rician")
    (remark,) = differences_from_training(bottle, {"shows": "heads"}, {})
    assert remark == (
        "shows no head, as far as can be seen: it is the same everywhere inside; the network was trained on heads, and is applied all "
        "the same"
    )
    # A network that somebody trained on bottles says nothing, and so do the files of earlier releases.
    assert differences_from_training(bottle, {}, {}) == differences_from_training(bottle, {"shows": "bottles"}, {}) == []
    head = phantoms.noisy_volume(phantoms.head((64, 64, 64))[0], 20, affine=phantoms.oblique_affine((3, 3, 3)), model="rician")
    assert differences_from_training(head, {"shows": "heads"}, {}) == []


def test_of_a_run_a_frame_that_is_not_blank_is_looked_at(affine):
    run = np.stack([ball(), np.zeros((64, 64, 64), np.float32), np.zeros((64, 64, 64), np.float32)], axis=-1)
    volume = Volume.from_array(run, np.diag([3.0, 3.0, 3.0, 1.0]))
    assert len(differences_from_training(volume, {"shows": "heads"}, {})) == 1
    # Tissue of one intensity is its own maximum.
    assert contrast_of(volume) == pytest.approx(1, abs=0.01)


def test_contrast_is_the_median_of_tissue_over_its_maximum(affine):
    data = ball(inside=300.0)
    data[30:34, 30:34, 30:34] = 1000.0
    # 64 of 95,000 voxels in the ball are below the brightest 0.1 %; twice as many are not.
    assert contrast_of(Volume.from_array(data, affine)) == pytest.approx(1.0, abs=0.01)
    data[30:36, 30:34, 30:38] = 1000.0
    assert contrast_of(Volume.from_array(data, affine)) == pytest.approx(0.3, abs=0.01)
    assert contrast_of(Volume.from_array(1e3 * data, affine)) == pytest.approx(0.3, abs=0.01)


def test_the_record_of_a_training_keeps_its_range_of_contrasts(affine):
    scans = [scan(frames=0), phantoms.noisy_volume(ball(), 20, affine=affine)]
    contrasts = [contrast_of(volume) for volume in scans]
    facts = facts_of_heads(iter(scans))
    assert facts["shows"] == "heads" and facts["contrast"] == pytest.approx(sorted(contrasts), abs=1e-4)
    assert all(differences_from_training(volume, {"contrast": facts["contrast"]}, {}) == [] for volume in scans)


@pytest.mark.parametrize(("contrast", "far"), [([0.3, 0.6], False), ([0.1, 0.41], False), ([0.95, 1.0], True), ([0.1, 0.3], True)])
def test_a_contrast_far_outside_the_training_is_told(contrast, far):
    here = contrast_of(scan(frames=0))
    assert 0.5 < here < 0.6
    remarks = differences_from_training(scan(frames=0), {"contrast": contrast}, {})
    low, high = contrast
    said = (
        f"tissue has {here:.2g} of the highest intensity in the middle, {low:.3g} to {high:.3g} there; the network is applied all the same"
    )
    assert remarks == ([f"its contrast is unlike that of the training: {said}"] if far else [])
