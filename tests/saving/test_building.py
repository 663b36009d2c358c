import logging
import threading

import keras
import pytest

from keras_mri.errors import CheckpointError
from keras_mri.saving import building


def dense(width):
    layer = keras.layers.Dense(width, name="dense")
    layer.build((None, 3))
    return layer


def in_another_thread(function):
    """Run a function in a thread of its own: its result, or its error."""
    results = []

    def run():
        try:
            results.append(function())
        except CheckpointError as error:
            results.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, results


def test_layers_may_have_as_many_weights_as_were_counted():
    add_weight = keras.layers.Layer.add_weight
    with building.at_most(3 * 4 + 4, "a.h5"):
        assert dense(4).count_params() == 16
    with pytest.raises(CheckpointError, match=r"a.h5 is refused: with 'dense', of shape \(4,\), its layers claim more numbers than the 15"):
        with building.at_most(15, "a.h5"):
            dense(4)
    assert keras.layers.Layer.add_weight is add_weight


def test_layers_of_another_thread_are_not_counted():
    with building.at_most(0, "a.h5"):
        thread, results = in_another_thread(lambda: dense(4).count_params())
        thread.join()
    assert results == [16]


def test_two_threads_that_load_wait_for_one_another_and_leave_keras_as_it_was():
    add_weight, level = keras.layers.Layer.add_weight, logging.getLogger("absl").level
    inside, go_on = threading.Event(), threading.Event()

    def first():
        with building.quiet(), building.at_most(16, "first.h5"):
            inside.set()
            go_on.wait()
            return dense(4).count_params()

    def second():
        inside.wait()
        with building.quiet(), building.at_most(7, "second.h5"):
            return dense(2).count_params()

    threads = [in_another_thread(function) for function in (first, second)]
    inside.wait()
    go_on.set()
    for thread, _ in threads:
        thread.join()
    assert threads[0][1] == [16] and "second.h5 is refused" in str(threads[1][1][0])
    assert keras.layers.Layer.add_weight is add_weight and logging.getLogger("absl").level == level
