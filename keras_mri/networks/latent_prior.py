"""The best linear denoiser of latents: it knows the mean of every label at every position, and how far volumes stray from it.

Frames of a run differ little from their mean. A denoiser that begins here need not learn the mean, only what is left.

References
----------
Lee et al., ICLR 2022 (a diffusion that starts from the data's mean and variance). arXiv:2106.06406
"""

import typing

import numpy as np
from keras import layers

# Lower bound on the variance around a label's mean (latents have unit variance).
LEAST_VARIANCE = 1e-4


class Prior(typing.NamedTuple):
    """First and second moments of clean latents, for linear denoising.

    Parameters
    ----------
    means : ndarray of float32, shape (labels + 1, x', y', z', channels)
        Mean latent of each label; the last one is the mean of all volumes.
    variance, variance_of_all : ndarray of float64, shape (channels,)
        Around the mean of their label, and around that of all volumes; over volumes and positions.
    """

    means: np.ndarray
    variance: np.ndarray
    variance_of_all: np.ndarray


def prior_of(clean, codes, labels):
    """Find means and variance.

    Parameters
    ----------
    clean : ndarray of float32, shape (volumes, x', y', z', channels)
    codes : ndarray of int, shape (volumes,)
        Labels; `labels` itself for none.
    labels : int
        Number of classes.

    Returns
    -------
    Prior, or None
        None of a single volume: nothing tells how far volumes stray. A label with one volume has the mean of all.
    """
    if len(clean) < 2:
        return None
    of_all = clean.mean(axis=0)
    # One volume of a label is no mean: the file would hold that volume, and samples would be it.
    groups = [clean[codes == code] for code in range(labels)]
    groups = [group if len(group) > 1 else None for group in groups]
    total = ((clean - of_all) ** 2).sum(axis=0, dtype=np.float64) / (len(clean) - 1)
    within, freedom = total, 1
    if any(group is not None for group in groups):
        known = [group for group in groups if group is not None]
        within = sum(((group - group.mean(axis=0)) ** 2).sum(axis=0, dtype=np.float64) for group in known)
        freedom = sum(len(group) - 1 for group in known)
    means = [of_all if group is None else group.mean(axis=0) for group in groups]
    variances = [np.maximum(part.mean(axis=(0, 1, 2)), LEAST_VARIANCE) for part in (within / freedom, total)]
    return Prior(np.stack([*means, of_all]), *variances)


def linear_rates(prediction, plan, variance):
    """Return how much of a noisy latent, and how much of the mean, the best linear denoiser says.

    Parameters
    ----------
    prediction : {"noise", "velocity"}
    plan : keras_mri.systems.ldm.diffusion.schedules.Schedule
    variance : ndarray of float64, shape (channels,)
        Of clean latents around their mean.

    Returns
    -------
    of_noisy, of_mean : ndarray of float32, shape (steps, channels)
    """
    signal, noise = plan.signal_rates[:, None], plan.noise_rates[:, None]
    # x₀ = mean + gain · (x - signal · mean), and ε what is then left of x.
    gain = signal * variance / (signal**2 * variance + noise**2)
    if prediction == "noise":
        of_noisy, of_mean = (1 - signal * gain) / noise, -signal * (1 - signal * gain) / noise
    else:
        # signal · ε - noise · x₀, with ε = (x - signal · x₀) / noise and signal² + noise² = 1
        of_noisy, of_mean = (signal - gain) / noise, -(1 - signal * gain) / noise
    return of_noisy.astype(np.float32), of_mean.astype(np.float32)


class Linear(typing.NamedTuple):
    """The best linear denoiser, as tables.

    Parameters
    ----------
    means : ndarray of float32, shape (labels + 1, x', y', z', channels)
        The means of a `Prior`.
    labelled, unlabelled : pair of ndarray of float32, shape (steps, channels)
        The result of `linear_rates` with a label, and without one.
    """

    means: np.ndarray
    labelled: tuple
    unlabelled: tuple

    @property
    def grid(self):
        """Sides of the latents, (x', y', z')."""
        return self.means.shape[1:4]

    def said(self, inputs):
        """Apply the denoiser: keras tensor, shape of `noisy`, float32; parameters as for `linear_denoiser`."""
        return linear_denoiser(inputs["noisy"], inputs["time"], inputs["label"], self)


def linear_of(prior, prediction, plan):
    """Make the best linear denoiser of what a prior knows.

    Parameters
    ----------
    prior : Prior
    prediction : {"noise", "velocity"}
    plan : keras_mri.systems.ldm.diffusion.schedules.Schedule

    Returns
    -------
    Linear
    """
    return Linear(prior.means, *(linear_rates(prediction, plan, variance) for variance in (prior.variance, prior.variance_of_all)))


def linear_denoiser(noisy, time, label, linear):
    """Apply the best linear denoiser to keras tensors, in layers that do not train.

    Parameters
    ----------
    noisy : keras tensor, shape (batch, x', y', z', channels)
    time, label : keras tensor of integers, shape (batch,)
    linear : Linear

    Returns
    -------
    keras tensor, shape of `noisy`
        float32.
    """
    shape = linear.means.shape[1:]
    mean = reshaped(table("label_means", linear.means.reshape(len(linear.means), -1))(label), shape)
    # 1 for the last label, which stands for none.
    unlabelled = table("unlabelled", np.eye(len(linear.means))[:, -1:].astype(np.float32))(label)
    terms = []
    for tensor, name, rate, other in zip((noisy, mean), ("noisy_rates", "mean_rates"), linear.labelled, linear.unlabelled):
        change = layers.Multiply(dtype="float32")([table(f"{name}_unlabelled", other - rate)(time), unlabelled])
        factor = layers.Add(dtype="float32")([table(name, rate)(time), change])
        terms.append(layers.Multiply(dtype="float32")([tensor, reshaped(factor, (1, 1, 1, shape[-1]))]))
    return layers.Add(dtype="float32")(terms)


def reshaped(tensor, shape):
    """Give a keras tensor another shape, behind its batch axis."""
    return layers.Reshape(shape, dtype="float32")(tensor)


def table(name, values):
    """Return a layer that looks rows up, which does not train.

    Parameters
    ----------
    name : str
    values : ndarray of float32, shape (rows, columns)

    Returns
    -------
    keras.layers.Embedding
    """
    rows = layers.Embedding(*values.shape, trainable=False, dtype="float32", name=name)
    rows.build(())
    rows.set_weights([values])
    return rows
