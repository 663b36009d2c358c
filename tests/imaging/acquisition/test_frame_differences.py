"""Noise of a run, from differences of its frames."""

import numpy as np
import pytest

from keras_mri.errors import InputError
from keras_mri.imaging.acquisition.frame_differences import frame_differences
from keras_mri.imaging.acquisition.kspace_filters import autocorrelation
from keras_mri.imaging.acquisition.scanner_noise import Scanner, add_scanner_noise


def test_differences_have_the_sd_and_the_colour_of_the_noise_and_no_anatomy():
    rng, scanner = np.random.default_rng(0), Scanner(fwhm=(1.5, 0.0, 0.0))
    head = rng.uniform(0.2, 1, (32, 32, 24)).astype(np.float32)
    run = np.stack([add_scanner_noise(head, 0.02, scanner, rng)[0] for _ in range(9)], axis=-1)
    noise = frame_differences(run)
    assert noise.shape == (32, 32, 24, 8) and noise.std() == pytest.approx(0.02, rel=0.03)
    shared = np.mean(noise * np.roll(noise, 1, axis=0)) / noise.var()
    assert shared == pytest.approx(autocorrelation(scanner.filters((32, 32, 24))[0])[1].real, abs=0.02)
    assert abs(np.corrcoef(noise.mean(axis=3).ravel(), head.ravel())[0, 1]) < 0.05


@pytest.mark.parametrize("shape", [(4, 4, 4), (4, 4, 4, 1)])
def test_a_single_frame_is_refused(shape):
    with pytest.raises(InputError, match="two frames"):
        frame_differences(np.zeros(shape, np.float32))
