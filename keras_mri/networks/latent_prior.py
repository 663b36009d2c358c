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
# Few volumes tell little about a position: its variance is drawn to that of its channel as if so many more had been seen.
_PULL = 8
# Sampling may begin where next to nothing of the signal is left.
_LEAST_SIGNAL = 1e-6


class Prior(typing.NamedTuple):
    """First and second moments of clean latents, for linear denoising.

    Parameters
    ----------
    means : ndarray of float32, shape (labels + 1, x', y', z', channels)
        Mean latent of each label; the last one is the mean of all volumes.
    variance, variance_of_all : ndarray of float64, shape (x', y', z', channels)
        Around the mean of their label, and around that of all volumes.
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
    return Prior(np.stack([*means, of_all]), _drawn_together(within / freedom, freedom), _drawn_together(total, len(clean) - 1))


def _drawn_together(variance, freedom):
    of_channel = variance.mean(axis=(0, 1, 2))
    return np.maximum((freedom * variance + _PULL * of_channel) / (freedom + _PULL), LEAST_VARIANCE)


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
    log_variances : ndarray of float32, shape (2, x', y', z', channels)
        Logarithms of its variances: with a label, and without one.
    signal, noise : ndarray of float64, shape (steps,)
        The rates of the schedule.
    prediction : {"noise", "velocity"}
    """

    means: np.ndarray
    log_variances: np.ndarray
    signal: np.ndarray
    noise: np.ndarray
    prediction: str

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
    logarithms = np.log([prior.variance, prior.variance_of_all]).astype(np.float32)
    return Linear(prior.means, logarithms, np.maximum(plan.signal_rates, _LEAST_SIGNAL), plan.noise_rates, prediction)


def linear_denoiser(noisy, time, label, linear):
    """Apply the best linear denoiser to keras tensors, in layers that do not train.

    With signal s, noise n, mean m and variance v it says w · (x - s · m) of the noise, and w · (s · (1 - v) · x - m) of the velocity,
    where w = n / (s² · v + n²) = sigmoid(log(n² / s²) - log v) / n: what `linear_rates` says, for each position, without a difference
    of large numbers.

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
    shape, labels = linear.means.shape[1:], len(linear.means)
    mean = reshaped(table("label_means", linear.means.reshape(labels, -1))(label), shape)
    # The last label stands for none.
    kind = table("unlabelled", np.eye(2, dtype=np.float32)[(np.arange(labels) == labels - 1).astype(int)])(label)
    log_variance = reshaped(_chosen("log_variances", linear.log_variances.reshape(2, -1))(kind), shape)
    ratio, signal, one_over_noise = (
        reshaped(table(name, values[:, None].astype(np.float32))(time), (1, 1, 1, 1))
        for name, values in (
            ("log_noise_to_signal", 2 * np.log(linear.noise / linear.signal)),
            ("signal", linear.signal),
            ("one_over_noise", 1 / linear.noise),
        )
    )
    weight = layers.Activation("sigmoid", dtype="float32")(layers.Subtract(dtype="float32")([ratio, log_variance]))
    weight = _product(weight, one_over_noise)
    if linear.prediction == "noise":
        difference = layers.Subtract(dtype="float32")([noisy, _product(mean, signal)])
    else:
        # 1 - v
        rest = layers.Rescaling(-1.0, 1.0, dtype="float32")(layers.Activation("exponential", dtype="float32")(log_variance))
        difference = layers.Subtract(dtype="float32")([_product(noisy, rest, signal), mean])
    return _product(difference, weight)


def _product(*factors):
    return layers.Multiply(dtype="float32")(list(factors))


def _chosen(name, values):
    """Return a layer that sums rows by weights, which does not train."""
    rows = layers.Dense(values.shape[1], use_bias=False, trainable=False, dtype="float32", name=name)
    rows.build((None, len(values)))
    rows.set_weights([values])
    return rows


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
