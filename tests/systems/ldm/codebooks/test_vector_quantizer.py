import keras
import numpy as np
import pytest
from keras import ops

from keras_mri.systems.ldm.codebooks import vector_quantizer
from keras_mri.systems.ldm.codebooks.vector_quantizer import VectorQuantizer, nearest, perplexity


def built(codes, channels):
    quantizer = VectorQuantizer(codes)
    quantizer.build((None, None, None, None, channels))
    return quantizer


def test_the_nearest_code_is_found(rng):
    vectors, codebook = rng.standard_normal((40, 3)), rng.standard_normal((7, 3))
    distances = np.linalg.norm(vectors[:, None] - codebook, axis=-1)
    np.testing.assert_array_equal(ops.convert_to_numpy(nearest(vectors, codebook)), distances.argmin(axis=1))


@pytest.mark.parametrize("revival", [True, False])
def test_dead_codes_are_moved_to_where_latents_are(revival, rng, monkeypatch):
    """All codes but one lie far from every latent: without revival they stay there for ever."""
    if not revival:
        monkeypatch.setattr(vector_quantizer, "_DEAD", 0.0)
    quantizer = built(12, 2)
    far = np.concatenate([np.zeros((1, 2)), np.full((11, 2), 100.0)])
    quantizer.set_weights([far, np.ones(12), far, np.zeros(1)])
    for _ in range(300):
        _, commitment, shares = quantizer(rng.uniform(-1, 1, (1, 8, 8, 4, 2)).astype(np.float32), training=True)
    used = (ops.convert_to_numpy(shares) > 0).mean()
    # A square of side 2 about one code has a variance of 1/3; in twelve parts a twelfth of that or so.
    assert (used > 0.9 and float(commitment) < 0.06) if revival else (used < 0.1 and float(commitment) > 0.25)


def test_the_first_batch_fills_the_codebook_with_latents(rng):
    quantizer = built(5, 2)
    assert (quantizer.get_weights()[0] == 0).all()
    latent = rng.standard_normal((1, 4, 4, 4, 2)).astype(np.float32) + 10
    quantizer(latent, training=True)
    assert np.linalg.norm(quantizer.get_weights()[0], axis=1).min() > 5


def test_without_training_the_codebook_stays_and_codes_are_exact(rng):
    quantizer = built(4, 2)
    codebook = rng.standard_normal((4, 2)).astype(np.float32)
    quantizer.set_weights([codebook, np.ones(4), codebook, np.zeros(1)])
    latent = rng.standard_normal((1, 3, 2, 2, 2)).astype(np.float32)
    quantized, commitment, shares = (ops.convert_to_numpy(value) for value in quantizer(latent))
    chosen = np.linalg.norm(latent[..., None, :] - codebook, axis=-1).argmin(axis=-1)
    np.testing.assert_allclose(quantized, codebook[chosen], atol=1e-6)
    np.testing.assert_allclose(commitment, ((latent - codebook[chosen]) ** 2).mean(), rtol=1e-5)
    np.testing.assert_allclose(shares, np.bincount(chosen.ravel(), minlength=4) / 12, rtol=1e-6)
    np.testing.assert_array_equal(quantizer.get_weights()[0], codebook)


def test_the_gradient_passes_straight_through(rng):
    """Of the sum of the quantised latents, the gradient for each latent is one."""
    import tensorflow as tf

    quantizer = built(4, 2)
    quantizer.set_weights([rng.standard_normal((4, 2)), np.ones(4), np.zeros((4, 2)), np.zeros(1)])
    latent = tf.constant(rng.standard_normal((1, 3, 2, 2, 2)), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(latent)
        total = tf.reduce_sum(quantizer(latent)[0])
    np.testing.assert_allclose(tape.gradient(total, latent), 1)


@pytest.mark.parametrize(("shares", "expected"), [([0.25] * 4, 4), ([0.5, 0.5, 0, 0], 2), ([1, 0, 0, 0], 1)])
def test_perplexity_counts_codes(shares, expected):
    assert float(perplexity(np.array(shares, np.float32))) == pytest.approx(expected, rel=1e-3)


def test_the_codebook_takes_no_gradient():
    assert not built(4, 2).trainable_weights and keras.backend.backend()


def test_a_copy_from_its_settings_quantises_alike(rng):
    quantizer = VectorQuantizer(4, seed=3, dtype="float32", name="quantizer")
    latent = rng.standard_normal((1, 3, 2, 2, 2)).astype(np.float32)
    quantizer(latent, training=True)
    copy = VectorQuantizer.from_config(quantizer.get_config())
    assert (copy.codes, copy.seed, copy.name) == (4, 3, "quantizer")
    copy.build(latent.shape)
    assert [weight.name for weight in copy.weights] == ["codebook", "counts", "sums", "draws"]
    copy.set_weights(quantizer.get_weights())
    for one, other in zip(quantizer(latent), copy(latent)):
        np.testing.assert_array_equal(one, other)
