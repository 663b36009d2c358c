import numpy as np
import pytest

from keras_mri.imaging import phantoms
from keras_mri.imaging.noise import add_rician_noise
from keras_mri.imaging.recognition.coarse import coarsened
from keras_mri.imaging.recognition.contrasts import frames_alike, looks_like_t1, white_over_grey


def noisy(data, sigma=30, seed=0):
    return add_rician_noise(np.asarray(data, np.float32), sigma, np.random.default_rng(seed))


def as_t1(data):
    """Turn a phantom's contrast: CSF from 1000 to 200, grey matter to 500, white matter to 650; air stays."""
    return np.where(data > 0, np.maximum(1200 - data, 20), 0)


@pytest.mark.parametrize(("shape", "zooms"), [((64, 64, 64), (3.0, 3.0, 3.0)), ((96, 110, 30), (1.9, 1.8, 5.0))])
def test_white_matter_tells_t1_from_other_contrasts(shape, zooms):
    for seed in range(3):
        data, brain = phantoms.head(shape, seed)
        other, t1 = (white_over_grey(noisy(image * brain), zooms) for image in (data, as_t1(data)))
        # 550 over 700, and 650 over 500, diluted by what lies between rim and depth, and shaded.
        assert looks_like_t1(other) is False and 0.6 < other < 0.95
        assert looks_like_t1(t1) is True and 1.05 < t1 < 1.5


def test_what_lies_between_or_cannot_be_seen_is_left_open():
    assert looks_like_t1(1.0) is looks_like_t1(None) is None
    assert white_over_grey(np.zeros((9, 8, 7), np.float32), (3.0, 3.0, 3.0)) is None
    assert white_over_grey(noisy(phantoms.head((40, 44, 4))[0]), (3.0, 3.0, 5.0)) is None


def test_coarse_blocks_are_means_and_keep_the_place():
    data = np.arange(7 * 4 * 3, dtype=np.float32).reshape(7, 4, 3)
    means, zooms = coarsened(data, (1.0, 2.0, 4.0))
    np.testing.assert_allclose(means, [data[:3].mean(axis=0), data[3:6].mean(axis=0)])
    np.testing.assert_allclose(zooms, [3.0, 2.0, 4.0])
    assert coarsened(data, (0.1, 0.1, 0.1))[0].shape == (1, 1, 1)


def run(frames):
    return [noisy(frame, 60, seed) for seed, frame in enumerate(frames)]


def test_frames_of_a_run_are_alike_and_those_of_diffusion_are_not():
    head, _ = phantoms.head((48, 52, 40))
    zooms = (4.0, 3.5, 4.0)
    x = np.arange(48)[:, None, None] / 48
    assert frames_alike(run([head * (1 + 0.01 * np.sin(t)) for t in range(12)]), zooms)
    # The first frames of a run are brighter; those after them count.
    assert frames_alike(run([head * (1 + 0.8 * 0.3**t) for t in range(12)]), zooms)
    # One frame without weighting among darker ones, first or later; and directions of equal brightness.
    assert not frames_alike(run([head * (1.0 if t % 6 == 3 else 0.4) for t in range(12)]), zooms)
    assert not frames_alike(run([head * (0.8 + 0.4 * ((x + t / 6) % 1)) for t in range(12)]), zooms)
    # Echoes, and two frames alone.
    assert not frames_alike(run([head * np.exp(-t / 6) for t in range(12)]), zooms)
    assert frames_alike(run([head, head]), zooms) and not frames_alike(run([head, head / 2]), zooms)
