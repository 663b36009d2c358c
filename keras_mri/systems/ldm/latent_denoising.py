"""The training of the denoiser: a network that predicts noise or velocity, saved together with its autoencoder."""

import keras


class LatentDenoising(keras.Model):
    """A denoiser among the other parts of what will be saved.

    Parameters
    ----------
    denoiser : keras.Model
        As `keras_mri.networks.latent_unet.latent_unet` builds it.
    assemble : callable
        `assemble(denoiser)` returns the whole pair as one functional network.
    """

    def __init__(self, denoiser, assemble):
        super().__init__(name="latent_denoising", dtype="float32")
        self.denoiser, self.assemble = denoiser, assemble
        self.built = True

    @property
    def network(self):
        """The network to save."""
        return self.assemble(self.denoiser)

    def call(self, inputs, training=False):
        """Return the denoiser's prediction for a dict of its inputs by name."""
        return self.denoiser([inputs[tensor.name] for tensor in self.denoiser.inputs], training=training)
