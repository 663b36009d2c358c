"""Arrays as pictures inside a page: colour scales and PNG data URIs."""

import base64
import io

import numpy as np
import PIL.Image

# Red, green, blue at equal steps from the lowest value to the highest.
SCALES = {
    "grey": ((0, 0, 0), (255, 255, 255)),
    # Black in the middle, like the air around a head: only differences show.
    "difference": ((190, 240, 255), (60, 160, 235), (25, 75, 150), (0, 0, 0), (150, 45, 25), (240, 120, 50), (255, 235, 170)),
    "heat": ((0, 0, 0), (50, 15, 90), (135, 35, 105), (210, 70, 70), (245, 140, 30), (250, 215, 80), (255, 255, 220)),
}


# The scale of greys on which voxels without a value have a colour of their own, and that colour.
_MARKED, _MARK = "marked", (240, 150, 30)


def palette(scale):
    """Return the 256 colours of a scale: ndarray of uint8, shape (256, 3).

    Parameters
    ----------
    scale : str
        One of `SCALES`.
    """
    if scale == _MARKED:
        return np.concatenate([palette("grey")[:255], [_MARK]]).astype(np.uint8)
    stops = np.array(SCALES[scale], np.float64)
    places = np.linspace(0, len(stops) - 1, 256)
    return np.stack([np.interp(places, range(len(stops)), channel) for channel in stops.T], axis=1).round().astype(np.uint8)


def picture(image, low, high, scale="grey"):
    """Return an image as a PNG in a data URI.

    Parameters
    ----------
    image : ndarray, shape (rows, columns)
        The first row is the top; NaN is drawn as `low`, or in the mark's colour on the scale "marked".
    low, high : float
        Values of the first and the last colour, which also stand for everything beyond them.
    scale : str
        One of `SCALES`, or "marked": grey, and another colour where there is nothing (NaN).

    Returns
    -------
    str
    """
    span = (high - low) or 1.0
    share = np.nan_to_num((np.asarray(image, np.float64) - low) / span, nan=0.0, posinf=1.0, neginf=0.0)
    # With a palette a pixel takes one byte; in RGBA it would take four.
    steps = np.rint((254 if scale == _MARKED else 255) * np.clip(share, 0, 1)).astype(np.uint8)
    coloured = PIL.Image.fromarray(np.where(np.isnan(image), np.uint8(255), steps) if scale == _MARKED else steps)
    coloured.putpalette(palette(scale).tobytes())
    buffer = io.BytesIO()
    coloured.save(buffer, format="png", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def bar(scale):
    """Return a colour scale as a picture of one row, low on the left."""
    return picture(np.arange(256)[None], 0, 255, scale)
