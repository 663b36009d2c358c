"""How far apart and how thick the slices of a scan are: from its header and its side-car, or a message where they leave doubt."""

from keras_mri.errors import InputError, remark

# An axis is that of the slices if its voxels are so many times longer than those along both others.
_THICKER = 1.1
# Relative difference of one distance written twice.
_SAME = 0.01
# Thickness of slices in distances of their centres: what lies outside is another unit, or a mistake.
_LEAST, _MOST = 0.1, 3.0
# From this distance on, in mm, scanners usually leave gaps.
_GAPS_FROM = 2.5


def slice_axis(zooms):
    """Return the axis along which a scan is a stack of slices.

    Parameters
    ----------
    zooms : sequence of float
        Voxel sides, mm.

    Returns
    -------
    int or None
        None for a scan whose two longest sides are alike.
    """
    second, longest = sorted(zooms)[-2:]
    return list(zooms).index(longest) if longest > _THICKER * second else None


def thickness_of(volume, axis):
    """Return how thick the slices of a scan are.

    Parameters
    ----------
    volume : Volume
    axis : int
        That of the slices.

    Returns
    -------
    float
        mm. The distance of the slices' centres where no side-car states a thickness, with a remark if there may be gaps.

    Raises
    ------
    InputError
        If header and side-car state two distances.
    """
    spacing, facts = volume.zooms[axis], volume.metadata.facts
    stated = _length(volume, "SpacingBetweenSlices")
    if stated is not None and abs(stated - spacing) > _SAME * spacing:
        raise InputError(
            f"{volume.name} has two distances of slices: {spacing:g} mm in its header and {stated:g} mm in "
            f"{volume.metadata.origins['SpacingBetweenSlices'].name} (SpacingBetweenSlices). Find out which is true and correct the file."
        )
    thickness = _length(volume, "SliceThickness")
    if thickness is not None and not _LEAST * spacing <= thickness <= _MOST * spacing:
        remark(volume.name, f"SliceThickness of its side-car is ignored: {thickness:g} mm, where slices are {spacing:g} mm apart")
        thickness = None
    elif "SliceThickness" not in facts and spacing >= _GAPS_FROM:
        remark(
            volume.name,
            f"nothing tells whether there are gaps between its slices, {spacing:g} mm apart: they are taken to be as thick as that. "
            "A side-car with SliceThickness (mm) corrects it",
        )
    return spacing if thickness is None else thickness


def _length(volume, name):
    """Return a length that the side-car states, mm; None, with a remark if it is there, where it is none."""
    value = volume.metadata.facts.get(name)
    if value is None or (type(value) in (int, float) and 0 < value < 1e4):
        return value if value is None else float(value)
    remark(volume.name, f"{name} of its side-car is ignored: expected millimetres above 0, received {str(value)[:40]!r}")
    return None
