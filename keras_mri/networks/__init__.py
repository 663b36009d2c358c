"""Network builders: functions that return functional `keras.Model`s of built-in layers, so that bare Keras loads them.

Keras is imported with TensorFlow's start-up messages held back; whoever set TF_CPP_MIN_LOG_LEVEL keeps their setting.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
