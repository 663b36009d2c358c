import keras
import numpy as np
import pytest

from keras_mri.errors import InputError
from keras_mri.networks.blocks import image_and_contrast, middle_frame, noise_front_end, normalized, residual_head


def test_middle_frame_picks_the_middle_channel_of_any_shape(rng):
    inputs = keras.Input((None, None, None, 5))
    network = keras.Model(inputs, middle_frame(inputs))
    data = rng.random((2, 3, 4, 5, 5), dtype=np.float32)
    np.testing.assert_array_equal(network.predict_on_batch(data), data[..., 2:3])


@pytest.mark.parametrize("frames", [1, 3])
def test_the_front_end_is_the_contrast_to_the_local_mean_of_all_frames_in_units_of_the_noise(frames, rng):
    inputs = keras.Input((None, None, None, frames))
    network = keras.Model(inputs, noise_front_end(inputs, 0.02))
    data = rng.random((1, 9, 8, 7, frames), dtype=np.float32)
    # Oracle: the mean over time of those voxels of the 5³ cube that lie inside the volume.
    expected = np.empty_like(data[0])
    for index in np.ndindex(expected.shape[:3]):
        cube = tuple(slice(max(0, i - 2), i + 3) for i in index)
        expected[index] = (data[0][index] - data[0][cube].mean()) / 0.02
    np.testing.assert_allclose(network.predict_on_batch(data)[0], expected, atol=1e-4)


def test_the_image_comes_beside_its_contrast(rng):
    inputs = keras.Input((None, None, None, 1))
    both, contrast = (keras.Model(inputs, build(inputs, 0.2)) for build in (image_and_contrast, noise_front_end))
    data = rng.random((1, 6, 5, 4, 1), dtype=np.float32)
    np.testing.assert_array_equal(both.predict_on_batch(data)[..., :1], data)
    np.testing.assert_allclose(both.predict_on_batch(data)[..., 1:], contrast.predict_on_batch(data), atol=1e-5)


def test_the_residual_is_scaled_to_image_units_and_added(rng):
    inputs = keras.Input((None, None, None, 3))
    network = keras.Model(inputs, residual_head(inputs, inputs, 0.5))
    network.get_layer("residual").set_weights([np.array([1.0, 2.0, 4.0]).reshape(1, 1, 1, 3, 1), np.array([8.0])])
    data = rng.random((1, 2, 3, 4, 3), dtype=np.float32)
    expected = data[..., 1] + 0.5 * (data @ np.array([1.0, 2.0, 4.0]) + 8)
    np.testing.assert_allclose(network.predict_on_batch(data)[..., 0], expected, rtol=1e-5)


def test_a_filter_over_the_frames_takes_the_middle_frames_place_and_is_not_trained(rng):
    inputs = keras.Input((None, None, None, 3))
    network = keras.Model(inputs, residual_head(inputs, inputs, 0.5, (0.25, 0.5, 0.25)))
    data = rng.random((1, 2, 3, 4, 3), dtype=np.float32)
    np.testing.assert_allclose(network.predict_on_batch(data), data @ np.array([[0.25], [0.5], [0.25]]), rtol=1e-5)
    assert [variable.path.split("/")[0] for variable in network.trainable_variables] == ["residual", "residual"]


def test_an_unknown_normalization_is_refused():
    with pytest.raises(InputError, match="one of batch, none"):
        normalized(keras.Input((4, 4, 4, 1)), "instance")
