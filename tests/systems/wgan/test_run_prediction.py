"""Prediction of runs: the same as in memory, slab by slab, lazily, on the same grid, and what must not change does not."""

import numpy as np
import pytest
from scipy import ndimage

from keras_mri.imaging import phantoms
from keras_mri.io.volumes import Volume
from keras_mri.saving import checkpoints
from keras_mri.systems.network_files import load_network
from keras_mri.systems.wgan import run_prediction
from keras_mri.systems.wgan import system as wgan
from keras_mri.systems.wgan.run_channels import run_channels
from keras_mri.systems.wgan.run_prediction import is_of_runs, spaced
from tests.systems.wgan.run_networks import (
    FLOAT32,
    ITSELF,
    WIDEST,
    checkpoint_of,
    head_run,
    network_that_takes,
    volume_of,
    wilful_network,
)

SHAPE, FRAMES = (16, 14, 12), 14


@pytest.fixture(scope="module")
def run():
    return head_run((*SHAPE, FRAMES), offset=100)[0]


@pytest.fixture(scope="module")
def averaging():
    return checkpoint_of(network_that_takes(WIDEST))


@pytest.fixture(scope="module")
def wilful():
    return checkpoint_of(wilful_network())


@pytest.fixture(scope="module")
def denoised(run, wilful):
    return wgan.predict(wilful, [volume_of(run)], FLOAT32).data


def in_memory(network, run, repetition_time):
    """Denoise by `run_channels` and NumPy, as the documentation shows it."""
    channels, basis, mean, sigma = run_channels(run, repetition_time)
    maps = np.stack([network.predict_on_batch(one[None])[0, ..., 0] for one in channels])
    return mean[..., None] + sigma[..., None] * np.tensordot(maps, basis, (0, 1))


def test_from_frames_on_disk_comes_what_comes_from_channels_in_memory(run, wilful, denoised):
    expected = in_memory(wilful.network, run, 2.0)
    np.testing.assert_allclose(denoised, expected, rtol=1e-4)
    assert np.abs(denoised - run).max() > 20


@pytest.mark.parametrize("values", [1, 16 * 14 * FRAMES, 5 * 16 * 14 * FRAMES])
def test_slabs_of_any_thickness_give_the_same(run, wilful, denoised, values, monkeypatch):
    monkeypatch.setattr(run_prediction, "_SLAB_VALUES", values)
    again = wgan.predict(wilful, [volume_of(run)], FLOAT32).data
    np.testing.assert_allclose(again, denoised, rtol=1e-5, atol=1e-2)


def test_the_network_that_takes_the_voxel_itself_gives_the_run_back(run):
    restored = wgan.predict(checkpoint_of(network_that_takes(ITSELF)), [volume_of(run)], FLOAT32).data
    np.testing.assert_allclose(restored, run, rtol=1e-5)


def test_averaging_leaves_the_mean_of_the_run_and_removes_noise(run, averaging):
    restored = wgan.predict(averaging, [volume_of(run)], FLOAT32).data
    np.testing.assert_allclose(restored.mean(axis=3), run.mean(axis=3), rtol=1e-5)
    assert restored.std(axis=3).mean() < 0.4 * run.std(axis=3).mean()


def test_odd_sides_and_a_single_slice_keep_their_shape(averaging):
    for shape in [(15, 13, 11, 12), (17, 14, 1, 11), (15, 13, 2, 10)]:
        run, _ = head_run(shape, offset=100)
        restored = wgan.predict(averaging, [volume_of(run)], FLOAT32).data
        assert restored.shape == shape and np.isfinite(restored).all()
        np.testing.assert_allclose(restored.mean(axis=3), run.mean(axis=3), rtol=1e-4)


def test_exact_zeros_stay_exact_zeros_and_the_brain_beside_them_is_denoised(averaging):
    run, brain = head_run((*SHAPE, FRAMES), offset=200)
    run *= brain[..., None]
    restored = wgan.predict(averaging, [volume_of(run)], FLOAT32).data
    assert (restored[~brain] == 0).all() and (restored[brain] > 0).all()
    np.testing.assert_allclose(restored.mean(axis=3), run.mean(axis=3), rtol=1e-4, atol=1e-3)
    assert restored[brain].std(axis=1).mean() < 0.6 * run[brain].std(axis=1).mean()


def test_what_is_zero_in_most_frames_stays_as_it_is(averaging):
    run, brain = head_run((*SHAPE, FRAMES), offset=200)
    run *= brain[..., None]
    edge = brain & ~ndimage.binary_erosion(brain)
    # A mask that moved with the head: the border is there in few frames.
    run[edge, 3:] = 0
    restored = wgan.predict(averaging, [volume_of(run)], FLOAT32).data
    np.testing.assert_array_equal(restored[edge], run[edge])
    assert (restored[~brain] == 0).all()


def test_magnitudes_do_not_become_negative_but_signed_runs_may(averaging):
    run, _ = head_run((*SHAPE, FRAMES), sigma=60)
    assert run.min() == 0
    assert wgan.predict(averaging, [volume_of(run)], FLOAT32).extremes[0] >= 0
    signed = run - 500
    restored = wgan.predict(averaging, [volume_of(signed)], FLOAT32).data
    assert restored.min() < -400
    np.testing.assert_allclose(restored.mean(axis=3), signed.mean(axis=3), rtol=1e-4, atol=1e-2)


def test_outside_of_the_mask_the_input_stays_bit_for_bit(run, averaging, write_nifti, affine):
    mask = np.zeros(SHAPE, np.uint8)
    mask[4:11, 3:10, 2:9] = 1
    options = type(FLOAT32)(precision="float32", mask=str(write_nifti(mask, "mask.nii.gz")))
    masked, free = (wgan.predict(averaging, [volume_of(run)], each).data for each in (options, FLOAT32))
    np.testing.assert_array_equal(masked[mask == 0], run[mask == 0])
    np.testing.assert_array_equal(masked[mask == 1], free[mask == 1])
    assert np.abs(free - run)[mask == 0].max() > 5


def test_nothing_is_computed_before_a_frame_is_asked_for_and_then_once(run, averaging, monkeypatch):
    measured, conditions = [], run_prediction._Condition
    monkeypatch.setattr(run_prediction, "_Condition", lambda *given: measured.append(given) or conditions(*given))
    restored = wgan.predict(averaging, [volume_of(run)], FLOAT32)
    assert not measured
    first = restored.frame(FRAMES - 1)
    assert len(measured) == 1
    for t in (0, 3, FRAMES - 1):
        restored.frame(t)
    assert len(measured) == 1
    np.testing.assert_array_equal(first, restored.data[..., -1])


def test_frames_are_read_in_the_order_of_time(run, averaging):
    """Twice, to look at the run and to store its frames; then each as it is asked for."""
    read = []
    source = volume_of(run)
    watched = Volume(lambda t: read.append(t) or source.frame(t), source.shape, source.affine, source.header)
    watched.extremes = source.extremes
    restored = wgan.predict(averaging, [watched], FLOAT32)
    assert read == [*range(FRAMES)]
    for t in (0, 1):
        restored.frame(t)
    assert read == [*range(FRAMES), *range(FRAMES), 0, 1]


def test_grid_header_and_name_are_those_of_the_run(run, averaging):
    source = volume_of(run)
    restored = wgan.predict(averaging, [source], FLOAT32)
    assert (restored.shape, restored.name, restored.zooms, restored.repetition_time) == (source.shape, "bold.nii.gz", source.zooms, 2.0)
    assert restored.header is source.header and restored.source is source


def test_facts_tell_what_was_found_and_how_much_is_kept(run, averaging):
    restored = wgan.predict(averaging, [volume_of(run)], FLOAT32)
    restored.frame(0)
    facts = restored.facts
    assert facts["keep_trained"] == 0.9
    assert facts["inspection"]["kind"] == "run" and facts["inspection"]["frames"] == FRAMES
    assert len(facts["noise_correlation"]) == 3 and max(np.abs(facts["noise_correlation"])) < 0.1
    # The widest average leaves little of spheres of two voxels, and spreads them.
    assert 0 < facts["keep_measured"] < 0.5 and facts["spread"] > 0.3
    whole = wgan.predict(checkpoint_of(network_that_takes(ITSELF), keep=0.5), [volume_of(run)], FLOAT32)
    whole.frame(0)
    assert whole.facts["keep_trained"] == 0.5
    assert (whole.facts["keep_measured"], whole.facts["spread"]) == (pytest.approx(1, abs=2e-3), pytest.approx(0, abs=2e-3))


def test_facts_of_one_prediction_are_not_those_of_another(run, averaging):
    source = volume_of(run)
    wgan.predict(averaging, [source], FLOAT32).frame(0)
    assert "keep_measured" not in source.facts
    again = wgan.predict(averaging, [source], FLOAT32)
    assert "keep_measured" not in again.facts


def test_a_loaded_file_denoises_as_the_network_did(run, wilful, denoised, tmp_path):
    checkpoints.save(wilful, tmp_path / "network.h5")
    loaded = load_network(tmp_path / "network.h5")
    assert is_of_runs(loaded.network) and loaded.inference == {"scaling": "percentile", "input": "maps", "keep": 0.9}
    np.testing.assert_allclose(wgan.predict(loaded, [volume_of(run)], FLOAT32).data, denoised, rtol=1e-5)


def test_tiles_give_what_the_whole_gives(averaging):
    run, _ = head_run((32, 28, 24, 10), offset=100)
    whole = wgan.predict(averaging, [volume_of(run)], FLOAT32).data
    tiled = wgan.predict(averaging, [volume_of(run)], type(FLOAT32)(precision="float32", tile=(24, 24, 24))).data
    np.testing.assert_allclose(tiled, whole, rtol=1e-4)


def test_mirror_images_are_averaged(run, wilful, denoised):
    options = type(FLOAT32)(precision="float32", mirror="left-right")
    mirrored = wgan.predict(wilful, [volume_of(run)], options).data
    assert np.abs(mirrored - denoised).max() > 0.5
    np.testing.assert_allclose(mirrored.mean(axis=3), run.mean(axis=3), rtol=1e-4)


def test_half_precision_of_hidden_layers_changes_little(run, averaging, wilful, denoised):
    restored = wgan.predict(wilful, [volume_of(run)], type(FLOAT32)(precision="bfloat16")).data
    assert np.abs(restored - denoised).max() < 0.2 * np.abs(run - denoised).max()


def test_the_picture_of_a_training_shows_what_was_removed(run, averaging):
    outcome = wgan.outcome(averaging, [volume_of(run)], None)
    title, *others = outcome.panels
    assert others == ["as measured", "denoised"] and title.startswith("removed × ")
    times, (removed, measured, after) = int(title.removeprefix("removed × ")), outcome.panels.values()
    np.testing.assert_array_equal(outcome.judged.frame(FRAMES // 2), after)
    assert measured.shape == (16, 14, 8)
    np.testing.assert_allclose(times * np.abs(measured - after), removed, atol=1e-3 * times)
    # Bright enough to be seen on the grey scale of the scan, and no brighter than the scan.
    assert times >= 5 and 0.1 < np.percentile(removed, 99) / np.percentile(measured, 99) < 1.5
    np.testing.assert_array_equal(measured, run[:, :, 2:10, FRAMES // 2])
    assert removed.std() > 5


@pytest.mark.parametrize(
    ("repetition_time", "frames", "expected"),
    [(2.0, range(12), 2.0), (2.0, range(0, 24, 2), 4.0), (1.5, [0, 1, 3], 2.25), (None, range(12), None)],
)
def test_the_time_between_frames_of_a_condition_is_that_between_its_ends(repetition_time, frames, expected):
    assert spaced(repetition_time, list(frames)) == expected


def test_an_activation_stays_where_the_network_takes_the_voxel_itself_and_spreads_where_it_averages():
    shape = (20, 18, 16, 48)
    run, brain = head_run(shape, sigma=5, offset=200)
    block = np.arange(48) // 12 % 2
    centre = sum((grid - c) ** 2 for grid, c in zip(np.indices(shape[:3]), (8, 6, 8))) <= 9
    run += (0.03 * run.mean(axis=3) * (centre & brain))[..., None] * block.astype(np.float32)
    contrast = (block - block.mean()) / ((block - block.mean()) ** 2).sum()
    kept = {}
    for choice in (ITSELF, WIDEST):
        restored = wgan.predict(checkpoint_of(network_that_takes(choice)), [volume_of(run.astype(np.float32))], FLOAT32).data
        kept[choice] = (restored @ contrast)[centre & brain].mean() / (run @ contrast)[centre & brain].mean()
    assert kept[ITSELF] == pytest.approx(1, abs=1e-3) and kept[WIDEST] < 0.6


def test_facts_reach_json(run, averaging):
    import json

    restored = wgan.predict(averaging, [volume_of(run)], FLOAT32)
    restored.frame(0)
    assert json.loads(json.dumps(restored.facts)) == restored.facts


def test_phantoms_of_the_suite_are_ordinary_runs():
    data, *_ = phantoms.bold_run((16, 14, 12, 24))
    found = run_prediction.look_at(phantoms.noisy_volume(data, 10.0))
    assert found.kind == "run" and not found.unlike
