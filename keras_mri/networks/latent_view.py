"""The best linear denoiser of latents of which a view is known: a coarse or a damaged volume, on any grid.

What a view says is nearly right already. A denoiser that begins here need not learn to copy it, only what the view lacks.
"""

import typing

import numpy as np
from keras import layers

from keras_mri.networks.latent_prior import LEAST_VARIANCE, linear_rates, reshaped, table


class ViewRates(typing.NamedTuple):
    """How much of a noisy latent and of its view the best linear denoiser says, for each step and channel.

    Parameters
    ----------
    nothing, known, coarse : pair of ndarray of float32, shape (steps, channels)
        The result of `linear_rates` where nothing is known, in known cells of a damaged view, and in a coarse view.
    """

    nothing: tuple
    known: tuple
    coarse: tuple

    @property
    def grid(self):
        """Sides of the latents; None for any."""
        return (None, None, None)

    def said(self, inputs):
        """Apply the denoiser: keras tensor, shape of `noisy`, float32; parameters as for `view_denoiser`."""
        return view_denoiser(inputs["noisy"], inputs["time"], inputs["condition"], self)


def view_rates(clean, views, prediction, plan):
    """Find how far latents are from their views, and make the best linear denoiser of that.

    Parameters
    ----------
    clean : ndarray of float32, shape (volumes, x', y', z', channels)
        Of unit variance.
    views : ndarray of float32, shape (volumes, views, x', y', z', channels + 2)
        Each the latent of a view, the share of each cell's voxels that is known, and whether the view is coarse.
    prediction : {"noise", "velocity"}
    plan : keras_mri.systems.ldm.diffusion.schedules.Schedule

    Returns
    -------
    ViewRates
    """
    channels = clean.shape[-1]
    total, counts = np.zeros((2, channels)), np.zeros(2)
    for latent, seen in zip(clean, views):
        for view in seen:
            squares, known, coarse = (latent - view[..., :channels]) ** 2, view[..., channels], view[..., channels + 1]
            for kind, where in enumerate(((known == 1) & (coarse == 0), coarse == 1)):
                total[kind] += squares[where].sum(axis=0, dtype=np.float64)
                counts[kind] += np.count_nonzero(where)
    variances = np.maximum(total / np.maximum(counts, 1)[:, None], LEAST_VARIANCE)
    return ViewRates(*(linear_rates(prediction, plan, variance) for variance in (np.ones(channels), *variances)))


def view_denoiser(noisy, time, condition, rates):
    """Apply the best linear denoiser to keras tensors, in layers that do not train.

    Parameters
    ----------
    noisy : keras tensor, shape (batch, x', y', z', channels)
    time : keras tensor of integers, shape (batch,)
    condition : keras tensor, shape (batch, x', y', z', channels + 2 or more)
        As `views` of `view_rates`; zeros where nothing is known.
    rates : ViewRates

    Returns
    -------
    keras tensor, shape of `noisy`
        float32.
    """
    channels, width = noisy.shape[-1], condition.shape[-1]
    ahead = np.eye(width, dtype=np.float32)
    view = _picked("view", ahead[:, :channels], condition)
    # A coarse view counts as known everywhere.
    states = {"known": ahead[:, channels] - ahead[:, channels + 1], "coarse": ahead[:, channels + 1]}
    flags = {name: _picked(f"is_{name}", weights[:, None], condition) for name, weights in states.items()}
    terms = []
    for number, (tensor, name) in enumerate(((noisy, "noisy"), (view, "view"))):
        factor = reshaped(table(f"{name}_rates", rates.nothing[number])(time), (1, 1, 1, channels))
        for kind, more in (("known", rates.known), ("coarse", rates.coarse)):
            change = reshaped(table(f"{name}_rates_{kind}", more[number] - rates.nothing[number])(time), (1, 1, 1, channels))
            factor = layers.Add(dtype="float32")([factor, layers.Multiply(dtype="float32")([change, flags[kind]])])
        terms.append(layers.Multiply(dtype="float32")([tensor, factor]))
    return layers.Add(dtype="float32")(terms)


def _picked(name, weights, tensor):
    """Some channels of a tensor, or fixed sums of them."""
    layer = layers.Conv3D(weights.shape[1], 1, use_bias=False, trainable=False, dtype="float32", name=name)
    picked = layer(tensor)
    layer.set_weights([weights[None, None, None]])
    return picked
