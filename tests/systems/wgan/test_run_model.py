"""The loss of the network of runs, term by term, against loops over activations."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_mri.systems.wgan import run_model
from keras_mri.systems.wgan.run_copies import TARGET_NOISE
from keras_mri.systems.wgan.run_model import RunModel, RunRules, active_error, responses
from keras_mri.training.adversarial import wasserstein_losses

BATCH, MAPS, PATCH = 2, 4, (6, 4, 5)


def loop(response, activation, labels, weights, keep):
    """The same in NumPy, one activation of one patch at a time."""
    mean = lost = inside = spread = 0.0
    for r, a, numbers, w in zip(*(np.asarray(array, np.float64) for array in (response, activation, labels, weights))):
        blobs = []
        for number in sorted(set(numbers[numbers > 0].astype(int))):
            here = w * (numbers == number)
            power = (here * a**2).sum()
            if power > 0.5:
                blobs.append((power, (here * r * a).sum() / (power + 1e-3), (here * (r - a) ** 2).sum() / (power + 1e-3)))
        total = sum(np.sqrt(power) for power, *_ in blobs) + 1e-6
        for power, share, error in blobs:
            judged = np.sqrt(power) / total / len(labels)
            mean += judged * share
            lost += judged * max(keep - share, 0) ** 2
            inside += judged * min(error, 4.0)
        outside = w * (numbers == 0)
        spread += (outside * (r - a) ** 2).sum() / ((w * a**2).sum() + 1.0) / len(labels)
    return mean, lost, inside + spread


def example(seed=0, blobs=5):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, blobs + 1, (BATCH, *PATCH)).astype(np.int32)
    # Some activations are far weaker than others.
    size = np.concatenate([[0], 10.0 ** rng.uniform(-3, 1, blobs)])
    activation = (size[labels][:, None] * rng.standard_normal((BATCH, MAPS, 1, 1, 1))).astype(np.float32)
    response = (activation * rng.uniform(-0.5, 1.5, (BATCH, 1, *PATCH)) + 0.1 * rng.standard_normal(activation.shape)).astype(np.float32)
    weights = (rng.random((BATCH, *PATCH)) < 0.8).astype(np.float32)
    return response, activation, labels, weights


@pytest.mark.parametrize("keep", [0.5, 0.95, 1.0])
@pytest.mark.parametrize("seed", range(4))
def test_responses_are_those_of_a_loop_over_activations(seed, keep):
    values = example(seed)
    kept, error = responses(*(tf.constant(array) for array in values), keep)
    np.testing.assert_allclose((kept["mean"], kept["lost"], error), loop(*values, keep), rtol=2e-4, atol=1e-6)


def test_a_perfect_response_costs_nothing_and_none_costs_all():
    _, activation, labels, weights = example()
    activation = activation * (labels > 0)[:, None]
    kept, error = responses(*(tf.constant(array) for array in (activation, activation, labels, weights)), 0.95)
    assert (float(kept["mean"]), float(kept["lost"])) == (pytest.approx(1, abs=0.01), 0.0)
    assert float(error) == pytest.approx(0, abs=1e-6)
    kept, error = responses(*(tf.constant(array) for array in (0 * activation, activation, labels, weights)), 0.95)
    assert (float(kept["mean"]), float(error)) == (0.0, pytest.approx(1, abs=0.01))
    assert float(kept["lost"]) == pytest.approx(0.95**2, rel=1e-4)


def test_more_than_is_asked_for_costs_nothing():
    _, activation, labels, weights = example()
    kept, _ = responses(*(tf.constant(array) for array in (0.8 * activation, activation, labels, weights)), 0.75)
    assert float(kept["lost"]) == 0 and float(kept["mean"]) == pytest.approx(0.8, abs=0.01)


def test_a_wild_response_of_one_activation_is_bounded():
    labels = np.ones((1, *PATCH), np.int32)
    activation, weights = np.ones((1, MAPS, *PATCH), np.float32), np.ones((1, *PATCH), np.float32)
    _, error = responses(*(tf.constant(array) for array in (-100 * activation, activation, labels, weights)), 0.95)
    assert float(error) == pytest.approx(4, rel=1e-4)


def test_a_patch_without_activation_or_tissue_is_finite_and_free():
    nothing = tf.zeros((BATCH, MAPS, *PATCH))
    for weights in (np.zeros, np.ones):
        kept, error = responses(
            nothing, nothing, tf.zeros((BATCH, *PATCH), tf.int32), tf.constant(weights((BATCH, *PATCH), np.float32)), 0.95
        )
        assert [float(value) for value in (kept["mean"], kept["lost"], error)] == [0, 0, 0]


def test_activations_of_two_patches_with_one_number_are_two():
    labels = np.ones((2, *PATCH), np.int32)
    activation = np.ones((2, MAPS, *PATCH), np.float32)
    response = activation * np.array([1.9, 0.1], np.float32)[:, None, None, None, None]
    kept, _ = responses(*(tf.constant(array) for array in (response, activation, labels, np.ones((2, *PATCH), np.float32))), 1.0)
    # As one activation its mean share would be 1, and nothing lost.
    assert float(kept["lost"]) == pytest.approx((1 - 0.1) ** 2 / 2, rel=1e-2)


def scaling(factor):
    """A network that multiplies the map."""
    inputs = keras.Input((None, None, None, 5))
    layer = keras.layers.Conv3D(1, 1, use_bias=False)
    network = keras.Model(inputs, layer(inputs))
    layer.set_weights([np.array([factor, 0, 0, 0, 0], np.float32).reshape(1, 1, 1, 5, 1)])
    return network


def batch(seed=0):
    _, activation, labels, weights = example(seed)
    rng = np.random.default_rng(seed + 10)
    without = rng.standard_normal((BATCH, MAPS, *PATCH, 5)).astype(np.float32)
    channels = without.copy()
    channels[..., 0] += activation
    targets = (activation + 2 * rng.standard_normal(activation.shape)).astype(np.float32)
    return channels, without, targets, labels, weights


def active_loop(error, activation, labels, weights):
    """The error where activations are, patch by patch and map by map."""
    result = 0.0
    for e, a, numbers, w in zip(*(np.asarray(array, np.float64) for array in (error, activation, labels, weights))):
        voxels = w * (numbers > 0)
        power = [(voxels * each**2).sum() for each in a]
        for each, own in zip(e, power):
            result += own / (sum(power) + 1e-6) * ((voxels * each**2).sum() / max(voxels.sum(), 1) - TARGET_NOISE) / len(labels)
    return result


@pytest.mark.parametrize("seed", range(3))
def test_the_error_of_active_places_counts_maps_by_their_power(seed):
    response, activation, labels, weights = example(seed)
    error = response - activation + 2 * np.random.default_rng(seed).standard_normal(response.shape).astype(np.float32)
    given = (error, activation, labels, weights)
    assert float(active_error(*(tf.constant(array) for array in given))) == pytest.approx(active_loop(*given), rel=1e-4, abs=1e-5)


def test_a_patch_without_activation_has_no_error_of_active_places():
    error, nothing = tf.ones((BATCH, MAPS, *PATCH)), tf.zeros((BATCH, *PATCH))
    assert float(active_error(error, tf.zeros_like(error), tf.cast(nothing, tf.int32), nothing + 1)) == 0


def test_the_loss_is_the_sum_of_its_weighted_terms():
    channels, without, targets, labels, weights = data = batch()
    model = RunModel(scaling(0.6), RunRules(keep=0.9, response_weight=0.25))
    parts, restored = model.losses_of(tuple(tf.constant(array) for array in data), training=True)
    np.testing.assert_allclose(restored, 0.6 * channels[..., 0], rtol=1e-5)
    errors = [(w[None] * (0.6 * c[..., 0] - t) ** 2).sum() / (MAPS * w.sum()) for c, t, w in zip(channels, targets, weights)]
    activation = channels[..., 0] - without[..., 0]
    mean, lost, response = loop(0.6 * activation, activation, labels, weights, 0.9)
    assert float(parts["squared_error"]) == pytest.approx(np.mean(errors) - TARGET_NOISE, rel=1e-4)
    assert float(parts["kept"]) == pytest.approx(mean, rel=1e-3)
    assert float(parts["response_error"]) == pytest.approx(response, rel=1e-3)
    active = active_loop(0.6 * channels[..., 0] - targets, activation, labels, weights)
    expected = np.mean(errors) - TARGET_NOISE + run_model._ACTIVE_WEIGHT * active + run_model._KEEP_WEIGHT * lost + 0.25 * response
    assert float(parts["loss"]) == pytest.approx(expected, rel=1e-3)


def test_a_batch_without_tissue_has_no_gradient_and_is_finite():
    *data, weights = batch()
    parts, _ = RunModel(scaling(1.0), RunRules()).losses_of((*data, tf.zeros_like(weights)), training=False)
    assert all(np.isfinite(float(value)) for value in parts.values())


def test_a_step_follows_the_loss_downhill(eagerly):
    model = RunModel(scaling(3.0), RunRules())
    model.compile(keras.optimizers.SGD(0.01))
    data = tuple(tf.constant(array) for array in batch())
    first = float(model.train_step(data)["loss"])
    model.reset_metrics()
    assert float(model.train_step(data)["loss"]) < first
    assert set(model.test_step(data)) == {"error"}


def test_validation_is_the_whole_loss(eagerly):
    model = RunModel(scaling(0.5), RunRules())
    model.compile(keras.optimizers.SGD(0.01))
    data = tuple(tf.constant(array) for array in batch())
    assert float(model.test_step(data)["error"]) == pytest.approx(float(model.losses_of(data, False)[0]["error"]), rel=1e-5)


def _critic():
    inputs = keras.Input((*PATCH, 1))
    return keras.Model(inputs, keras.layers.Dense(1)(keras.layers.Flatten()(inputs)))


def test_the_critic_has_its_say_only_with_an_optimizer(eagerly):
    data = tuple(tf.constant(array) for array in batch())
    critic = _critic()
    model = RunModel(scaling(1.0), RunRules(adversarial_weight=0.1, critic_steps=2), critic, wasserstein_losses(10.0), seed=1)
    before = [weight.copy() for weight in critic.get_weights()]
    model.compile(keras.optimizers.SGD(1e-3))
    assert "critic_loss" not in model.train_step(data)
    for one, two in zip(before, critic.get_weights()):
        np.testing.assert_array_equal(one, two)
    model.compile(keras.optimizers.SGD(1e-3), keras.optimizers.SGD(1e-3))
    said = model.train_step(data)
    assert {"critic_loss", "adversarial_loss"} <= set(said) and all(np.isfinite(float(value)) for value in said.values())
    assert any((one != two).any() for one, two in zip(before, critic.get_weights()))
    assert int(model.critic_optimizer.iterations) == 2
