import keras
import numpy as np
import pytest

from keras_mri.errors import InputError
from keras_mri.networks.residual_unet import residual_slice_unet, residual_unet, thick_slices_unet


def test_parameters_by_hand():
    # filters (4, 6), depths (1, 2), 3 frames: 3→4, down 4→6 (2³), 6→6 twice, up 6→4 (2³), 4→4, head 4→1.
    expected = (27 * 3 * 4 + 4) + (8 * 4 * 6 + 6) + 2 * (27 * 6 * 6 + 6) + (8 * 6 * 4 + 4) + (27 * 4 * 4 + 4) + (4 + 1)
    # The skip is the local contrast after the first level's convolutions, added, not concatenated: no further weights.
    assert residual_unet((None, None, None, 3), (4, 6), (1, 2)).count_params() == expected


@pytest.mark.parametrize("frames", [1, 3, 5])
def test_it_starts_as_the_identity_on_the_middle_frame(frames, rng):
    data = rng.random((2, 8, 6, 4, frames), dtype=np.float32)
    restored = residual_unet((None, None, None, frames), (4, 8), (1, 1)).predict_on_batch(data)
    np.testing.assert_array_equal(restored[..., 0], data[..., frames // 2])


def test_a_constant_added_to_the_image_is_added_to_the_result(rng):
    # The front end subtracts the local mean, so the residual sees contrast only.
    network = residual_unet((None, None, None, 1), (4, 8), (1, 1))
    network.get_layer("residual").set_weights([np.ones((1, 1, 1, 4, 1), np.float32), np.zeros(1, np.float32)])
    data = rng.random((1, 8, 6, 4, 1), dtype=np.float32)
    shifted = network.predict_on_batch(data + np.float32(3)) - np.float32(3)
    np.testing.assert_allclose(shifted, network.predict_on_batch(data), atol=2e-4)
    assert np.abs(network.predict_on_batch(data) - data).max() > 1e-3


def test_with_the_image_beside_it_the_result_depends_on_the_tissue_too(rng):
    network = residual_unet((None, None, None, 1), (4, 8), (1, 1), with_image=True)
    data = rng.random((1, 8, 6, 4, 1), dtype=np.float32)
    np.testing.assert_array_equal(network.predict_on_batch(data), data)
    network.get_layer("residual").set_weights([np.ones((1, 1, 1, 4, 1), np.float32), np.zeros(1, np.float32)])
    shifted = network.predict_on_batch(data + np.float32(3)) - np.float32(3)
    assert np.abs(shifted - network.predict_on_batch(data)).max() > 1e-3
    # One more channel enters the first convolution, nothing else changes.
    assert network.count_params() - residual_unet((None, None, None, 1), (4, 8), (1, 1)).count_params() == 27 * 4


def test_the_default_of_super_resolution_by_hand():
    from keras_mri.systems.sr.settings import Config

    filters, depths = Config().filters, Config().depths
    assert (filters, depths) == ((16, 64, 96), (1, 3, 1))
    # 2→16, down, 64→64 three times on each way, down, 96→96 once, up, up, 16→16, head.
    expected = (27 * 2 * 16 + 16) + (8 * 16 * 64 + 64) + 6 * (27 * 64 * 64 + 64) + (8 * 64 * 96 + 96) + (27 * 96 * 96 + 96)
    expected += (8 * 96 * 64 + 64) + (8 * 64 * 16 + 16) + (27 * 16 * 16 + 16) + (16 + 1)
    assert residual_unet((None, None, None, 1), filters, depths, with_image=True).count_params() == expected == 1_035_617


def test_levels_must_agree():
    with pytest.raises(InputError, match=r"filters=\(4, 8\), depths=\(1,\)"):
        residual_unet((None, None, None, 1), (4, 8), (1,))
    with pytest.raises(InputError, match=r"filters=\(4, 8\), depths=\(1,\)"):
        thick_slices_unet((4, 8), (1,))


def test_the_network_of_thick_slices_starts_as_the_identity_on_the_image(rng):
    data = rng.random((2, 8, 6, 4, 2), dtype=np.float32)
    network = thick_slices_unet((4, 6), (1, 2))
    np.testing.assert_array_equal(network.predict_on_batch(data)[..., 0], data[..., 0])
    # Image, contrast and distance: 3→4, down 4→6 (2³), 6→6 twice, up 6→4 (2³), 4→4, head 4→1.
    expected = (27 * 3 * 4 + 4) + (8 * 4 * 6 + 6) + 2 * (27 * 6 * 6 + 6) + (8 * 6 * 4 + 4) + (27 * 4 * 4 + 4) + (4 + 1)
    assert network.count_params() == expected


def test_the_network_of_thick_slices_sees_the_distance_but_keeps_it_out_of_the_contrast(rng):
    data = rng.random((1, 8, 6, 4, 2), dtype=np.float32)
    network = thick_slices_unet((4, 6), (1, 1), detail_scale=0.1)
    seen = keras.Model(network.inputs, network.get_layer("seen").output).predict_on_batch(data)
    np.testing.assert_array_equal(seen[..., [0, 2]], data)
    # Away from the border the local mean is that of 5³ voxels; here the whole of z and more.
    image = np.pad(data[0, ..., 0], 2, constant_values=np.nan)
    wanted = (data[0, 3, 3, 2, 0] - np.nanmean(image[3:8, 3:8, 2:7])) / 0.1
    np.testing.assert_allclose(seen[0, 3, 3, 2, 1], wanted, rtol=1e-4)
    network.get_layer("residual").set_weights([np.ones((1, 1, 1, 4, 1), np.float32), np.zeros(1, np.float32)])
    moved = network.predict_on_batch(data + np.array([0, 1], np.float32))
    assert np.abs(moved - network.predict_on_batch(data)).max() > 1e-3


def test_the_default_network_of_slices_has_the_number_of_parameters_of_the_readme():
    # By hand: 1→32, halved 32→64, four of 64→64, doubled 64→32, 32→32, and the head, biases included.
    wanted = (9 * 32 + 32) + (4 * 32 * 64 + 64) + 4 * (9 * 64 * 64 + 64) + (4 * 64 * 32 + 32) + (9 * 32 * 32 + 32) + (32 + 1)
    assert residual_slice_unet((32, 64), (1, 4)).count_params() == wanted == 173_793


@pytest.mark.parametrize(("filters", "depths", "sides"), [((3,), (2,), (9, 7)), ((2, 3), (1, 2), (10, 6)), ((2, 3, 4), (1, 1, 1), (12, 8))])
def test_the_residual_network_of_slices_starts_as_the_identity(rng, filters, depths, sides):
    network = residual_slice_unet(filters=filters, depths=depths)
    image = rng.normal(0, 2, (2, *sides, 1)).astype(np.float32)
    np.testing.assert_allclose(network.predict_on_batch(image), image, atol=1e-6)


def test_the_residual_network_of_slices_is_blind_to_an_offset_of_the_intensity(rng):
    network = residual_slice_unet(filters=(2, 3), depths=(1, 1))
    network.get_layer("residual").set_weights([rng.normal(0, 1, (1, 1, 2, 1)), np.zeros(1)])
    image = rng.random((1, 12, 10, 1)).astype(np.float32)
    removed = network.predict_on_batch(image) - image
    assert removed.std() > 1e-3
    np.testing.assert_allclose(network.predict_on_batch(image + 1) - (image + 1), removed, atol=1e-4)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: residual_slice_unet((2, 3), (1,)), "name the same levels"),
        (lambda: residual_slice_unet((2, 3, 4), (1, 1, 1), input_shape=(8, 6, 1)), r"divisible by 4.*Received: \(8, 6\)"),
    ],
)
def test_slices_that_cannot_be_halved_are_refused(build, message):
    with pytest.raises(InputError, match=message):
        build()


@pytest.mark.parametrize(
    ("build", "axes"),
    [
        (lambda: residual_slice_unet((2, 3), (1, 1)), "2d"),
        (lambda: residual_unet((None, None, None, 1), (2, 3), (1, 1)), "3d"),
    ],
)
def test_layers_and_their_order_are_those_of_networks_that_were_saved_before(build, axes):
    """Weights of an older file are loaded in the order of the layers, and by their names."""
    keras.backend.clear_session()
    names = "noisy noise_units local_mean local_contrast conv{0} leaky_re_lu conv{0}_1 leaky_re_lu_1 conv{0}_2 leaky_re_lu_2"
    names += " conv{0}_transpose add conv{0}_3 leaky_re_lu_3 residual image_units restored"
    assert [layer.name for layer in build().layers] == names.format(axes).split()
