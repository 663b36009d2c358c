"""The two phases of a training with an adversary: on the mean absolute error alone, then against the critic as well."""

import logging
import typing

import keras

from keras_mri.training.callbacks import FollowPace, KeepBest, StopOnNonFinite
from keras_mri.training.fit import fit, keeping_best

_LOGGER = logging.getLogger(__name__)


class NewOptimizers(typing.NamedTuple):
    """Functions that return a new optimizer at each call: of the network, of the critic."""

    network: typing.Callable
    critic: typing.Callable


def fit_in_two_phases(model, data, pace, config, new, callbacks=()):
    """Fit a network until the pace says stop, and leave it with its best weights; Ctrl-C stops earlier.

    Parameters
    ----------
    model : keras_mri.training.adversarial.AdversarialModel
    data : NamedTuple
        `training` and `validation`, tf.data.Dataset of (input, target), and `steps`, those of an epoch.
    pace : Pace
    config : Options
        With `learning_rate`, `adversarial_weight`, `warm_up` (the first phase's share of the training) and `anneal`.
    new : NewOptimizers
    callbacks : sequence of keras.callbacks.Callback
        Added to both fits.

    Raises
    ------
    InputError
        If training diverges before there is a network to keep.
    """
    network = model.network
    best = KeepBest(network)
    warm_up = config.warm_up if config.adversarial_weight > 0 else 1.0

    def followed(until, optimizer):
        # Only the network anneals: a critic that stands still stops telling anything.
        schedule = [(optimizer, config.learning_rate)] if config.anneal else []
        return [FollowPace(pace, until, schedule), StopOnNonFinite(best), best, *callbacks]

    with keeping_best(best, callbacks):
        if warm_up > 0:
            optimizer = new.network()
            network.compile(optimizer, loss="mae", metrics=[keras.metrics.MeanAbsoluteError(name="error")], jit_compile=False)
            fit(network, data, followed(warm_up, optimizer))
            best.restore()
        if warm_up < 1 and critic_has_time(pace):
            optimizer = new.network()
            model.compile(optimizer, new.critic(), jit_compile=False)
            best.start_again()
            fit(model, data, followed(1.0, optimizer))


def critic_has_time(pace):
    """Tell whether a time budget leaves time for the critic; say so if not.

    Parameters
    ----------
    pace : keras_mri.training.pace.Pace

    Returns
    -------
    bool
        True where nothing has been trained yet: then there is no other phase.
    """
    if pace.step == 0 or pace.has_time_for_another_fit():
        return True
    _LOGGER.warning("warning: `time_budget`: no time is left for the critic; the network is trained on its error alone")
    return False
