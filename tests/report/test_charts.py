"""Charts: round numbers on the axes, points where they belong, text that cannot break out."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from keras_mri.report.charts import Curve, chart, number, ticks


def drawn(text):
    """Return the SVG of a chart as a tree; mistakes that a browser would forgive are errors here."""
    return ET.fromstring(text).find("svg")


def points(svg, style):
    (path,) = [path for path in svg.iter("path") if path.get("class") == style]
    return np.array([[float(part) for part in pair.split()] for pair in re.split("[ML]", path.get("d")) if pair])


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (-37, 41, [-20, 0, 20, 40]),
        (0.2, 0.23, [0.2, 0.205, 0.21, 0.215, 0.22, 0.225, 0.23]),
        (5, 5, [5]),
    ],
)
def test_ticks_are_round_numbers_within_the_axis(low, high, expected):
    assert ticks(low, high) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (1234.5, "1,234"),
        (0.05123, "0.0512"),
        (-7.5, "−7.50"),
        (3e-7, "3.00e−07"),
        (np.nan, "–"),
        (np.inf, "∞"),
        (-np.inf, "−∞"),
    ],
)
def test_numbers_have_three_digits(value, text):
    assert number(value) == text


def test_points_lie_where_their_values_are():
    x, y = np.array([0.0, 1, 2, 4]), np.array([0.0, 4, 1, 2])
    svg = drawn(chart([Curve("one", x, y, "after")], "x", "y"))
    places = points(svg, "after")
    # Linear in both, x to the right, y upwards.
    np.testing.assert_allclose((places[:, 0] - places[0, 0]) / (places[-1, 0] - places[0, 0]), x / 4, atol=1e-3)
    np.testing.assert_allclose((places[0, 1] - places[:, 1]) / (places[0, 1] - places[1, 1]), y / 4, atol=1e-3)
    assert places[1, 1] < places[0, 1]
    texts = [text.text for text in svg.iter("text")]
    assert {"0", "1", "2", "3", "4", "x", "y"} <= set(texts)


def test_a_logarithmic_axis_shows_powers_of_ten_and_leaves_out_what_has_no_logarithm():
    svg = drawn(chart([Curve("one", np.arange(4.0), np.array([1.0, 0.0, 10.0, 100.0]), "after")], "x", "y", log=True))
    places = points(svg, "after")
    assert len(places) == 3
    assert places[0, 1] - places[1, 1] == pytest.approx(places[1, 1] - places[2, 1], abs=0.2)
    assert {"10⁰", "10¹", "10²"} <= {text.text for text in svg.iter("text")}


def test_every_curve_shows_on_a_logarithmic_axis_but_for_its_deepest_falls():
    x = np.arange(5.0)
    high, low = Curve("high", x, np.full(5, 1e9), "after"), Curve("low", x, np.array([20, 20, 20, 20, 1e-30]), "removed")
    svg = drawn(chart([high, low], "x", "y", log=True))
    places = points(svg, "removed")
    # From 10⁰ to 10⁹ over 300 − 10 − 46; a value below the axis is drawn on its edge.
    np.testing.assert_allclose(places[:, 1], [*[254 - 244 * np.log10(20) / 9] * 4, 254], atol=0.1)


def test_an_area_reaches_down_to_the_axis():
    text = chart([Curve("one", np.arange(3.0), np.ones(3), "area")], "x", "y")
    assert re.search(r'class="area" d="M[^"]*V254H62\.0Z"', text)


def test_labels_are_escaped():
    text = chart([Curve("<b>", np.arange(2.0), np.ones(2), "after")], '"x"', "a<b & c")
    assert [part.text for part in ET.fromstring(text).iter("li")] == ["<b>"]
    assert drawn(text).get("aria-label") == 'a<b & c against "x"'


def test_a_chart_without_points_is_replaced_by_a_note():
    assert "nothing to draw" in chart([], "x", "y")
    assert "nothing to draw" in chart([Curve("one", np.arange(2.0), np.zeros(2), "after")], "x", "y", log=True)
