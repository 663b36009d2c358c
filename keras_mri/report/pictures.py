"""Arrays as pictures inside a page: colour scales and PNG data URIs."""

import base64
import struct
import zlib

import numpy as np

# Red, green, blue at equal steps from the lowest value to the highest.
SCALES = {
    "grey": ((0, 0, 0), (255, 255, 255)),
    # Black in the middle, as the air around a head is: what is drawn is what differs.
    "difference": ((190, 240, 255), (60, 160, 235), (25, 75, 150), (0, 0, 0), (150, 45, 25), (240, 120, 50), (255, 235, 170)),
    "heat": ((0, 0, 0), (50, 15, 90), (135, 35, 105), (210, 70, 70), (245, 140, 30), (250, 215, 80), (255, 255, 220)),
}
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def palette(scale):
    """Return the 256 colours of a scale: ndarray of uint8, shape (256, 3).

    Parameters
    ----------
    scale : str
        One of `SCALES`.
    """
    stops = np.array(SCALES[scale], np.float64)
    places = np.linspace(0, len(stops) - 1, 256)
    return np.stack([np.interp(places, range(len(stops)), channel) for channel in stops.T], axis=1).round().astype(np.uint8)


def picture(image, low, high, scale="grey"):
    """Return an image as a PNG in a data URI.

    Parameters
    ----------
    image : ndarray, shape (rows, columns)
        The first row is the top; NaN is drawn as `low`.
    low, high : float
        The values of the first and the last colour; beyond them the colour stays.
    scale : str
        One of `SCALES`.

    Returns
    -------
    str
    """
    span = (high - low) or 1.0
    share = np.nan_to_num((np.asarray(image, np.float64) - low) / span, nan=0.0, posinf=1.0, neginf=0.0)
    indices = np.rint(255 * np.clip(share, 0, 1)).astype(np.uint8)
    return "data:image/png;base64," + base64.b64encode(_png(indices, palette(scale))).decode()


def bar(scale):
    """Return a scale as a picture of one row, low on the left."""
    return picture(np.arange(256)[None], 0, 255, scale)


def _png(indices, colours):
    """Return a PNG with a palette, as the bytes of its file (ISO/IEC 15948)."""
    rows, columns = indices.shape
    # Width, height, 8 bits, colours by palette, the only compression and filtering there are, not interlaced.
    header = struct.pack(">2I5B", columns, rows, 8, 3, 0, 0, 0)
    # Each line begins with the number of its filter: 0, none.
    lines = np.concatenate([np.zeros((rows, 1), np.uint8), indices], axis=1)
    chunks = ((b"IHDR", header), (b"PLTE", colours.tobytes()), (b"IDAT", zlib.compress(lines.tobytes(), 9)), (b"IEND", b""))
    return _SIGNATURE + b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content)) for kind, content in chunks
    )
