"""One fit of a training: epochs without end until a callback stops it, taken up where a process that died had left it."""

import tensorflow as tf

from keras_mri.training import devices as replicas
from keras_mri.training import machines
from keras_mri.training.resuming import TrainingState


def fit(model, training, validation, steps, callbacks):
    """Fit a compiled model until a callback says stop.

    Parameters
    ----------
    model : keras.Model
    training, validation : tf.data.Dataset
        Batches without end, the same at every call; and the held-out ones.
    steps : int
        Of an epoch.
    callbacks : sequence of keras.callbacks.Callback
        If one is a TrainingState, the fit is saved now and then, and taken up.

    Raises
    ------
    InputError
        If several devices train and cannot share the batches evenly.
    KeyboardInterrupt
        After Ctrl-C; the state that was saved stays.
    """
    training, validation = replicas.shared(training, validation)
    state = next((callback for callback in callbacks if isinstance(callback, TrainingState)), None)
    # Last, so that it saves what the others have done.
    callbacks = [callback for callback in callbacks if callback is not state] + ([state] if state else [])
    callbacks += [machines.EndWhenInterrupted()] if machines.several() else []
    done = state.enter(model, steps, callbacks) if state else 0
    if done is None:
        return
    try:
        model.fit(
            training.skip(steps * (done // steps)) if done else training,
            validation_data=validation,
            steps_per_epoch=steps,
            initial_epoch=done // steps,
            epochs=10**6,
            callbacks=callbacks,
            verbose=0,
            shuffle=False,
        )
    except KeyboardInterrupt:
        remember_interruption(callbacks)
        raise
    if state:
        state.leave(model)


def remember_interruption(callbacks):
    """Let the training's state, if there is one among the callbacks, be kept when the training ends: it can go on."""
    for callback in callbacks:
        if isinstance(callback, TrainingState):
            callback.interrupted = True


def compute_deterministically(wanted=True):
    """Let TensorFlow use only operations that give the same bits every time; only once per process, and before it computes."""
    if wanted:
        tf.config.experimental.enable_op_determinism()
