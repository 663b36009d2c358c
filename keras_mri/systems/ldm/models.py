"""The two models that train: the autoencoder, with the latent between its parts and its loss, and the denoiser of latents."""

import typing

import keras
from keras import ops

from keras_mri.networks.latent_diffusion import assembled, latent_only
from keras_mri.systems.ldm.codebooks.residual_quantizer import ResidualQuantizer
from keras_mri.systems.ldm.codebooks.vector_quantizer import perplexity
from keras_mri.training import devices

# Weight of the commitment loss (van den Oord 2017).
_COMMITMENT = 0.25


class LossWeights(typing.NamedTuple):
    """Weights of the terms of the autoencoder's loss.

    Parameters
    ----------
    l1, mse : float
        Mean absolute and mean squared error of the reconstruction.
    latent : float
        KL divergence of the latent from a unit Gaussian, or the distance of latent vectors to their codes.
    """

    l1: float
    mse: float
    latent: float


class VolumeAutoencoder(keras.Model):
    """Encoder and decoder, and between them, while they train, noise of the latent's own SD or a codebook.

    Parameters
    ----------
    encoder, decoder : keras.Model
        Functional; without a codebook the encoder also predicts its log variance.
    weights : LossWeights
    codes : tuple of int, (codebooks, codes), or None
        None makes the latent variational.
    seed : int
    """

    def __init__(self, encoder, decoder, weights, codes=None, seed=0):
        # float32, so that the image is not rounded before the encoder sees it.
        super().__init__(name="volume_autoencoder", dtype="float32")
        self.encoder, self.decoder = encoder, decoder
        self.quantizer = None
        if codes:
            self.quantizer = ResidualQuantizer(*codes, seed, dtype="float32", name="quantizer")
            # Now, not at the first call: on several devices weights must be made outside of the step.
            self.quantizer.build(decoder.input_shape)
        self.term_weights, self.seed = weights, seed
        names = ("error", "latent_loss", *(("perplexity", "usage") if codes else ()))
        self.trackers = {name: keras.metrics.Mean(name=name) for name in names}
        self.built = True

    @property
    def network(self):
        """The network to save: encoder, decoder and codebook as one functional network."""
        codebooks = None if self.quantizer is None else self.quantizer.tables()
        return assembled(latent_only(self.encoder), self.decoder, codebooks)

    def call(self, image, training=False):
        """Return the reconstruction, the latent's loss, and with a codebook the codes' shares: a dict."""
        if self.quantizer is None:
            latent, log_variance = self.encoder(image, training=training)
            terms = {"latent_loss": kl_divergence(latent, log_variance)}
            if training:
                latent += ops.exp(0.5 * log_variance) * self._noise(latent)
        else:
            latent, commitment, shares = self.quantizer(self.encoder(image, training=training), training=training)
            terms = {"latent_loss": _COMMITMENT * commitment, "shares": shares}
        return {"image": self.decoder(latent, training=training), **terms}

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Add up the weighted errors of one batch, and log them."""
        difference = y_pred["image"] - y
        l1 = ops.mean(ops.abs(difference))
        self.trackers["error"].update_state(l1)
        self.trackers["latent_loss"].update_state(y_pred["latent_loss"])
        if self.quantizer is not None:
            self.trackers["perplexity"].update_state(ops.mean(perplexity(y_pred["shares"])))
            self.trackers["usage"].update_state(ops.mean(ops.cast(y_pred["shares"] > 0, "float32")))
        errors = self.term_weights.l1 * l1 + self.term_weights.mse * ops.mean(ops.square(difference))
        # Optimizers sum gradients over devices; dividing by their number yields the gradient of the batch mean.
        return (errors + self.term_weights.latent * y_pred["latent_loss"]) / devices.count()

    def _noise(self, latent):
        return devices.own_noise(latent, self.seed, 0 if self.optimizer is None else self.optimizer.iterations)


def kl_divergence(mean, log_variance):
    """Return how far a diagonal Gaussian is from the unit one, on average over all its dimensions.

    Parameters
    ----------
    mean, log_variance : tensor of float32, same shape

    Returns
    -------
    tensor of float32, shape ()
        Nats.

    References
    ----------
    Kingma & Welling, ICLR 2014, appendix B. arXiv:1312.6114
    """
    return 0.5 * ops.mean(ops.square(mean) + ops.exp(log_variance) - 1 - log_variance)


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
