"""See a run as its network sees it

A run is written in an orthonormal basis of time courses. Signal is gathered in the first maps, where it stands above the noise;
white noise has the same strength in all maps. The drawn run has one sphere that is active in blocks, and a slow drift.
"""

import numpy as np
from drawing import axial, pyplot, save, show

import keras_mri
from keras_mri.imaging import phantoms

clean, *_ = phantoms.bold_run((32, 36, 20, 60), amplitude=0.03, drift=0.04)
noisy = clean + np.random.default_rng(0).normal(0, 20, clean.shape)
seen = keras_mri.run_channels(noisy, repetition_time=2.0)

chosen = (0, 1, 2, 40)
figure, axes = pyplot.subplots(2, len(chosen), figsize=(8, 4), layout="constrained", height_ratios=[3, 1])
for (above, below), number in zip(axes.T, chosen):
    show(above, axial(seen.channels[number, ..., 0]), f"map {number + 1} of {len(seen.channels)}", (-6, 6), colours="coolwarm")
    below.plot(seen.basis[:, number], linewidth=1)
    below.set(ylim=(-0.4, 0.4), yticks=[], xlabel="frame")
save(figure, __file__)
