"""Volumes to latents and back, any shape, and samples drawn there."""

import functools

import numpy as np

from keras_mri.networks.latent_diffusion import latent_only, snapped
from keras_mri.systems.ldm.samplers import sampler
from keras_mri.systems.ldm.sampling import compiled, guided
from keras_mri.systems.ldm.schedules import schedule


class LatentSpace:
    """The use of a trained pair: padding before the encoder, cropping after the decoder, codes and samples between.

    Parameters
    ----------
    parts : keras_mri.networks.latent_diffusion.Parts
    config : keras_mri.systems.ldm.settings.Config
        Settings of the training.
    labels : int
        Number of classes.
    """

    def __init__(self, parts, config, labels=0):
        self.encoder, self.decoder = latent_only(parts.encoder), parts.decoder
        self.codebook, self.denoiser = parts.codebook, parts.denoiser
        self.config, self.labels = config, labels
        self.cell = 2 ** (len(config.filters) - 1)
        # The denoiser halves the latent's grid further.
        self.factor = self.cell * 2 ** (len(config.unet_filters) - 1)
        # One graph for all frames of a run.
        self._sampler = functools.cache(self._compiled)

    def padded(self, data):
        """Repeat the outermost voxels of a volume until the networks can halve its sides: ndarray, shape (x, y, z)."""
        return np.pad(data, [(0, -side % self.factor) for side in data.shape[:3]], mode="edge")

    def latent_shape(self, shape):
        """Return the shape of the latent of a volume of this shape, channels included."""
        return tuple((side + -side % self.factor) // self.cell for side in shape) + (self.config.latent_channels,)

    def encode(self, volume):
        """Return the latent of a volume.

        Parameters
        ----------
        volume : ndarray of float32, shape (x, y, z)
            In network units.

        Returns
        -------
        ndarray of float32, shape (x', y', z', channels)
        """
        latent = np.asarray(self.encoder.predict_on_batch(self.padded(volume)[None, ..., None]))[0]
        return snapped(latent, self.encoder, self.codebook)

    def decode(self, latent, shape):
        """Return the volume of a latent.

        Parameters
        ----------
        latent : ndarray of float32, shape (x', y', z', channels)
        shape : tuple of int, (x, y, z)

        Returns
        -------
        ndarray of float32, shape `shape`
        """
        volume = np.asarray(self.decoder.predict_on_batch(latent[None]))[0, ..., 0]
        return volume[tuple(slice(side) for side in shape)]

    def sample(self, shape, count, options, code, condition=None):
        """Draw latents.

        Parameters
        ----------
        shape : tuple of int, (x, y, z)
            Shape of the volumes.
        count : int
        options : keras_mri.systems.ldm.settings.SamplingOptions
        code : int
            Code of the label; `labels` for none.
        condition : ndarray of float32, shape (x', y', z', channels + 2), optional

        Returns
        -------
        ndarray of float32, shape (count, x', y', z', channels)
        """
        start = np.random.default_rng(options.seed).standard_normal((count, *self.latent_shape(shape)), np.float32)
        wanted, nothing = ({"label": np.full(count, number, np.int32)} for number in (code, self.labels))
        if self.config.condition:
            empty = np.zeros((count, *start.shape[1:-1], self.denoiser.input_shape[-1][-1]), np.float32)
            wanted["condition"] = empty if condition is None else np.broadcast_to(condition, empty.shape)
            nothing["condition"] = empty
        # Where there is nothing to exaggerate, one call is enough.
        guidance = 1.0 if code == self.labels and condition is None else options.guidance
        latents = self._sampler(options.sampler, options.steps, guidance)(start, (wanted, nothing), options.seed)
        return snapped(latents, self.encoder, self.codebook)

    def _compiled(self, name, steps, guidance):
        plan = schedule(self.config.schedule, self.config.diffusion_steps)
        return compiled(guided(self._denoise, guidance), sampler(name, plan, steps), self.config.prediction, self.denoiser)

    def _denoise(self, x, time, inputs):
        values = {"noisy": x, "time": time, **inputs}
        return self.denoiser([values[tensor.name] for tensor in self.denoiser.inputs], training=False)
