"""Several codebooks one after the other: each codes what those before it have left.

References
----------
Zeghidour et al., IEEE/ACM TASLP 30:495, 2022. arXiv:2107.03312
Lee et al., CVPR 2022 (images). arXiv:2203.01941
"""

import keras
import numpy as np
from keras import ops

from keras_mri.systems.ldm.codebooks.vector_quantizer import VectorQuantizer


class ResidualQuantizer(keras.layers.Layer):
    """Replace each latent vector by a sum of codes, one of each codebook, and learn the codes while training.

    Parameters
    ----------
    codebooks, codes : int
        Number of codebooks, and of the codes of each.
    seed : int
        Chooses the latents to which dead codes are moved.
    **options
        As for `keras.layers.Layer`.
    """

    def __init__(self, codebooks, codes, seed=0, **options):
        super().__init__(**options)
        self.quantizers = [VectorQuantizer(codes, seed + k, dtype=self.dtype_policy, name=f"codebook_{k}") for k in range(codebooks)]
        self.codebooks, self.codes, self.seed = codebooks, codes, seed

    def build(self, input_shape):
        """Make the codebooks.

        Parameters
        ----------
        input_shape : tuple of int or None, (batch, x, y, z, channels)
        """
        for quantizer in self.quantizers:
            quantizer.build(input_shape)
        super().build(input_shape)

    def get_config(self):
        """Return the arguments of the constructor."""
        return {**super().get_config(), "codebooks": self.codebooks, "codes": self.codes, "seed": self.seed}

    def tables(self):
        """Return the codes: ndarray of float32, shape (codebooks, codes, channels)."""
        return np.stack([quantizer.get_weights()[0] for quantizer in self.quantizers])

    def call(self, latent, training=False):
        """Return the quantised latent, with the gradient of the latent itself, the commitment loss, and the codes' shares.

        Parameters
        ----------
        latent : tensor of float32, shape (batch, x, y, z, channels)
        training : bool
            Whether the codebooks follow.

        Returns
        -------
        quantized : tensor of float32, same shape
        commitment : tensor of float32, shape ()
            Mean squared distance of the latents to their codes.
        shares : tensor of float32, shape (codebooks, codes)
            Share of this batch's latent vectors that each code takes.
        """
        left, shares = ops.stop_gradient(latent), []
        for quantizer in self.quantizers:
            coded, _, share = quantizer(left, training=training)
            left = left - ops.stop_gradient(coded)
            shares.append(share)
        quantized = ops.stop_gradient(latent) - left
        commitment = ops.mean(ops.square(latent - quantized))
        # Straight through: the decoder's gradient is the encoder's.
        return latent + ops.stop_gradient(quantized - latent), commitment, ops.stack(shares)
