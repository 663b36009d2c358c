"""Denoise an fMRI run and see that its activation survives

A drawn run has 40 frames, 3 % of noise, and a sphere whose signal rises by 2 % in blocks. `run` leaves the mean as it is and
denoises the fluctuations. The amplitude of the blocks is fitted in every voxel, before and after. The truth is known here.
"""

import nibabel
import numpy as np
from drawing import axial, pyplot, save, show

import keras_mri
from keras_mri.imaging import phantoms

clean, brain, active, course = phantoms.bold_run((40, 44, 24, 40), amplitude=0.02, period=20)
noisy = clean + np.random.default_rng(0).normal(0, 30, clean.shape)  # cerebrospinal fluid is 1000
scan = nibabel.Nifti1Image(noisy.astype(np.float32), np.diag([3, 3, 3, 1]))
scan.header.set_zooms((3, 3, 3, 2))
denoised = keras_mri.restore("run", scan).data

# Blocks, a slow drift, the mean.
design = np.column_stack([course, np.linspace(-1, 1, len(course)), np.ones(len(course))])
mean = np.maximum(noisy.mean(axis=3), 100)
amplitudes = [100 * (run @ np.linalg.pinv(design)[0]) / mean * brain for run in (clean, noisy, denoised)]
for name, amplitude in zip(("truth", "as measured", "denoised"), amplitudes):
    print(f"{name}: amplitude {amplitude[active].mean():.2f} %, SD elsewhere {amplitude[brain & ~active].std():.2f} %")

figure = pyplot.figure(figsize=(8, 4.6), layout="constrained")
grid = figure.add_gridspec(2, 4, height_ratios=[3, 2])
images = {"mean of the run": mean, "true amplitude, %": amplitudes[0], "as measured": amplitudes[1], "denoised": amplitudes[2]}
for column, (title, image) in enumerate(images.items()):
    limits, colours = ((0, 1000), "gray") if column == 0 else ((-2.5, 2.5), "coolwarm")
    show(figure.add_subplot(grid[0, column]), axial(image), title, limits, colours=colours)
axis, centre = figure.add_subplot(grid[1, :]), tuple(np.argwhere(active).mean(axis=0).round().astype(int))
for run, label, style in zip((noisy, denoised, clean), ("as measured", "denoised", "truth"), ("0.75", "C0", "k:")):
    axis.plot(run[centre] - run[centre].mean(), style, label=label)
axis.set(title="one voxel of the sphere", xlabel="frame", ylabel="signal − mean")
axis.legend(loc="lower right", ncols=3, fontsize=8)
save(figure, __file__)
