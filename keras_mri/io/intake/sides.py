"""The sides of an image against its file: what dim[0] counts, what dim[4] and further say, and what the file holds."""

import itertools
import math

from keras_mri.errors import InputError, remark
from keras_mri.io.intake import header_checks

# Bytes after the last voxel that some writers fill up to; fewer than any volume that could be meant.
_PADDING = 1024


def settle(header, path, data):
    """Make the dimensions of a header agree with one another and with the file, which decides.

    Parameters
    ----------
    header : nibabel.Nifti1Header
        As it lies in the file; `dim` is changed where it contradicts itself.
    path : pathlib.Path
        The image, for messages.
    data : pathlib.Path
        The file with the voxels.

    Raises
    ------
    InputError
        If the file does not tell which shape is meant, or the number of dimensions is none.
    """
    dimensions, *all_sides = (int(side) for side in header["dim"])
    if not 1 <= dimensions <= 7:
        raise InputError(
            f"{path} cannot be read as an image: the header is damaged, it says dim[0] = {dimensions}, the number of its "
            f"dimensions, and has the sides {_shape(all_sides)}. Expected 3 or 4. Copy or download the file again."
        )
    claimed, beyond = all_sides[:dimensions], list(itertools.takewhile(lambda side: side > 0, all_sides[dimensions:]))
    while beyond and beyond[-1] == 1:
        beyond.pop()
    if min(claimed[:3]) < 1 or min(claimed) < 0 or int(header["datatype"]) not in header._data_type_codes:
        return  # what is said of these is said elsewhere
    start, voxel = int(header.get_data_offset()), header.get_data_dtype().itemsize
    if min(claimed) < 1:
        _settle_empty(header, path, claimed, _Held(data, start, voxel))
    elif beyond:
        _settle_number(header, path, claimed, claimed + beyond, _Held(data, start, voxel))
    else:
        _remark_rest(path, claimed, _Held(data, start, voxel))


class _Held:
    """What a file holds after its header.

    Parameters
    ----------
    data : pathlib.Path
    start, voxel : int
        Bytes before the first voxel, and of each voxel.
    """

    def __init__(self, data, start, voxel):
        self._data, self._start, self._voxel = data, start, voxel

    def bytes_for(self, sides):
        """Return how many bytes the voxels of a shape take."""
        return math.prod(sides) * self._voxel

    def bytes(self, expected):
        """Return how many bytes of voxels there are; counted no further than one more than `expected` where that takes time."""
        return header_checks.content_length(self._data, self._start + expected) - self._start


def _settle_empty(header, path, claimed, held):
    """Set sides of 0 after the third to 1 where the file holds one volume; otherwise raise."""
    volume = held.bytes_for(claimed[:3])
    found = held.bytes(volume)
    at = next(number for number, side in enumerate(claimed, start=1) if side < 1)
    if not 0 <= found - volume < min(_PADDING, volume):
        raise InputError(
            f"the header of {path} contradicts its file: dim[{at}] is {claimed[at - 1]}, and the file holds "
            f"{'less than one volume' if found < volume else f'more than one volume of {tuple(claimed[:3])}'}. Correct dim[{at}], or "
            "convert the image again."
        )
    for number, side in enumerate(claimed, start=1):
        header["dim"][number] = max(side, 1)
    remark(path, f"its header says dim[{at}] = {claimed[at - 1]}; the file holds one volume, which is read")


def _settle_number(header, path, fewer, more, held):
    """Decide between the sides that dim[0] counts and those beyond them, by the length of the file."""
    few, many = held.bytes_for(fewer), held.bytes_for(more)
    found = held.bytes(many)
    said = f"its header says dim[0] = {len(fewer)}, which makes the shape {_shape(fewer)}, and sides beyond it make {_shape(more)}"
    if found >= many:
        header["dim"][0] = len(more)
        remark(path, f"{said}; the file holds the latter, which is read")
    elif 0 <= found - few < min(_PADDING, few):
        remark(path, f"{said}; the file holds the former, which is read")
    elif found >= few:
        raise InputError(
            f"{path} contradicts itself: {said}. The file holds {found} bytes of voxels, where these need {few} and {many}. "
            "Set dim[0] to what is right, or convert the image again."
        )


def _remark_rest(path, claimed, held):
    """Make a remark on bytes after the last voxel, which are not read."""
    needed = held.bytes_for(claimed)
    rest = held.bytes(needed) - needed
    if rest > 0:
        volumes = rest / held.bytes_for(claimed[:3])
        what = f"{volumes:g} volumes" if volumes.is_integer() else "some bytes"
        remark(path, f"its file holds {what} more than its header says, {_shape(claimed)}; these are not read")


def _shape(sides):
    return "(" + ", ".join(map(str, sides)) + ")"
