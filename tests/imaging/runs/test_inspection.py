"""The look at a run, end to end: faults and conditions that the tests put there are found, and nothing else."""

import json

import nibabel
import numpy as np
import pytest

from experiments.data import FOLDER
from keras_mri.imaging.runs.inspection import RunInspection, inspect_run, listed
from tests.imaging.runs.simulated_runs import SHAPE, head, living_run, scaled, shifted, still_run

needs_scans = [pytest.mark.real_data, pytest.mark.skipif(not (FOLDER / "prisma-mini").is_dir(), reason="needs the scans")]
NOISE = pytest.mark.parametrize("sigma", (4.0, 40.0, 150.0))


def look(run):
    return inspect_run(iter(run), repetition_time=2.0)


def assert_unlike(inspection, frames, reason):
    assert set(inspection.unlike) == set(frames)
    assert all(reason in found for found in inspection.unlike.values()), inspection.unlike
    good = sorted(frame for condition in inspection.conditions for frame in condition)
    assert good == sorted(set(range(inspection.n_frames)) - set(frames))


def assert_ordinary(inspection):
    assert inspection.unlike == {}
    assert inspection.conditions == (tuple(range(inspection.n_frames)),)
    assert inspection.kind == "run"


@pytest.mark.parametrize("n_frames, sigma, outside", [(20, 3, True), (36, 20, False), (48, 60, True), (60, 150, False), (30, 400, True)])
def test_a_living_run_with_task_drift_breathing_and_small_motion_is_ordinary(n_frames, sigma, outside):
    inspection = look(living_run(n_frames, sigma, seed=n_frames, outside=outside))
    assert_ordinary(inspection)
    assert inspection.sentences() == []


@pytest.mark.parametrize("value", (0.0, 7.0))
def test_a_constant_run_is_ordinary(value):
    inspection = look(np.full((12, 9, 8, 7), value, np.float32))
    assert_ordinary(inspection)
    assert inspection.sentences() == []


def test_residuals_around_zero_are_one_condition(rng):
    assert_ordinary(look(rng.normal(size=(15, 9, 8, 7)).astype(np.float32)))


def test_noise_without_any_anatomy_is_one_condition(rng):
    assert_ordinary(look(np.abs(rng.normal(size=(30, 9, 8, 7))).astype(np.float32)))


def test_one_slice_and_flat_runs_do_not_crash(rng):
    for shape in ((24, 20, 1), (1, 20, 13), (5, 4, 3), (1, 1, 1)):
        assert look(100 + rng.normal(size=(14, *shape)).astype(np.float32)).n_frames == 14


@pytest.mark.parametrize("n_frames", range(1, 10))
def test_runs_under_ten_frames_are_one_condition(n_frames):
    assert_ordinary(look(still_run(n_frames, 20.0)))


@NOISE
def test_blank_frames_are_found(sigma, rng):
    run = living_run(40, sigma)
    run[12], run[20] = 0.0, np.abs(rng.normal(0, 0.5, SHAPE))
    assert_unlike(look(run), [12, 20], "blank")


def test_a_run_that_is_mostly_blank_is_unclear():
    run = still_run(30, 20.0)
    run[11:] = 0.0
    inspection = look(run)
    assert inspection.kind == "unclear"
    assert set(inspection.unlike) == set(range(11, 30))
    assert inspection.sentences()[-1].startswith("19 of 30 frames are unlike the others")


def test_a_frame_with_nan_is_found_and_its_values_reach_no_other_frame():
    run = still_run(20, 20.0)
    run[5, 3, 4, 2] = np.nan
    run[9, 3, 4, 2] = np.inf
    assert_unlike(look(run), [5, 9], "not finite")


@NOISE
@pytest.mark.parametrize("factor", (0.7, 1.1, 2.0))
def test_a_spike_is_found(sigma, factor):
    run = living_run(40, sigma)
    run[12] *= factor
    assert_unlike(look(run), [12], "spike")


@NOISE
def test_many_spikes_are_found(sigma):
    spikes = [3, 8, 9, 15, 21, 22, 23, 30, 34, 38]
    factors = np.ones(40)
    factors[spikes] = [1.1, 1.15, 1.9, 1.3, 2.0, 1.7, 1.45, 1.25, 1.6, 1.2]
    assert_unlike(look(scaled(living_run(40, sigma), factors)), spikes, "")


@NOISE
@pytest.mark.parametrize("axis, number, factor", [("z", 7, 0.1), ("z", 6, 0.6), ("x", 11, 2.0), ("y", 9, 1.6)])
def test_a_bad_slice_is_found_and_named(sigma, axis, number, factor):
    run = living_run(30, sigma)
    frame = np.moveaxis(run[9], "xyz".index(axis), 0)
    frame[number] *= factor
    assert_unlike(look(run), [9], f"one bad slice ({axis} = {number})")


def test_two_bad_slices_side_by_side_are_found():
    run = living_run(30, 20.0)
    run[14, :, :, 5:7] *= 0.4
    assert_unlike(look(run), [14], "bad slices (z = 5, 6)")


def test_stripes_that_leave_the_mean_of_a_slice_are_found():
    run = still_run(30, 20.0)
    run[9, :, :, 6] += 150 * (-1) ** np.arange(20)
    assert_unlike(look(run), [9], "z = 6")


@NOISE
@pytest.mark.parametrize("outside", (True, False))
def test_noise_volumes_at_the_end_are_found(sigma, outside, rng):
    run = living_run(40, sigma, outside=outside)
    run[-3:] = np.hypot(*rng.normal(0, sigma, (2, 3, *SHAPE))) * (run[0] > 0)
    assert_unlike(look(run), [37, 38, 39], "" if not outside else "noise volume" if sigma > 10 else "")


# Philips, 3 T, as measured; a scanner that discards all but one; about the least that can be seen.
@pytest.mark.parametrize("percent", [(3.6, 2.0, 1.2, 0.7, 0.4), (10.0,), (0.9, 0.5)])
def test_first_frames_that_are_not_in_steady_state_are_found(percent):
    factors = np.ones(40)
    factors[: len(percent)] += np.array(percent) / 100
    inspection = look(scaled(still_run(40, 20.0), factors))
    assert_unlike(inspection, range(len(percent)), "not yet in steady state")
    assert "(not yet in steady state)" in inspection.sentences()[0]


def test_a_slow_drift_from_the_first_frame_on_is_not_an_unsteady_state():
    assert_ordinary(look(scaled(still_run(40, 20.0), np.linspace(1.03, 0.97, 40))))


@pytest.mark.parametrize("sigma", (4.0, 100.0))
@pytest.mark.parametrize("voxels, frames", [((0, 1, 0), [9]), ((0, 0, 1.5), [9, 10, 11]), ((2, 0, 1), [14]), ((0, -4, 0), [20, 21])])
def test_frames_displaced_by_a_voxel_and_back_are_found(sigma, voxels, frames):
    run = still_run(30, sigma)
    for frame in frames:
        run[frame] = shifted(run[frame], voxels)
    assert_unlike(look(run), frames, "moved")


@pytest.mark.parametrize("sigma", (4.0, 100.0))
def test_a_step_of_the_head_splits_the_run_and_is_said(sigma):
    run = still_run(40, sigma)
    for frame in range(22, 40):
        run[frame] = shifted(run[frame], (0, 2, 0))
    inspection = look(run)
    assert inspection.conditions == (tuple(range(22)), tuple(range(22, 40)))
    assert inspection.kind == "levels"
    ((frame, voxels),) = inspection.jumps
    assert frame == 22
    assert voxels == pytest.approx(2.0, abs=0.4)
    assert f"the head moves by about {voxels:.1f} voxels at frame 22: realign the run first" in inspection.sentences()


def test_a_head_that_creeps_is_one_condition_with_a_remark():
    run = still_run(40, 20.0)
    moved = np.array([shifted(frame, (0, 0.06 * k, 0)) for k, frame in enumerate(run)])
    inspection = look(moved)
    assert_ordinary(inspection)
    # From the median of the first five frames to that of the last five: 35 frames of 0.06 voxels.
    assert inspection.drift == pytest.approx(2.1, abs=0.4)
    assert inspection.sentences()[0].endswith("voxels during the run: realign the run first")


@pytest.mark.parametrize("first", (0, 1))
@pytest.mark.parametrize("percent, sigma", [(0.5, 4.0), (0.5, 60.0), (1.0, 150.0), (5.0, 20.0), (50.0, 20.0)])
def test_control_and_label_are_told_apart_in_either_order(first, percent, sigma):
    run = still_run(40, sigma)
    run[first::2] *= 1 - percent / 100
    inspection = look(run)
    assert inspection.kind == "alternating"
    assert inspection.conditions == (tuple(range(0, 40, 2)), tuple(range(1, 40, 2)))
    assert inspection.unlike == {}
    assert "alternate" in inspection.sentences()[0]


def test_perfusion_of_grey_matter_alone_is_told_apart():
    run = still_run(24, 15.0)
    run[1::2] -= 15.0 * (head() > 750)
    assert look(run).kind == "alternating"


def test_reference_scans_before_control_and_label_are_unlike_them():
    run = still_run(32, 20.0)
    run[1::2] *= 0.99
    run[:2] *= 4.0
    inspection = look(run)
    assert set(inspection.unlike) == {0, 1}
    assert inspection.conditions == (tuple(range(2, 32, 2)), tuple(range(3, 32, 2)))


def test_control_and_label_of_a_short_run_are_too_few():
    run = still_run(16, 20.0)
    run[1::2] *= 0.98
    inspection = look(run)
    assert inspection.kind == "unclear"
    assert set(inspection.unlike.values()) == {"too few frames of this kind: 8"}


def test_shells_of_diffusion_in_any_order_are_levels_and_few_b0_pass_unchanged(rng):
    shell = rng.permutation([0] * 5 + [1000] * 20 + [2000] * 20)
    contrast = {0: 1.0 + 0.8 * (head() < 600), 1000: 0.4 * np.ones(SHAPE), 2000: 0.25 - 0.05 * (head() > 800)}
    # Each direction has a contrast of its own.
    run = still_run(45, 15.0) * np.array([contrast[b] * (1 + 0.05 * rng.normal(size=SHAPE)) for b in shell])
    inspection = look(run.astype(np.float32))
    assert {frozenset(frames) for frames in inspection.conditions} == {frozenset(np.flatnonzero(shell == b).tolist()) for b in (1000, 2000)}
    assert inspection.unlike == dict.fromkeys(np.flatnonzero(shell == 0).tolist(), "too few frames of this kind: 5")
    assert inspection.kind == "levels"


@pytest.mark.parametrize("order", [np.arange(36) % 3, np.arange(36) // 12])
def test_echoes_are_levels_whether_they_take_turns_or_come_in_blocks(order):
    inspection = look(scaled(still_run(36, 30.0), np.array([1.0, 0.7, 0.5])[order]))
    assert set(inspection.conditions) == {tuple(np.flatnonzero(order == echo).tolist()) for echo in range(3)}
    assert inspection.kind == "levels"
    assert "3 conditions were found (12 and 12 and 12 frames)" in inspection.sentences()[0]


def test_delays_with_control_and_label_are_conditions_of_conditions():
    delay, label = np.arange(80) // 2 % 3, np.arange(80) % 2
    inspection = look(scaled(still_run(80, 30.0), np.array([1.0, 0.9, 0.8])[delay] * np.where(label, 0.99, 1.0)))
    expected = {tuple(np.flatnonzero((delay == d) & (label == k)).tolist()) for d in range(3) for k in range(2)}
    assert set(inspection.conditions) == expected


def test_a_step_of_the_gain_makes_two_levels():
    inspection = look(scaled(still_run(40, 20.0), np.where(np.arange(40) < 17, 1.0, 1.05)))
    assert inspection.conditions == (tuple(range(17)), tuple(range(17, 40)))


def test_brightness_that_jumps_from_frame_to_frame_is_unclear(rng):
    inspection = look(scaled(still_run(40, 20.0), rng.permutation(np.geomspace(0.3, 1.0, 40))))
    assert inspection.kind == "unclear"
    assert inspection.conditions == ()


def test_frames_are_gone_through_once():
    frames = (frame for frame in still_run(12, 20.0))
    assert_ordinary(inspect_run(frames))
    assert next(frames, None) is None


def test_facts_are_json_with_every_frame_once():
    run = still_run(30, 20.0)
    run[4] = 0.0
    facts = json.loads(json.dumps(look(run).facts()))
    assert facts["unlike"] == {"4": "blank"}
    assert facts["conditions"] == [[t for t in range(30) if t != 4]]
    assert (facts["frames"], facts["kind"], facts["head_moves"]) == (30, "run", [])


def test_sentences_name_frames_and_what_becomes_of_them():
    inspection = RunInspection(20, {0: "spike", 1: "spike", 2: "spike", 3: "spike", 9: "blank"}, (tuple(range(10, 20)),), "run")
    assert inspection.sentences() == [
        "frames 0-3 are unlike the others (spike) and stay as they are",
        "frame 9 is unlike the others (blank) and stays as it is",
    ]


@pytest.mark.parametrize("numbers, text", [([4], "4"), ([1, 2, 4], "1, 2 and 4"), ([0, 1, 2, 7, 9, 10, 11], "0-2, 7 and 9-11")])
def test_numbers_are_listed_as_people_write_them(numbers, text):
    assert listed(numbers) == text


# What is known of them: philips, five first frames; prisma-epi, control and label; ge-seepi, its first volume; dti, one b = 0.
@pytest.mark.parametrize(
    "name, unlike, kind",
    [
        pytest.param("philips-3t/bold", [0, 1, 2, 3, 4], "run", marks=[*needs_scans, pytest.mark.slow]),
        pytest.param("prisma-epi/pcasl2d", [], "alternating", marks=needs_scans),
        pytest.param("prisma-mini/bold", [], "run", marks=needs_scans),
        pytest.param("ge-seepi/series7_4rep", [0], "run", marks=needs_scans),
        pytest.param("cabi-dti/dev_rep1", [0], "run", marks=needs_scans),
    ],
)
def test_real_runs_hold_what_is_known_of_them(name, unlike, kind):
    image = nibabel.load(FOLDER / f"{name}.nii.gz")
    data, zooms = np.asanyarray(image.dataobj, np.float32), [float(zoom) for zoom in image.header.get_zooms()]
    inspection = inspect_run((data[..., t] for t in range(data.shape[3])), repetition_time=zooms[3], zooms=zooms[:3])
    assert (sorted(inspection.unlike), inspection.kind) == (unlike, kind)
