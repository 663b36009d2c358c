"""The training of the autoencoder: what passes between encoder and decoder, and what each error costs."""

import keras
from keras import ops

from keras_mri.networks.latent_diffusion import assembled, latent_only
from keras_mri.systems.ldm.vector_quantizer import VectorQuantizer, perplexity
from keras_mri.training import devices as replicas

# What an untidy latent costs: van den Oord 2017 (commitment).
_COMMITMENT = 0.25


class VolumeAutoencoder(keras.Model):
    """Encoder and decoder with what lies between them while they train: noise of the latent's own size, or a codebook.

    Parameters
    ----------
    encoder, decoder : keras.Model
        Functional; the encoder says its log variance if there is no codebook.
    codes : int or None
        Of the codebook; without one the latent is variational.
    l1_weight, mse_weight : float
        Of the reconstruction's errors.
    latent_weight : float
        Of the divergence from a unit Gaussian, or of the distance to the codes.
    seed : int
    """

    def __init__(self, encoder, decoder, codes=None, l1_weight=1.0, mse_weight=1.0, latent_weight=1e-6, seed=0):
        # float32, so that the image is not rounded before the encoder sees it.
        super().__init__(name="volume_autoencoder", dtype="float32")
        self.encoder, self.decoder = encoder, decoder
        self.quantizer = VectorQuantizer(codes, decoder.input_shape[-1], seed) if codes else None
        self.l1_weight, self.mse_weight, self.latent_weight = l1_weight, mse_weight, latent_weight
        self.seed = seed
        names = ("error", "latent_loss", *(("perplexity", "usage") if codes else ()))
        self.trackers = {name: keras.metrics.Mean(name=name) for name in names}
        self.built = True

    @property
    def network(self):
        """What is worth saving: encoder, decoder and codebook as one functional network."""
        codebook = None if self.quantizer is None else self.quantizer.get_weights()[0]
        return assembled(latent_only(self.encoder), self.decoder, codebook)

    def call(self, image, training=False):
        """Return the reconstruction, the latent's loss, and with a codebook the codes' shares: a dict."""
        if self.quantizer is None:
            latent, log_variance = self.encoder(image, training=training)
            judged = {"latent_loss": kl_divergence(latent, log_variance)}
            if training:
                latent += ops.exp(0.5 * log_variance) * self._noise(latent)
        else:
            latent, commitment, shares = self.quantizer(self.encoder(image, training=training), training=training)
            judged = {"latent_loss": _COMMITMENT * commitment, "shares": shares}
        return {"image": self.decoder(latent, training=training), **judged}

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Add up the weighted errors of one batch, and log them."""
        difference = y_pred["image"] - y
        l1 = ops.mean(ops.abs(difference))
        self.trackers["error"].update_state(l1)
        self.trackers["latent_loss"].update_state(y_pred["latent_loss"])
        if self.quantizer is not None:
            self.trackers["perplexity"].update_state(perplexity(y_pred["shares"]))
            self.trackers["usage"].update_state(ops.mean(ops.cast(y_pred["shares"] > 0, "float32")))
        errors = self.l1_weight * l1 + self.mse_weight * ops.mean(ops.square(difference))
        # What optimizers add up over the devices is to be the gradient of the whole batch's mean.
        return (errors + self.latent_weight * y_pred["latent_loss"]) / replicas.count()

    def _noise(self, latent):
        return replicas.own_noise(latent, self.seed, 0 if self.optimizer is None else self.optimizer.iterations)


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
