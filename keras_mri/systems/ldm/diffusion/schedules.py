"""How signal gives way to noise over the steps of a diffusion, and what a network may predict of the two.

At step t a clean sample x₀ has become x_t = signal_rate_t · x₀ + noise_rate_t · ε with ε ~ N(0, 1); the rates square-sum to one.
"""

import dataclasses

import numpy as np

from keras_mri.errors import InputError

PREDICTIONS = ("noise", "velocity")
# Nichol & Dhariwal 2021: no step removes all that is left, and the first ones are not too small.
_MOST_BETA, _COSINE_OFFSET = 0.999, 0.008
# Ho 2020, for 1000 steps; Rombach 2022, likewise.
_LINEAR, _SCALED_LINEAR, _THEIR_STEPS = (1e-4, 0.02), (0.00085, 0.012), 1000


@dataclasses.dataclass(frozen=True)
class Schedule:
    """The rates of every step, from nearly clean to nearly noise.

    Parameters
    ----------
    signal_rates, noise_rates : ndarray of float64, shape (steps,)
        signal_rate**2 + noise_rate**2 == 1.
    """

    signal_rates: np.ndarray
    noise_rates: np.ndarray

    @property
    def steps(self):
        """Number of steps."""
        return len(self.signal_rates)

    @property
    def snr(self):
        """Signal-to-noise ratio of every step (of variances): ndarray of float64, shape (steps,)."""
        return (self.signal_rates / self.noise_rates) ** 2


def schedule(name, steps=1000):
    """Make a schedule.

    Parameters
    ----------
    name : {"cosine", "linear", "scaled-linear"}
    steps : int

    Returns
    -------
    Schedule

    Raises
    ------
    InputError
        If there is no such schedule.

    References
    ----------
    Ho et al., NeurIPS 2020 (linear). arXiv:2006.11239
    Nichol & Dhariwal, ICML 2021 (squared cosine). arXiv:2102.09672
    Rombach et al., CVPR 2022 (scaled linear). arXiv:2112.10752
    """
    if name not in SCHEDULES:
        raise InputError(f"unknown schedule {name!r}. Expected one of: {', '.join(SCHEDULES)}.")
    kept = np.cumprod(1 - SCHEDULES[name](steps))
    return Schedule(np.sqrt(kept), np.sqrt(1 - kept))


def target(prediction, clean, noise, signal_rate, noise_rate):
    """Return the prediction target of the network, from arrays or tensors of any library.

    Parameters
    ----------
    prediction : {"noise", "velocity"}
    clean, noise : array
    signal_rate, noise_rate : array
        Broadcast against them.

    Returns
    -------
    array
        ε; or the velocity signal_rate · ε - noise_rate · x₀.

    References
    ----------
    Salimans & Ho, ICLR 2022 (velocity). arXiv:2202.00512
    """
    return noise if prediction == "noise" else signal_rate * noise - noise_rate * clean


def clean_and_noise(prediction, predicted, noisy, signal_rate, noise_rate):
    """Return the clean sample and the noise that a network's output means: the inverse of `target`.

    Parameters
    ----------
    prediction : {"noise", "velocity"}
    predicted : array
        The network's output for `noisy`.
    noisy : array
    signal_rate, noise_rate : array
        Broadcast against them.

    Returns
    -------
    clean, noise : array
    """
    if prediction == "noise":
        return (noisy - noise_rate * predicted) / signal_rate, predicted
    return signal_rate * noisy - noise_rate * predicted, noise_rate * noisy + signal_rate * predicted


def loss_weights(plan, prediction, gamma=None):
    """Return the weight of every step's squared error.

    Parameters
    ----------
    plan : Schedule
    prediction : {"noise", "velocity"}
    gamma : float, optional
        The most that the clean sample's error may count, in units of its SNR; without it every step counts one.

    Returns
    -------
    ndarray of float64, shape (steps,)

    References
    ----------
    Hang et al., ICCV 2023 (min-SNR). arXiv:2303.09556
    """
    if gamma is None:
        return np.ones(plan.steps)
    # An error of x₀ by one is one of ε by √SNR, and one of the velocity by √(SNR + 1).
    return np.minimum(plan.snr, gamma) / (plan.snr if prediction == "noise" else plan.snr + 1)


def _cosine(steps):
    kept = np.cos((np.linspace(0, 1, steps + 1) + _COSINE_OFFSET) / (1 + _COSINE_OFFSET) * np.pi / 2) ** 2
    return np.minimum(1 - kept[1:] / kept[:-1], _MOST_BETA)


def _linear(steps):
    return np.minimum(np.linspace(*_LINEAR, steps) * _THEIR_STEPS / steps, _MOST_BETA)


def _scaled_linear(steps):
    return np.minimum(np.linspace(*np.sqrt(_SCALED_LINEAR), steps) ** 2 * _THEIR_STEPS / steps, _MOST_BETA)


# name: function from the number of steps to the variance that each adds
SCHEDULES = {"cosine": _cosine, "linear": _linear, "scaled-linear": _scaled_linear}
