"""A codebook that follows the latents by a moving average, and does not let its codes die.

References
----------
van den Oord et al., NeurIPS 2017, appendix A.1. arXiv:1711.00937
Dhariwal et al., 2020 (revival of dead codes). arXiv:2005.00341
"""

import keras
from keras import ops

from keras_mri.training import devices

_DECAY = 0.99
# A code that is chosen less often than this, where 1 is the average of all codes, is moved to where latents are.
_DEAD = 0.2
_EPSILON = 1e-5


class VectorQuantizer(keras.layers.Layer):
    """Replace each latent vector by the nearest code, and learn the codes while training.

    It takes part in training only; the file holds its codebook, not the layer.

    Parameters
    ----------
    codes : int
        Number of codes.
    seed : int
        Chooses the latents to which dead codes are moved.
    **options
        As for `keras.layers.Layer`.
    """

    def __init__(self, codes, seed=0, **options):
        super().__init__(**options)
        self.codes, self.seed = codes, seed

    def build(self, input_shape):
        """Make the codebook, and the averages that it follows.

        Parameters
        ----------
        input_shape : tuple of int or None, (batch, x, y, z, channels)
        """
        codes, channels = self.codes, input_shape[-1]
        # The devices' averages are equal, so their mean is the same.
        fixed = dict(trainable=False, initializer="zeros", aggregation="mean")
        self.codebook = self.add_weight(shape=(codes, channels), name="codebook", **fixed)
        self.counts = self.add_weight(shape=(codes,), name="counts", **fixed)
        self.sums = self.add_weight(shape=(codes, channels), name="sums", **fixed)
        self.draws = self.add_weight(shape=(1,), dtype="int32", name="draws", **{**fixed, "aggregation": "only_first_replica"})
        super().build(input_shape)

    def get_config(self):
        """Return the arguments of the constructor."""
        return {**super().get_config(), "codes": self.codes, "seed": self.seed}

    def call(self, latent, training=False):
        """Return the quantised latent, with the gradient of the latent itself, the commitment loss, and the codes' shares.

        Parameters
        ----------
        latent : tensor of float32, shape (batch, x, y, z, channels)
        training : bool
            Whether the codebook follows.

        Returns
        -------
        quantized : tensor of float32, same shape
        commitment : tensor of float32, shape ()
            Mean squared distance of the latents to their codes.
        shares : tensor of float32, shape (codes,)
            Share of this batch's latent vectors that each code takes.
        """
        own = ops.reshape(ops.stop_gradient(latent), (-1, latent.shape[-1]))
        vectors = devices.together(own)
        if training:
            self._revive(vectors)
        quantized = ops.reshape(ops.take(self.codebook.value, nearest(own, self.codebook.value), axis=0), ops.shape(latent))
        chosen = ops.one_hot(nearest(vectors, self.codebook.value), self.codes, dtype="float32")
        shares = ops.mean(chosen, axis=0)
        if training:
            self._follow(vectors, chosen, shares)
        commitment = ops.mean(ops.square(latent - ops.stop_gradient(quantized)))
        # Straight through: the decoder's gradient is the encoder's.
        return latent + ops.stop_gradient(quantized - latent), commitment, shares

    def _revive(self, vectors):
        """Move codes that hardly anything chooses to random latents; at first that is all of them."""
        dead = ops.expand_dims(self.counts.value < _DEAD, 1)
        picked = devices.picks(self.codes, ops.shape(vectors)[0], self.seed, self.draws.value[0])
        self.draws.assign(self.draws.value + 1)
        fresh = ops.take(vectors, picked, axis=0)
        self.codebook.assign(ops.where(dead, fresh, self.codebook.value))
        self.sums.assign(ops.where(dead, fresh, self.sums.value))
        self.counts.assign(ops.where(dead[:, 0], 1.0, self.counts.value))

    def _follow(self, vectors, chosen, shares):
        means = ops.matmul(ops.transpose(chosen), vectors) / ops.cast(ops.shape(vectors)[0], "float32")
        self.counts.assign(_DECAY * self.counts.value + (1 - _DECAY) * self.codes * shares)
        self.sums.assign(_DECAY * self.sums.value + (1 - _DECAY) * self.codes * means)
        self.codebook.assign(self.sums.value / ops.expand_dims(self.counts.value + _EPSILON, 1))


def nearest(vectors, codebook):
    """Return the number of the nearest code of each vector.

    Parameters
    ----------
    vectors : tensor, shape (vectors, channels)
    codebook : tensor, shape (codes, channels)

    Returns
    -------
    tensor of int32, shape (vectors,)
    """
    # |v - c|² without |v|², which all codes share.
    return ops.argmin(ops.sum(ops.square(codebook), axis=1) - 2 * ops.matmul(vectors, ops.transpose(codebook)), axis=1)


def perplexity(shares):
    """Return how many codes would do if all were equally frequent: e to the entropy of the shares, for each codebook."""
    return ops.exp(-ops.sum(shares * ops.log(shares + 1e-10), axis=-1))
