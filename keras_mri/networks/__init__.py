"""Network builders: functions that return functional `keras.Model`s of built-in layers, so that bare Keras loads them."""
