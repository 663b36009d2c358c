"""Curves as SVG inside a page; the page's style sheet colours them, light or dark."""

import html
import math
import typing

import numpy as np

# Size and margins of the drawing, in its own units.
_WIDTH, _HEIGHT = 520, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 12, 10, 46
# A logarithmic axis shows no more than this many powers of ten.
_DECADES = 12
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


class Curve(typing.NamedTuple):
    """One line of a chart.

    Parameters
    ----------
    label : str
        Entry in the legend.
    x, y : ndarray of float64, shape (points,)
    style : str
        Class in the style sheet; under a curve of class "area" the area is filled.
    """

    label: str
    x: np.ndarray
    y: np.ndarray
    style: str


def chart(curves, x_label, y_label, log=False):
    """Draw curves on one pair of axes, with a legend.

    Parameters
    ----------
    curves : list of Curve
    x_label, y_label : str
        Labels of the axes, with units.
    log : bool
        Whether the y axis is logarithmic; if so, values that are not positive are left out.

    Returns
    -------
    str
        HTML: a figure that holds an SVG. The labels in it are escaped.
    """
    curves = [_drawable(curve, log) for curve in curves]
    if not any(len(curve.x) for curve in curves):
        return '<p class="note">There is nothing to draw: the result equals its input.</p>'
    xs, ys = (np.concatenate([getattr(curve, axis) for curve in curves]) for axis in "xy")
    x_axis = (float(xs.min()), float(xs.max()))
    y_axis = _log_limits(curves) if log else (min(0.0, float(ys.min())), 1.05 * float(ys.max()) or 1.0)

    def place(x, y):
        return (
            _LEFT + (x - x_axis[0]) / ((x_axis[1] - x_axis[0]) or 1) * (_WIDTH - _LEFT - _RIGHT),
            _HEIGHT - _BOTTOM - (y - y_axis[0]) / (y_axis[1] - y_axis[0]) * (_HEIGHT - _TOP - _BOTTOM),
        )

    parts = [*_grid(place, x_axis, y_axis, log), *(_path(curve, place, y_axis[0]) for curve in curves)]
    middle = (_LEFT + _WIDTH - _RIGHT) / 2, (_TOP + _HEIGHT - _BOTTOM) / 2
    parts.append(f'<text class="axis" x="{middle[0]:.0f}" y="{_HEIGHT - 8}" text-anchor="middle">{html.escape(x_label)}</text>')
    turned = f'transform="rotate(-90 14 {middle[1]:.0f})" x="14" y="{middle[1]:.0f}"'
    parts.append(f'<text class="axis" {turned} text-anchor="middle">{html.escape(y_label)}</text>')
    legend = "".join(f'<li class="{curve.style}">{html.escape(curve.label)}</li>' for curve in curves)
    name = html.escape(f"{y_label} against {x_label}", quote=True)
    drawing = f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{name}">{"".join(parts)}</svg>'
    return f'<figure class="chart"><ul class="legend">{legend}</ul>{drawing}</figure>'


def ticks(low, high, most=6):
    """Return about `most` round numbers or fewer from `low` to `high`, at steps of 1, 2 or 5 times a power of ten."""
    if not high > low:
        return [low]
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
    return [step * k for k in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def number(value, digits=3):
    """Format a number with this many significant digits, commas between thousands, and an exponent only if very large or small."""
    if not math.isfinite(value):
        return "–" if math.isnan(value) else "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    exponent = math.floor(math.log10(abs(value)))
    if -4 < exponent < 7:
        text = f"{value:,.{max(0, digits - 1 - exponent)}f}"
    else:
        text = f"{value:.{digits - 1}e}"
    return text.replace("-", "−")


def _drawable(curve, log):
    kept = np.isfinite(curve.y) & ((curve.y > 0) | (not log))
    return Curve(curve.label, curve.x[kept], np.log10(curve.y[kept]) if log else curve.y[kept], curve.style)


def _log_limits(curves):
    """Return exponents of ten that enclose every curve, apart from values far below the curve's median."""
    filled = [curve.y for curve in curves if len(curve.y)]
    high = math.ceil(max(float(y.max()) for y in filled) - 1e-9)
    low = min(max(float(y.min()), float(np.median(y)) - 1) for y in filled)
    return max(min(math.floor(low + 1e-9), high - 1), high - _DECADES), high


def _grid(place, x_axis, y_axis, log):
    """Yield the grid lines and the numbers at their ends."""
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    for value, text in _marks(x_axis, False):
        x, _ = place(value, y_axis[0])
        yield f'<path class="grid" d="M{x:.1f} {_TOP}V{bottom}"/><text x="{x:.1f}" y="{bottom + 17}" text-anchor="middle">{text}</text>'
    for value, text in _marks(y_axis, log):
        _, y = place(x_axis[0], value)
        yield f'<path class="grid" d="M{_LEFT} {y:.1f}H{right}"/><text x="{_LEFT - 7}" y="{y + 4:.1f}" text-anchor="end">{text}</text>'


def _marks(axis, log):
    if log:
        step = -(-(axis[1] - axis[0]) // 5)
        return [(power, "10" + str(power).translate(_SUPERSCRIPTS)) for power in range(axis[0], axis[1] + 1, step)]
    values = ticks(*axis)
    step = abs(values[1] - values[0]) if len(values) > 1 else abs(values[0]) or 1.0
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    if decimals > 4 or step >= 1e6:
        return [(value, f"{value:.0e}".replace("-", "−") if value else "0") for value in values]
    return [(value, f"{value if abs(value) > 1e-9 * step else 0:,.{decimals}f}".replace("-", "−")) for value in values]


def _path(curve, place, floor):
    """Return the line of a curve, clipped at the lower edge of the axes; for an area, its closed outline."""
    points = [place(x, max(y, floor)) for x, y in zip(curve.x, curve.y)]
    if not points:
        return ""
    line = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    if "area" in curve.style:
        line += f"V{_HEIGHT - _BOTTOM}H{points[0][0]:.1f}Z"
    return f'<path class="{curve.style}" d="{line}"/>'
