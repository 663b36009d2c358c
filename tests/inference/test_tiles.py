import keras
import numpy as np
import pytest

from keras_mri.errors import InputError
from keras_mri.inference import tiles as inference
from keras_mri.inference.tiles import predictor
from keras_mri.networks.dense_unet import dense_unet
from keras_mri.networks.munet import munet_diffusion
from keras_mri.networks.residual_unet import residual_unet


def shaken(network, seed=0):
    rng = np.random.default_rng(seed)
    network.set_weights([rng.normal(0, 0.2, weight.shape) for weight in network.get_weights()])
    return network


@pytest.fixture(scope="module")
def unet():
    return shaken(residual_unet((None, None, None, 3), (3, 4), (1, 1), noise_scale=1.0))


@pytest.mark.parametrize("shape", [(41, 27, 19), (64, 30, 3), (17, 21, 1), (5, 4, 3)])
@pytest.mark.parametrize("tile", [(20, 20, 20), (24, 32, 18)])
def test_tiled_equals_whole_for_any_shape(unet, shape, tile, rng):
    data = rng.random((*shape, 3), dtype=np.float32)
    whole = predictor(unet, shape)(data)
    assert whole.shape == shape
    np.testing.assert_allclose(predictor(unet, shape, tile)(data), whole, atol=1e-5)


def test_tiled_equals_whole_for_the_dense_network(rng):
    network = shaken(dense_unet((None, None, None, 1), 2, "batch", levels=0))
    data = rng.random((30, 25, 31, 1), dtype=np.float32)
    whole = predictor(network, data.shape[:3])(data)
    np.testing.assert_allclose(predictor(network, data.shape[:3], (24, 24, 24))(data), whole, atol=1e-5 * np.abs(whole).max())


def test_the_whole_volume_is_what_the_network_says(unet, rng):
    data = rng.random((8, 6, 4, 3), dtype=np.float32)
    np.testing.assert_array_equal(predictor(unet, (8, 6, 4))(data), unet.predict_on_batch(data[None])[0, ..., 0])


def test_little_memory_means_tiles_and_the_same_result(unet, rng, monkeypatch):
    shape = (60, 40, 32)
    data = rng.random((*shape, 3), dtype=np.float32)
    whole = predictor(unet, shape)(data)
    shapes = []
    for limit in ("_MOST_BYTES", "_MOST_BYTES_AGAINST_HALOS"):
        monkeypatch.setattr(inference, limit, 2e6)
    run = unet.predict_on_batch
    monkeypatch.setattr(unet, "predict_on_batch", lambda batch: shapes.append(batch.shape) or run(batch))
    np.testing.assert_allclose(predictor(unet, shape)(data), whole, atol=1e-5)
    assert len(shapes) > 1 and len(set(shapes)) == 1 and np.prod(shapes[0][1:4]) < np.prod(shape)


@pytest.mark.parametrize(("available", "whole"), [(16e9, True), (2e6, False)])
def test_memory_is_taken_where_halos_would_be_most_of_the_work_and_there_is_enough(unet, rng, monkeypatch, available, whole):
    shape, shapes = (60, 40, 32), []
    monkeypatch.setattr(inference, "_MOST_BYTES", 1e6)
    monkeypatch.setattr(inference, "available_bytes", lambda: available)
    run = unet.predict_on_batch
    monkeypatch.setattr(unet, "predict_on_batch", lambda batch: shapes.append(batch.shape) or run(batch))
    predictor(unet, shape)(rng.random((*shape, 3), dtype=np.float32))
    assert (len(shapes) == 1) == whole


def test_memory_is_taken_until_halos_are_a_tenth_of_the_work_and_no_more(unet, rng, monkeypatch):
    shape, shapes = (400, 8, 8), []
    facts = inference.geometry(unet)
    # Whole, the volume would take ten times as much.
    monkeypatch.setattr(inference, "_MOST_BYTES", 40 * 64 * facts.bytes_per_voxel)
    monkeypatch.setattr(inference, "available_bytes", lambda: 16e9)
    run = unet.predict_on_batch
    monkeypatch.setattr(unet, "predict_on_batch", lambda batch: shapes.append(batch.shape[1:4]) or run(batch))
    predictor(unet, shape)(rng.random((*shape, 3), dtype=np.float32))
    computed = len(shapes) * shapes[0][0]
    assert len(shapes) > 1 and 400 < computed <= 440
    # Half the memory would not have been enough: halos of either side, again and again.
    half = shapes[0][0] // 2
    assert half * np.ceil((400 - 2 * facts.reach[0]) / (half - 2 * facts.reach[0])) > 440


def test_a_volume_is_continued_by_its_mirror_image(unet, rng):
    """Slices that repeat have one noise, which a network takes for a weak one."""
    data = rng.random((9, 8, 7, 3), dtype=np.float32)
    mirrored = np.pad(data, [(0, 1), (0, 0), (0, 1), (0, 0)], mode="reflect")
    np.testing.assert_array_equal(predictor(unet, data.shape[:3])(data), unet.predict_on_batch(mirrored[None])[0, :9, :8, :7, 0])


def test_mirrored_averaging_of_a_mirrored_scan_is_the_mirrored_result(unet, rng):
    data = rng.random((8, 6, 4, 3), dtype=np.float32)
    run = predictor(unet, (8, 6, 4), mirror_axes=(0,))
    np.testing.assert_allclose(run(data[::-1]), run(data)[::-1], atol=1e-6)
    plain = predictor(unet, (8, 6, 4))
    np.testing.assert_allclose(run(data), (plain(data) + plain(data[::-1])[::-1]) / 2, atol=1e-6)


def test_mirrored_averaging_along_all_axes_has_no_preferred_corner(unet, rng):
    data = rng.random((8, 6, 4, 3), dtype=np.float32)
    run = predictor(unet, (8, 6, 4), mirror_axes=(0, 1, 2))
    plain = predictor(unet, (8, 6, 4))
    choices = [[axis for axis in range(3) if number >> axis & 1] for number in range(8)]
    np.testing.assert_allclose(run(data), np.mean([np.flip(plain(np.flip(data, axes)), axes) for axes in choices], axis=0), atol=1e-6)


def test_a_network_without_a_reach_is_blended_and_keeps_a_constant(rng):
    inputs = keras.Input((None, None, None, 1))
    normal = keras.layers.GroupNormalization(groups=1, center=False, scale=False)(inputs)
    network = keras.Model(inputs, keras.layers.Add()([keras.layers.Rescaling(0.0)(normal), inputs]))
    data = rng.random((23, 19, 10, 1), dtype=np.float32)
    np.testing.assert_allclose(predictor(network, (23, 19, 10), (12, 12, 12))(data), data[..., 0], atol=1e-6)


def test_a_tile_smaller_than_the_reach_is_refused(unet):
    with pytest.raises(InputError, match="larger than twice the network's reach"):
        predictor(unet, (64, 64, 64), (8, 8, 8))


def test_a_network_of_several_channels_gives_all_of_them(rng):
    network = shaken(munet_diffusion(3, 4))
    data = rng.random((9, 8, 13, 3), dtype=np.float32)
    restored = predictor(network, data.shape[:3])(data)
    np.testing.assert_allclose(restored, network.predict_on_batch(data[None])[0], rtol=1e-5, atol=1e-5)


@pytest.fixture(scope="module")
def identity_in_fours():
    inputs = keras.Input((None, None, None, 1))
    pooled = keras.layers.UpSampling3D(4)(keras.layers.AveragePooling3D(4)(inputs))
    return keras.Model(inputs, keras.layers.Add()([keras.layers.Rescaling(0.0)(pooled), inputs]))


@pytest.mark.parametrize("shape", [(41, 27, 19), (64, 30, 3), (17, 21, 1), (5, 4, 3)])
@pytest.mark.parametrize("tile", [(8, 8, 8), (16, 24, 4), (40, 16, 20)])
def test_blended_tiles_weigh_one_in_all_for_any_shape(identity_in_fours, shape, tile, rng):
    """Oracle: a network that returns its input does so in every tile, so any sum of weights but one would show."""
    data = rng.random((*shape, 1), dtype=np.float32)
    np.testing.assert_allclose(predictor(identity_in_fours, shape, tile, overlap=3)(data), data[..., 0], atol=1e-6)


def test_blended_tiles_come_close_to_the_whole_where_the_reach_is_longer_than_a_tile(rng):
    network = residual_unet((None, None, None, 1), (3, 4, 5), (2, 2, 2), noise_scale=1.0)
    shaken(network)
    data = rng.random((48, 40, 32, 1), dtype=np.float32)
    whole = predictor(network, data.shape[:3])(data)
    blended = predictor(network, data.shape[:3], (24, 24, 24), overlap=8)(data)
    assert np.abs(blended - whole).mean() < 0.2 * np.abs(whole - data[..., 0]).mean()


def test_blended_halves_are_two_not_three(rng, monkeypatch):
    inputs = keras.Input((None, None, None, 1))
    network = keras.Model(inputs, keras.layers.Rescaling(1.0)(inputs))
    shapes = []
    run = network.predict_on_batch
    monkeypatch.setattr(network, "predict_on_batch", lambda batch: shapes.append(batch.shape) or run(batch))
    # Three tensors of 4 bytes a voxel at most: the whole does not fit, half of it and an overlap of 3 does.
    monkeypatch.setattr(inference, "_MOST_BYTES", 0.7 * inference.geometry(network).bytes_per_voxel * 40 * 20 * 20)
    data = rng.random((40, 20, 20, 1), dtype=np.float32)
    np.testing.assert_allclose(predictor(network, data.shape[:3], overlap=3)(data), data[..., 0], atol=1e-6)
    assert shapes == [(1, 23, 20, 20, 1)] * 2


class ResourceExhaustedError(Exception):
    """Named as TensorFlow's."""


def short_of_memory(network, most_voxels, monkeypatch):
    """Let a network fail on tiles of more voxels, as it does where memory is used up; return the tiles it is shown."""
    shapes, run = [], network.predict_on_batch

    def limited(batch):
        shapes.append(batch.shape[1:4])
        if np.prod(batch.shape[1:4]) > most_voxels:
            raise ResourceExhaustedError("OOM when allocating tensor")
        return run(batch)

    monkeypatch.setattr(network, "predict_on_batch", limited)
    return shapes


def test_where_memory_is_used_up_smaller_tiles_give_the_same_result(unet, rng, monkeypatch, caplog):
    data = rng.random((48, 40, 36, 3)).astype(np.float32)
    whole = predictor(unet, data.shape[:3])(data)
    run = predictor(unet, data.shape[:3])
    shapes = short_of_memory(unet, 30_000, monkeypatch)
    np.testing.assert_allclose(run(data), whole, atol=1e-5)
    assert np.prod(shapes[0]) == 48 * 40 * 36 and np.prod(shapes[-1]) <= 30_000
    assert "not enough memory for tiles of (48, 40, 36) voxels: going on with" in caplog.text
    # What was learned stays: the next volume begins with the tiles that fitted.
    shapes.clear()
    run(data)
    assert max(map(np.prod, shapes)) <= 30_000


@pytest.mark.parametrize(("tile", "advice"), [(None, "use a machine with more memory"), ((24, 24, 24), "use a smaller `tile`")])
def test_where_no_tile_fits_the_user_is_told_what_to_do(unet, rng, monkeypatch, tile, advice):
    data = rng.random((48, 40, 36, 3)).astype(np.float32)
    short_of_memory(unet, 0, monkeypatch)
    with pytest.raises(InputError, match=rf"there is not enough memory for tiles of \d+ × \d+ × \d+ voxels\. Close .*{advice}"):
        predictor(unet, data.shape[:3], tile)(data)


def test_other_errors_of_a_network_are_not_taken_for_a_lack_of_memory(unet, rng, monkeypatch):
    def broken(batch):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(unet, "predict_on_batch", broken)
    with pytest.raises(ZeroDivisionError, match="a bug"):
        predictor(unet, (16, 16, 16))(rng.random((16, 16, 16, 3)).astype(np.float32))
