"""Scripts of docs/, which is no package, and how pictures are judged."""

import importlib.util
import pathlib

import numpy as np
from PIL import Image

DOCS = pathlib.Path(__file__).parents[2] / "docs"
# A page with many pictures is still a page that opens fast.
MOST_BYTES = 120_000


def script(name):
    """Import a script of docs/ by its path there."""
    specification = importlib.util.spec_from_file_location(f"docs_{pathlib.PurePath(name).stem}", DOCS / name)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def is_picture(path):
    """Tell whether a file is a picture, small enough for a page, that shows more than one colour."""
    image = np.asarray(Image.open(path).convert("L"), float)
    return path.stat().st_size <= MOST_BYTES and min(image.shape) > 100 and image.std() > 5
