"""From noise to a sample: DDPM, DDIM and DPM-Solver++(2M), each as a table of numbers, because each step is linear.

x_next = keep · x + clean · x̂₀ + previous · x̂₀_before + fresh · n, with x̂₀ what the network makes of x, x̂₀_before the same one
step earlier, and n ~ N(0, 1) drawn anew. A sampler is the choice of the four numbers of every step.
"""

import dataclasses

import numpy as np

from keras_mri.errors import InputError

_LEAST_LOG_SNR = np.log(1e-4)


@dataclasses.dataclass(frozen=True)
class Steps:
    """A sampler's steps, from noise to a clean sample.

    Parameters
    ----------
    times : ndarray of int32, shape (steps,)
        Steps of the schedule at which the network is asked, falling to 0.
    signal_rates, noise_rates : ndarray of float64, shape (steps,)
        Rates of the noise schedule at these times.
    keep, clean, previous, fresh : ndarray of float64, shape (steps,)
        The numbers of the module's equation.
    """

    times: np.ndarray
    signal_rates: np.ndarray
    noise_rates: np.ndarray
    keep: np.ndarray
    clean: np.ndarray
    previous: np.ndarray
    fresh: np.ndarray


def sampler(name, schedule, steps):
    """Prepare a sampler.

    Parameters
    ----------
    name : {"ddpm", "ddim", "dpm-solver"}
    schedule : keras_mri.systems.ldm.diffusion.schedules.Schedule
    steps : int

    Returns
    -------
    Steps

    Raises
    ------
    InputError
        If there is no such sampler, or it is asked for more steps than the schedule has.
    """
    if name not in SAMPLERS:
        raise InputError(f"unknown sampler {name!r}. Expected one of: {', '.join(SAMPLERS)}.")
    if not 1 <= steps <= schedule.steps:
        raise InputError(f"`steps` must lie between 1 and {schedule.steps}, the steps of the network's schedule. Received: {steps}.")
    times = _even_in_log_snr(schedule, steps) if name == "dpm-solver" else np.linspace(schedule.steps - 1, 0, steps)
    times = times.round().astype(np.int32)
    return SAMPLERS[name](times, schedule.signal_rates[times], schedule.noise_rates[times])


def ddpm(times, signal_rates, noise_rates):
    """Sample from the posterior of each step given x̂₀: DDIM with all the noise that it may have.

    References
    ----------
    Ho et al., NeurIPS 2020. arXiv:2006.11239
    """
    return ddim(times, signal_rates, noise_rates, eta=1.0)


def ddim(times, signal_rates, noise_rates, eta=0.0):
    """Walk straight from x along the noise that the network sees in it.

    Parameters
    ----------
    times : ndarray of int32, shape (steps,)
        Falling.
    signal_rates, noise_rates : ndarray of float64, shape (steps,)
    eta : float
        Share of the fresh noise that DDPM adds.

    Returns
    -------
    Steps

    References
    ----------
    Song et al., ICLR 2021, eq. 12 and 16. arXiv:2010.02502
    """
    next_signal, next_noise = _next(signal_rates, noise_rates)
    # Rounding must not take the root of less than nothing.
    fresh = eta * next_noise / noise_rates * np.sqrt(np.maximum(1 - (signal_rates / next_signal) ** 2, 0))
    keep = np.sqrt(np.maximum(next_noise**2 - fresh**2, 0)) / noise_rates
    return Steps(times, signal_rates, noise_rates, keep, next_signal - keep * signal_rates, np.zeros(len(times)), fresh)


def dpm_solver(times, signal_rates, noise_rates):
    """Solve the same equation as DDIM to second order, by looking back one step: DPM-Solver++(2M).

    Parameters
    ----------
    times : ndarray of int32, shape (steps,)
        Falling.
    signal_rates, noise_rates : ndarray of float64, shape (steps,)

    Returns
    -------
    Steps

    References
    ----------
    Lu et al., 2022, algorithm 2. arXiv:2211.01095
    """
    next_signal, next_noise = _next(signal_rates, noise_rates)
    keep = next_noise / noise_rates
    weight = next_signal - keep * signal_rates
    # λ = log(signal / noise); the last step goes to λ = ∞ and stays of first order, as the first one, which has nothing to look back to.
    logs = np.log(signal_rates / noise_rates)
    back = np.zeros(len(times))
    if len(times) > 2:
        gaps = np.diff(logs)
        back[1:-1] = gaps[1:] / (2 * gaps[:-1])
    return Steps(times, signal_rates, noise_rates, keep, weight * (1 + back), -weight * back, np.zeros(len(times)))


def _even_in_log_snr(schedule, steps):
    """Spread steps evenly over log SNR, as a solver that extrapolates from one step to the next needs them; no two alike."""
    # Where less than a hundredth of the signal is left, SNR changes fast and means nothing.
    logs = np.maximum(np.log(schedule.snr), _LEAST_LOG_SNR - 1e-6 * np.arange(schedule.steps))
    times = np.interp(np.linspace(logs[-1], logs[0], steps), logs[::-1], np.arange(schedule.steps)[::-1]).round()
    left = np.arange(steps)
    times = left[::-1] + np.minimum.accumulate(times - left[::-1])
    return np.maximum(times, left[::-1])


def _next(signal_rates, noise_rates):
    """Return the rates to which each step leads; the last one leads to the clean sample itself."""
    return np.append(signal_rates[1:], 1.0), np.append(noise_rates[1:], 0.0)


SAMPLERS = {"ddpm": ddpm, "ddim": ddim, "dpm-solver": dpm_solver}
