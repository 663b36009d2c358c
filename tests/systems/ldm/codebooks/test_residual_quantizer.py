import numpy as np
import pytest
from keras import ops

from keras_mri.systems.ldm.codebooks.residual_quantizer import ResidualQuantizer


def built(codebooks, codes, channels):
    quantizer = ResidualQuantizer(codebooks, codes, dtype="float32")
    quantizer.build((None, None, None, None, channels))
    return quantizer


def test_each_codebook_codes_what_is_left(rng):
    quantizer = built(3, 6, 2)
    tables = rng.standard_normal((3, 6, 2)).astype(np.float32)
    for layer, table in zip(quantizer.quantizers, tables):
        layer.set_weights([table, np.ones(6), table, np.zeros(1)])
    np.testing.assert_array_equal(quantizer.tables(), tables)
    latent = rng.standard_normal((2, 3, 2, 2, 2)).astype(np.float32)
    quantized, commitment, shares = (ops.convert_to_numpy(value) for value in quantizer(latent))
    left = latent.copy()
    for table, share in zip(tables, shares):
        chosen = np.linalg.norm(left[..., None, :] - table, axis=-1).argmin(axis=-1)
        np.testing.assert_allclose(share, np.bincount(chosen.ravel(), minlength=6) / chosen.size, atol=1e-6)
        left = left - table[chosen]
    np.testing.assert_allclose(quantized, latent - left, atol=1e-5)
    assert commitment == pytest.approx(np.mean(left**2), rel=1e-4)


def test_more_codebooks_leave_less(rng):
    """A Gaussian in two dimensions: each codebook of 16 takes at least half of the variance that is left."""
    errors = []
    for codebooks in (1, 2, 3):
        quantizer = built(codebooks, 16, 2)
        draws = np.random.default_rng(0)
        for _ in range(150):
            _, commitment, _ = quantizer(draws.standard_normal((1, 8, 8, 8, 2)).astype(np.float32), training=True)
        errors.append(float(commitment))
    assert errors[0] < 0.3 and errors[1] < 0.5 * errors[0] and errors[2] < 0.5 * errors[1]


def test_the_gradient_passes_straight_through(rng):
    import tensorflow as tf

    quantizer = built(2, 4, 2)
    latent = tf.constant(rng.standard_normal((1, 3, 2, 2, 2)), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(latent)
        total = tf.reduce_sum(quantizer(latent)[0])
    np.testing.assert_allclose(tape.gradient(total, latent), 1)


def test_a_copy_from_its_settings_is_alike():
    copy = ResidualQuantizer.from_config(ResidualQuantizer(2, 4, seed=3, name="quantizer").get_config())
    assert (copy.codebooks, copy.codes, copy.seed, copy.name) == (2, 4, 3, "quantizer")
