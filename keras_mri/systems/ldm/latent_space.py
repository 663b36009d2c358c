"""Volumes to latents and back, any shape, and samples drawn there."""

import functools

import numpy as np

from keras_mri.imaging.orientation import Orientation
from keras_mri.networks.latent_diffusion import latent_only, snapped
from keras_mri.systems.ldm.conditions import EXTRA_CHANNELS
from keras_mri.systems.ldm.crops import positions
from keras_mri.systems.ldm.diffusion.samplers import sampler
from keras_mri.systems.ldm.diffusion.sampling import compiled, guided
from keras_mri.systems.ldm.diffusion.schedules import schedule


class LatentSpace:
    """The use of a trained pair: padding before the encoder, cropping after the decoder, codes and samples between.

    Parameters
    ----------
    parts : keras_mri.networks.latent_diffusion.Parts
    config : keras_mri.systems.ldm.settings.Config
        Settings of the training.
    labels : int
        Number of classes.
    affine : ndarray of float64, shape (4, 4), optional
        Of the volumes. A network of any grid sees them from left to right, back to front, bottom to top; without an affine volumes
        are so already.
    """

    def __init__(self, parts, config, labels=0, affine=None):
        self.encoder, self.decoder = latent_only(parts.encoder), parts.decoder
        self.codebooks, self.denoiser = parts.codebooks, parts.denoiser
        self.config, self.labels = config, labels
        self.orientation = Orientation(np.eye(4) if affine is None or not config.any_grid else affine)
        self.cell = 2 ** (len(config.filters) - 1)
        # The denoiser halves the latent's grid further.
        self.factor = self.cell * 2 ** (len(config.unet_filters) - 1)
        # One graph for all frames of a run.
        self._sampler = functools.cache(self._compiled)

    def padded(self, data):
        """Turn a volume as the networks see it, its outermost voxels repeated until they can halve its sides: ndarray, (x, y, z)."""
        data = self.orientation.turned(data)
        return np.pad(data, [(0, -side % self.factor) for side in data.shape[:3]], mode="edge")

    def latent_shape(self, shape):
        """Return the shape of the latent of a volume of this shape, channels included."""
        sides = [shape[axis] for axis in self.orientation.axes]
        return tuple((side + -side % self.factor) // self.cell for side in sides) + (self.config.latent_channels,)

    def positions(self, shape):
        """Return where the cells of a volume's latent lie: ndarray of float32, shape (x', y', z', 3), as `crops.positions` says."""
        sides = [shape[axis] for axis in self.orientation.axes]
        return positions(self.latent_shape(shape)[:3], self.cell, self.orientation.zooms, sides)

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
        return snapped(latent, self.encoder, self.codebooks)

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
        sides = [shape[axis] for axis in self.orientation.axes]
        return self.orientation.turned_back(volume[tuple(slice(side) for side in sides)])

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
            channels = self.config.latent_channels + EXTRA_CHANNELS
            empty = np.zeros((count, *start.shape[1:-1], channels), np.float32)
            wanted["condition"] = self._placed(empty if condition is None else np.broadcast_to(condition, empty.shape), shape)
            nothing["condition"] = self._placed(empty, shape)
        # Where there is nothing to exaggerate, one call is enough.
        guidance = 1.0 if code == self.labels and condition is None else options.guidance
        latents = self._sampler(options.sampler, options.steps, guidance)(start, (wanted, nothing), options.seed)
        return snapped(latents, self.encoder, self.codebooks)

    def _placed(self, condition, shape):
        """Add the positions to a condition where the denoiser knows them."""
        if not self.config.any_grid:
            return condition
        places = self.positions(shape)
        return np.concatenate([condition, np.broadcast_to(places, (*condition.shape[:-1], places.shape[-1]))], axis=-1)

    def _compiled(self, name, steps, guidance):
        plan = schedule(self.config.schedule, self.config.diffusion_steps)
        return compiled(guided(self._denoise, guidance), sampler(name, plan, steps), self.config.prediction, self.denoiser)

    def _denoise(self, x, time, inputs):
        values = {"noisy": x, "time": time, **inputs}
        return self.denoiser([values[tensor.name] for tensor in self.denoiser.inputs], training=False)
