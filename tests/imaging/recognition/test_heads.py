"""Heads, and what is none, drawn at the sizes that people and phantoms have."""

import re

import numpy as np
import pytest

from keras_mri.imaging import phantoms
from keras_mri.imaging.noise import add_rician_noise
from keras_mri.imaging.recognition.heads import why_no_head

ZOOMS = (3.0, 3.5, 4.0)


def millimetres(sides, zooms=ZOOMS):
    """Return the distance of each voxel's centre from the middle along each axis, mm."""
    counts = [round(side / zoom) for side, zoom in zip(sides, zooms)]
    return np.meshgrid(*((np.arange(count) - (count - 1) / 2) * zoom for count, zoom in zip(counts, zooms)), indexing="ij")


def noisy(data, sigma):
    return add_rician_noise(np.asarray(data, np.float32), sigma, np.random.default_rng(0))


def sphere():
    x, y, z = millimetres((240, 240, 240))
    return (x**2 + y**2 + z**2 < 85**2) * 1000 * (1 + 0.002 * x - 0.1 * (y / 120) ** 2)


def bottle():
    x, y, z = millimetres((200, 200, 240))
    return ((x**2 + y**2 < 60**2) & (np.abs(z) < 90)) * 1000.0


def grid():
    x, y, z = millimetres((240, 240, 200))
    lines = ((0.99 * x + 0.15 * y) % 24 < 8) | ((0.99 * y - 0.15 * x) % 24 < 8)
    return ((x**2 + y**2 < 90**2) & (np.abs(z) < 80)) * np.where(lines, 1000.0, 600.0)


def abdomen():
    x, y, z = millimetres((420, 300, 200))
    lumps = [(x - side) ** 2 + y**2 + z**2 < 45**2 for side in (-80, 80)]
    return np.where(lumps[0] | lumps[1], 1000.0, 400.0) * ((x / 190) ** 2 + (y / 125) ** 2 < 1)


def knee():
    x, y, z = millimetres((160, 160, 160))
    around = np.hypot(x, y)
    leg = np.select([around < 54, around < 62], [400.0, 900.0])
    leg[np.hypot(x, y - 8) < 22] = 1000
    return np.where(np.hypot(x - 10, y + 30) < 6, 150, leg)


def plum():
    x, y, z = millimetres((150, 150, 150))
    around = np.sqrt(x**2 + y**2 + z**2)
    return np.select([around < 12, around < 30], [500.0, 1000.0])


@pytest.mark.parametrize("sigma", [0, 30])
@pytest.mark.parametrize(
    ("thing", "why"),
    [
        (sphere, "it is the same everywhere inside"),
        (bottle, "it is the same everywhere inside"),
        (grid, r"its inside repeats itself \d+ mm away"),
        (abdomen, "it is 3[78]. mm wide"),
        (knee, "it is a tube from one end of the picture to the other"),
        (plum, "it is (56|60) mm long"),
    ],
)
def test_what_is_no_head_is_told_with_the_reason(thing, why, sigma):
    assert re.fullmatch(why, why_no_head(noisy(thing(), sigma), phantoms.oblique_affine(ZOOMS)))


def test_noise_alone_and_a_box_are_no_heads():
    noise = noisy(np.zeros((80, 70, 60)), 50)
    assert why_no_head(noise, np.diag([*ZOOMS, 1])) == "it is at least 240 mm wide in all directions"
    assert why_no_head(noise + 500, np.diag([2.5, 2.5, 3, 1])) == "it fills a box"


@pytest.mark.parametrize("sigma", [0, 50, 150])
@pytest.mark.parametrize(
    ("shape", "zooms"),
    [
        ((64, 64, 64), (3, 3, 3)),
        ((48, 56, 40), (4, 3.5, 4)),
        ((91, 80, 30), (2, 2.5, 5)),
        ((64, 72, 20), (3, 3, 4)),
        ((30, 60, 60), (6, 3, 3)),
    ],
)
def test_a_head_is_one_thick_or_in_slabs(shape, zooms, sigma):
    for seed in range(3):
        assert why_no_head(noisy(phantoms.head(shape, seed)[0], sigma), phantoms.oblique_affine(zooms)) is None


def test_a_part_of_a_head_a_brain_alone_and_a_defaced_head_are_heads():
    data, brain = phantoms.head((64, 64, 64))
    affine = np.diag([3.0, 3.0, 3.0, 1])
    defaced = np.where(np.add.outer(np.arange(64), np.arange(64))[None] < 40, 0, data)
    for part in (data[:, :, 20:40], data[16:48, 16:48, 16:48], data[:32], data * brain, defaced):
        assert why_no_head(noisy(part, 20), affine) is None


def test_a_picture_too_small_for_a_head_tells_nothing():
    assert why_no_head(noisy(sphere()[::3, ::3, ::3], 10), np.diag([3.0, 3.5, 4.0, 1])) is None
    assert why_no_head(np.ones((60, 60, 60), np.float32), np.diag([3.0, 3.0, 3.0, 1])) is None


@pytest.mark.parametrize("shape", [(60, 60, 1), (60, 1, 60), (2, 60, 60)])
def test_a_single_slice_is_no_reason_to_speak(shape):
    assert why_no_head(noisy(phantoms.head(shape)[0], 20), np.diag([3.0, 3.0, 3.0, 1])) is None


def test_a_body_is_long_in_its_own_direction_only():
    """A head with its neck may be longer than it is wide, whatever the order of the axes."""
    data = noisy(phantoms.head((60, 60, 100))[0], 20)
    assert why_no_head(data, np.diag([3.0, 3.0, 3.2, 1])) is None
    lying = np.array([[0, 0, 3.2, 0], [0, 3.0, 0, 0], [3.0, 0, 0, 0], [0, 0, 0, 1]])
    assert why_no_head(data, lying).endswith("mm wide")
