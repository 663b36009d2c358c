"""Pictures read back by Pillow."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from keras_mri.report.pictures import SCALES, bar, palette, picture


def read(uri):
    head, content = uri.split(",")
    assert head == "data:image/png;base64"
    image = Image.open(io.BytesIO(base64.b64decode(content)))
    image.load()
    return np.asarray(image.convert("RGB"))


def test_a_grey_picture_has_the_shape_and_brightness_of_its_array(rng):
    image = rng.uniform(100, 200, (5, 9))
    colours = read(picture(image, 100, 200))
    assert colours.shape == (5, 9, 3)
    np.testing.assert_allclose(colours, (image[..., None] - 100) * 2.55 + np.zeros(3), atol=0.51)


def test_values_beyond_the_scale_and_no_values_take_its_ends():
    colours = read(picture([[-5, np.nan, -np.inf, 11, np.inf]], 0, 10))
    assert colours[0, :, 0].tolist() == [0, 0, 0, 255, 255]


def test_a_constant_picture_is_drawn():
    assert (read(picture(np.full((2, 2), 7.0), 7, 7)) == 0).all()


def test_no_difference_is_black_and_its_signs_are_blue_and_red():
    negative, zero, positive = read(picture([[-0.5, 0, 0.5]], -1, 1, "difference"))[0].astype(int)
    assert zero.max() <= 2
    assert negative[2] > negative[0] + 50 and positive[0] > positive[2] + 50


@pytest.mark.parametrize("scale", SCALES)
def test_a_bar_shows_the_scale_from_its_first_to_its_last_colour(scale):
    colours = read(bar(scale))
    np.testing.assert_array_equal(colours[0], palette(scale))
    assert (tuple(colours[0, 0]), tuple(colours[0, -1])) == (SCALES[scale][0], SCALES[scale][-1])
    # Grey and heat can be read without colours.
    if scale != "difference":
        assert (np.diff(colours[0] @ np.array([0.2126, 0.7152, 0.0722])) > -0.3).all()


def test_nothing_is_orange_on_the_marked_scale_and_all_else_grey():
    image = np.array([[0.0, np.nan], [0.5, 1.0]])
    drawn = read(picture(image, 0, 1, "marked")).astype(int)
    red, green, blue = drawn[0, 1]
    assert red > green > blue and red - blue > 150
    for place, level in (((0, 0), 0), ((1, 0), 127), ((1, 1), 254)):
        np.testing.assert_allclose(drawn[place], level, atol=1)
