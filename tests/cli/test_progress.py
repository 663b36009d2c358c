import io

import keras
import numpy as np

from keras_mri.cli.progress import TrainingProgress, counted
from keras_mri.io.volumes import Volume
from keras_mri.training.callbacks import FollowPace, Pace


class Terminal(io.StringIO):
    def isatty(self):
        return True


def fit(stream, metric=keras.metrics.MeanAbsoluteError, name="l1"):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", loss="mae", metrics=[metric(name=name)])
    data = np.ones((8, 1), np.float32)
    callbacks = [FollowPace(Pace(steps=8)), TrainingProgress(stream)]
    model.fit(data, data, batch_size=2, epochs=2, verbose=0, callbacks=callbacks, validation_data=(data, data))


def test_a_log_file_gets_one_line_for_each_epoch():
    stream = io.StringIO()
    fit(stream)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 2 and "\r" not in stream.getvalue()
    assert lines[0].startswith("epoch   1 ██████████··········  50 %") and "left" in lines[0] and "held out" in lines[0]
    assert "100 %" in lines[1] and "0:00 left" in lines[1]


def test_squared_errors_are_shown_where_there_are_no_absolute_ones():
    stream = io.StringIO()
    fit(stream, keras.metrics.MeanSquaredError, "mse")
    assert "nan" not in stream.getvalue() and stream.getvalue().count("held out") == 2


def test_a_denoiser_s_error_is_shown_as_well():
    stream = io.StringIO()
    fit(stream, name="denoising")
    assert "nan" not in stream.getvalue() and stream.getvalue().count("held out") == 2


def test_a_terminal_gets_one_moving_line():
    stream = Terminal()
    fit(stream)
    assert stream.getvalue().count("\r") >= 3


def test_frames_are_counted_on_a_terminal_only(affine, rng):
    run = Volume.from_array(rng.random((4, 3, 2, 3), dtype=np.float32), affine)
    stream = Terminal()
    np.testing.assert_array_equal(counted(run, stream).data, run.data)
    assert "frame 3 of 3, 0:00 left" in stream.getvalue()
    assert counted(run, io.StringIO()) is run
