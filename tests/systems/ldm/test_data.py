import dataclasses

import numpy as np
import pytest

from keras_mri.errors import InputError
from keras_mri.systems.ldm.data import Latents, crop_batches, denoising_batches, volume_batches
from keras_mri.systems.ldm.diffusion.schedules import clean_and_noise, loss_weights, schedule
from keras_mri.systems.ldm.settings import Config

CONFIG = Config(batch_size=2, diffusion_batch_size=4, steps_per_epoch=3, diffusion_steps=50, patch_shape=None)


def padded(data):
    return np.pad(data, [(0, -side % 4) for side in data.shape], mode="edge")


def test_whole_volumes_are_frames_of_the_training(rng):
    run, held_out = rng.random((7, 6, 5, 4)).astype(np.float32), rng.random((7, 6, 5, 2)).astype(np.float32)
    data = volume_batches(([run], [held_out]), CONFIG, padded)
    frames = [padded(run[..., t]) for t in range(4)]
    for image, same in data.training.take(3):
        assert image.shape == (2, 8, 8, 8, 1) and data.steps == 3
        np.testing.assert_array_equal(image, same)
        for one in image.numpy():
            assert any(np.array_equal(one[..., 0], frame) for frame in frames)
    seen = [image.numpy()[0, ..., 0] for image, _ in data.validation]
    np.testing.assert_array_equal(seen, [padded(held_out[..., t]) for t in range(2)])


def test_patches_and_their_mirror_images(rng):
    run = rng.random((12, 10, 9, 1)).astype(np.float32)
    config = dataclasses.replace(CONFIG, patch_shape=(4, 4, 4))
    data = volume_batches(([run], [run]), config, padded, mirror_axis=0)
    whole = padded(run[..., 0])
    places = {whole[i : i + 4, j : j + 4, k : k + 4].tobytes() for i in range(9) for j in range(9) for k in range(9)}
    mirrored = 0
    for image, _ in data.training.take(10):
        for one in image.numpy()[..., 0]:
            assert one.tobytes() in places or one[::-1].tobytes() in places
            mirrored += one.tobytes() not in places
    assert 3 < mirrored < 17
    with pytest.raises(InputError, match="`patch_shape` must lie inside the volume"):
        volume_batches(([run], [run]), dataclasses.replace(CONFIG, patch_shape=(16, 4, 4)), padded)


def test_crops_of_runs_on_different_grids_train_together_the_same_at_every_time(rng):
    runs = [rng.random((12, 10, 9, 1)).astype(np.float32), rng.random((6, 16, 8, 3)).astype(np.float32)]
    config = dataclasses.replace(CONFIG, patch_shape=(8, 8, 4), any_grid=True)
    first, again = (np.concatenate([image for image, _ in crop_batches((runs, runs), config).training.take(8)]) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    windows = {}
    for number, run in enumerate(runs):
        padded_run = np.pad(run, [(0, max(0, least - side)) for least, side in zip((8, 8, 4), run.shape)] + [(0, 0)], mode="edge")
        for t in range(run.shape[3]):
            view = np.lib.stride_tricks.sliding_window_view(padded_run[..., t], (8, 8, 4)).reshape(-1, 8, 8, 4)
            windows.update({window.tobytes(): number for window in np.ascontiguousarray(view)})
    found = [windows[np.ascontiguousarray(image[..., 0]).tobytes()] for image in first]
    # Three frames of one, one of the other.
    assert len(found) == 16 and 0 < found.count(0) < found.count(1)


def test_positions_are_told_whatever_else_is(latents):
    places = np.arange(6, dtype=np.float32)[:, None, None, None, None] + np.zeros((6, 4, 2, 2, 3), np.float32)
    placed = latents._replace(positions=places)
    rows = drawn(denoising_batches(placed, placed, schedule("cosine", 50), CONFIG, labels=2).training)
    assert rows["condition"].shape[-1] == 8
    numbers = rows["condition"][:, 0, 0, 0, -1].astype(int)
    assert set(numbers) == set(range(6))
    told = rows["condition"][:, 0, 0, 0, -4] > 0
    np.testing.assert_array_equal((rows["condition"][..., :3] - latents.clean[numbers])[told].round().std(axis=(1, 2, 3, 4)), 0)
    bare = latents._replace(views=None, positions=places)
    assert drawn(denoising_batches(bare, bare, schedule("cosine", 50), CONFIG, labels=2).training)["condition"].shape[-1] == 3


@pytest.fixture
def latents(rng):
    clean = rng.standard_normal((6, 4, 2, 2, 3)).astype(np.float32)
    views = np.stack([np.concatenate([clean + k, np.full((6, 4, 2, 2, 2), k, np.float32)], axis=-1) for k in (1, 2, 3)], axis=1)
    return Latents(clean, np.array([0, 1, 0, 1, 2, 2], np.int32), views)


def drawn(data, batches=60):
    rows = [({**told, "target": target, "weight": weight}) for told, target, weight in data.take(batches)]
    return {name: np.concatenate([row[name].numpy() for row in rows]) for name in rows[0]}


@pytest.mark.parametrize("prediction", ["noise", "velocity"])
def test_what_is_to_be_said_gives_back_a_latent_with_its_label_view_and_weight(latents, prediction):
    plan, config = schedule("cosine", 50), dataclasses.replace(CONFIG, prediction=prediction)
    rows = drawn(denoising_batches(latents, latents, plan, config, labels=2).training)
    rates = [values[rows["time"]].reshape(-1, 1, 1, 1, 1) for values in (plan.signal_rates, plan.noise_rates)]
    # Where next to no signal is left, rounding is all there is to divide.
    found, _ = clean_and_noise(prediction, rows["target"].astype(float), rows["noisy"], *rates)
    told, sure = [], plan.signal_rates[rows["time"]] > 0.05
    for k in np.flatnonzero(sure):
        index = int(np.abs(latents.clean - found[k]).max(axis=(1, 2, 3, 4)).argmin())
        np.testing.assert_allclose(found[k], latents.clean[index], atol=1e-3)
        assert rows["label"][k] in (latents.codes[index], 2)
        views = [np.zeros_like(latents.views[index, 0]), *latents.views[index]]
        told.append(next(number for number, view in enumerate(views) if np.array_equal(rows["condition"][k], view)))
    # 0: told nothing; 1: the coarse view; 2 and 3: damaged ones.
    shares = np.bincount(told, minlength=4) / len(told)
    # Of those with a condition, velocities take half from noise alone, where nothing tells the latent.
    expected = np.array([0.4, 0.3, 0.15, 0.15]) if prediction == "noise" else np.array([0.4, 0.15, 0.075, 0.075]) / 0.7
    np.testing.assert_allclose(shares, expected, atol=0.1)
    weights = loss_weights(plan, prediction, 5.0)[rows["time"]]
    first = (rows["time"] == 49) & (rows["weight"].ravel() == 1)
    np.testing.assert_allclose(rows["weight"].ravel()[~first], weights[~first], rtol=1e-5)
    # Half of the six in ten that see something are restored from noise alone; a network that says noise learns nothing there.
    assert first.mean() == pytest.approx(0.3 if prediction == "velocity" else 0, abs=0.08) or prediction == "noise"
    assert (rows["condition"][first].std(axis=(1, 2, 3, 4)) > 0).all() or prediction == "noise"
    assert rows["weight"].ndim == rows["target"].ndim - 1


def test_the_noise_has_unit_variance_and_is_new_each_time(latents):
    plan = schedule("cosine", 50)
    config = dataclasses.replace(CONFIG, prediction="noise")
    noise = drawn(denoising_batches(latents, latents, plan, config, labels=2).training)["target"]
    assert noise.mean() == pytest.approx(0, abs=0.03) and noise.std() == pytest.approx(1, abs=0.03)
    assert len(np.unique(noise[:, 0, 0, 0, 0])) == len(noise)


def test_labels_are_withheld_as_often_as_asked(latents):
    always, never = (dataclasses.replace(CONFIG, label_drop=share) for share in (1.0, 0.0))
    known = latents._replace(codes=np.zeros(6, np.int32))
    plan = schedule("cosine", 50)
    assert (drawn(denoising_batches(known, known, plan, always, labels=2).training)["label"] == 2).all()
    assert (drawn(denoising_batches(known, known, plan, never, labels=2).training)["label"] == 0).all()


def test_without_conditions_none_are_told_and_validation_is_the_same_at_every_epoch(latents):
    bare = latents._replace(views=None)
    data = denoising_batches(bare, bare, schedule("cosine", 50), CONFIG, labels=2)
    first, again = (drawn(data.validation) for _ in range(2))
    assert "condition" not in first and len(first["time"]) == 64
    for name, values in first.items():
        np.testing.assert_array_equal(values, again[name])
