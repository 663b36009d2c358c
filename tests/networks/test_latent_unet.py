import keras
import numpy as np
import pytest

from keras_mri.networks.latent_unet import latent_unet, sinusoids


@pytest.fixture
def network():
    keras.utils.set_random_seed(0)
    network = latent_unet(3, labels=2, steps=50, filters=(8, 12), depth=1, condition_channels=5)
    # Zero at the start, the last layer would hide all that is before it.
    said = network.get_layer("said")
    said.set_weights([np.random.default_rng(0).normal(0, 0.1, weight.shape) for weight in said.get_weights()])
    return network


def inputs(rng, shape=(6, 4, 2), batch=4):
    noisy, condition = (rng.standard_normal((batch, *shape, channels)).astype(np.float32) for channels in (3, 5))
    return [noisy, np.array([0, 10, 30, 49]), np.array([0, 1, 2, 1]), condition]


def test_before_training_it_says_nothing(rng):
    network = latent_unet(3, labels=0, steps=50, filters=(8, 12))
    noisy, time, label, _ = inputs(rng)
    np.testing.assert_array_equal(network.predict_on_batch([noisy, time, 0 * label]), np.zeros_like(noisy))


@pytest.mark.parametrize("changed", range(4))
def test_everything_it_is_told_changes_what_it_says(network, changed, rng):
    told = inputs(rng)
    before = network.predict_on_batch(told)
    told[changed] = (told[changed] + 1) % 3 if changed in (1, 2) else told[changed] + 1
    after = network.predict_on_batch(told)
    assert (np.abs(after - before).max(axis=(1, 2, 3, 4)) > 1e-5).all()


def test_every_trainable_weight_gets_a_gradient(network, rng):
    network.compile(keras.optimizers.SGD(1.0), loss="mse")
    before = network.get_weights()
    noisy, *rest = inputs(rng)
    network.train_on_batch([noisy, *rest], rng.standard_normal(noisy.shape).astype(np.float32))
    names = [weight.path for weight in network.weights]
    still = {name for name, old, new in zip(names, before, network.get_weights(), strict=True) if np.array_equal(old, new)}
    assert still == {weight.path for weight in network.non_trainable_weights} and len(still) == 1


def test_time_is_told_to_every_block(network):
    blocks = [layer for layer in network.layers if isinstance(layer, keras.layers.Reshape)]
    convolutions = [layer for layer in network.layers if isinstance(layer, keras.layers.Conv3D) and layer.kernel_size == (3, 3, 3)]
    # Two convolutions a block; beside them those that begin, halve, double and end.
    assert len(blocks) == 5 and len(convolutions) == 2 * len(blocks) + 4


def test_the_coarsest_level_attends_to_all_of_the_volume(rng):
    """A voxel far beyond the reach of its convolutions changes what is said of another."""
    network = latent_unet(1, labels=0, steps=5, filters=(4, 4))
    rng = np.random.default_rng(1)
    network.set_weights([rng.normal(0, 0.3, weight.shape) for weight in network.get_weights()])
    noisy = rng.standard_normal((1, 128, 2, 2, 1)).astype(np.float32)
    others = [np.zeros(1, np.int32), np.zeros(1, np.int32)]
    attention = next(layer for layer in network.layers if isinstance(layer, keras.layers.MultiHeadAttention))
    assert attention.attention_axes == (1, 2, 3)
    before = network.predict_on_batch([noisy, *others])
    noisy[0, :2] += 5
    assert np.abs(network.predict_on_batch([noisy, *others])[0, -1] - before[0, -1]).max() > 1e-6


def test_steps_have_embeddings_of_their_own():
    table = sinusoids(1000, 32)
    assert table.shape == (1000, 32)
    np.testing.assert_allclose(table[3, [0, 16]], [np.cos(3), np.sin(3)], rtol=1e-6)
    distances = np.linalg.norm(table[:, None] - table[None, :200], axis=-1)
    assert np.sort(distances, axis=0)[1].min() > 0.05


def test_parameters_are_as_many_as_the_readme_says():
    """Counted by hand from kernels, biases, norms and tables: 32 latent channels, five labels, a condition of 34."""
    assert latent_unet(32, 5, 1000, condition_channels=34).count_params() == 4_527_712
