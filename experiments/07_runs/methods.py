"""What denoises a run in the benchmark: each takes a noisy run, its mask and its repetition time, and sees nothing else."""

import functools
import pathlib
import subprocess
import sys
import tempfile

import nibabel
import numpy as np
from scipy import ndimage

from experiments.baselines import dipy_mppca
from keras_mri.imaging.runs.noise import estimate_run_noise


def unchanged(run, mask, repetition_time):
    """Return the run as it is."""
    return run


def mean_of_frames(run, mask, repetition_time):
    """Delete every fluctuation: the floor for β."""
    return np.broadcast_to(run.mean(axis=3, keepdims=True), run.shape)


def smoothed_fluctuations(run, mask, repetition_time, fwhm):
    """Add Gaussian-smoothed fluctuations (FWHM in voxels) to the mean."""
    mean, width = run.mean(axis=3, keepdims=True), fwhm / np.sqrt(8 * np.log(2))
    return mean + ndimage.gaussian_filter(run - mean, (width, width, width, 0))


def mppca(run, mask, repetition_time, patch_radius=2):
    """Marchenko–Pastur PCA of DIPY."""
    if patch_radius == 2:
        return dipy_mppca(run, None, mask)
    from dipy.denoise.localpca import mppca as of_dipy

    return of_dipy(run.astype(np.float32), mask=mask, patch_radius=patch_radius)


def hybrid_pca(run, mask, repetition_time):
    """Hybrid PCA of patch-denoise, which is given the map of the noise that `keras_mri` estimates."""
    from patch_denoise.denoise import hybrid_pca as of_patch_denoise

    noise = estimate_run_noise(run, mask).sigma
    restored = of_patch_denoise(
        run.astype(np.float32), patch_shape=(5, 5, 5), patch_overlap=(2, 2, 2), mask=mask, mask_threshold=0, noise_std=noise
    )[0]
    return np.where(np.isfinite(restored), restored, run)


def pretrained(run, mask, repetition_time, network):
    """Apply a network of runs that never saw this run."""
    import keras_mri

    return keras_mri.restore(network, _image(run, repetition_time)).data


def trained(run, mask, repetition_time, **options):
    """Train `wgan` on the noisy run itself, then denoise the run."""
    import keras_mri

    image = _image(run, repetition_time)
    return keras_mri.restore(keras_mri.fit("wgan", [image], **options), image).data


def of_checkout(run, mask, repetition_time, folder, options):
    """Train and predict by the commands of another checkout of this project."""
    with tempfile.TemporaryDirectory() as files:
        noisy, network, result = (str(pathlib.Path(files) / name) for name in ("noisy.nii", "network.h5", "result.nii"))
        nibabel.save(_image(run, repetition_time), noisy)
        for command in (["train", "wgan", noisy, *options, "-o", network], ["predict", network, noisy, "-o", result]):
            subprocess.run([sys.executable, "-m", f"keras_mri.{command[0]}", *command[1:]], cwd=folder, check=True)
        return nibabel.load(result).get_fdata(dtype=np.float32)


def methods(arguments):
    """Return the methods that a command line asks for: dict of name to function (run, mask, repetition time, seed)."""
    chosen = {"input": unchanged, "mean of the frames": mean_of_frames}
    chosen |= {f"mean + Gaussian {fwhm}": functools.partial(smoothed_fluctuations, fwhm=fwhm) for fwhm in arguments.fwhm}
    if arguments.baselines:
        chosen |= {f"DIPY mppca, radius {radius}": functools.partial(mppca, patch_radius=radius) for radius in arguments.radius}
        chosen["patch-denoise hybrid-pca"] = hybrid_pca
    if arguments.before:
        options = ["--time-budget", arguments.budget]
        chosen["wgan before"] = functools.partial(of_checkout, folder=arguments.before, options=options)
    for network in arguments.networks:
        chosen[f"pretrained {pathlib.Path(network).stem}"] = functools.partial(pretrained, network=network)
    for keep in arguments.keep:
        options = dict(time_budget=arguments.budget, keep=keep, initial=arguments.initial)
        chosen[f"wgan, keep {keep}"] = functools.partial(trained, **options)
        if arguments.critic:
            chosen[f"wgan, keep {keep}, critic"] = functools.partial(trained, adversarial_weight=arguments.critic, **options)
    return chosen


def _image(run, repetition_time):
    image = nibabel.Nifti1Image(np.asarray(run, np.float32), np.diag([3.0, 3.0, 3.0, 1.0]))
    image.header.set_xyzt_units("mm", "sec")
    image.header.set_zooms((3.0, 3.0, 3.0, repetition_time))
    return image
