"""The Python door, images alone: their noise, how two of them differ, a verdict, a picture. No network takes part."""

import os
import typing

import numpy as np

from keras_mri.errors import InputError
from keras_mri.imaging import noise
from keras_mri.imaging.verdict import Verdict
from keras_mri.io import header_comparison
from keras_mri.io.mask_files import load_mask
from keras_mri.io.nifti_reading import Image, open_image, open_scan, read_header
from keras_mri.io.whole_files import check_output

if typing.TYPE_CHECKING:
    from keras_mri.report.before_after import ShownFigure
else:
    # Its module imports matplotlib.
    ShownFigure = typing.Any

# Formats of a picture, by the ending of its file.
_PICTURES = (".png", ".pdf", ".svg")
# Successive frames of a run from which its noise is estimated: enough for a median, few enough to be read at once.
_MOST_FRAMES = 16


def estimate_noise(image: Image, mask: Image | None = None) -> float:
    """Estimate the standard deviation of the noise of a scan.

    Parameters
    ----------
    image : image
        Path, nibabel image or Volume.
    mask : image, optional
        3D, 0 outside: only the box around it is looked at.

    Returns
    -------
    float
        In the image's unit; of a run, from the differences of successive frames.

    Raises
    ------
    InputError
        If an image cannot be used.

    Examples
    --------
    >>> import keras_mri
    >>> import nibabel
    >>> import numpy as np
    >>> noisy = 100 + np.random.default_rng(0).normal(0, 5, (32, 32, 32))
    >>> round(keras_mri.estimate_noise(nibabel.Nifti1Image(noisy, np.eye(4))))
    5
    """
    volume = open_image(image)
    # Successive frames from the middle of a run, where the magnetisation is in its steady state.
    first = max(0, (volume.n_frames - _MOST_FRAMES) // 2)
    data = np.stack([volume.frame(t) for t in range(first, min(first + _MOST_FRAMES, volume.n_frames))], axis=-1)
    if mask is not None:
        # The estimate leaves out exact zeros.
        data = np.where(load_mask(mask, volume)[..., None], data, 0)
    return noise.estimate_sigma(data)


def evaluate(reference: Image, image: Image, mask: Image | None = None, data_range: float | None = None) -> dict[str, float]:
    """Compare a scan with a reference: `python -m keras_mri.evaluate`.

    Parameters
    ----------
    reference : image
        Path, nibabel image or Volume; 3D, or with as many frames as `image`.
    image : image
    mask : image, optional
        Region of the values whose names end in `_in`; by default where the reference exceeds 10/255 of the data range.
    data_range : float, optional
        Peak of PSNR and SSIM, in the image's unit; by default the reference's maximum.

    Returns
    -------
    dict of str to float
        `psnr` (dB), `ssim`, `nrmse`, the same inside the mask (`psnr_in`, …) and outside (`psnr_out`, …); for a run also `tsnr` and
        `fwhm` (mm).

    Raises
    ------
    InputError
        If an image cannot be used, the grids differ, or the data range is not positive.

    Examples
    --------
    >>> import keras_mri
    >>> keras_mri.evaluate("sample", "sample")["ssim"]
    1.0
    """
    # Only here: scikit-image takes a second to import.
    from keras_mri.imaging import evaluation

    reference, image = open_image(reference), open_image(image)
    region, peak = evaluation.region_and_peak(reference, mask, data_range)
    return evaluation.evaluate(reference, image, region, peak)


def judge(before: Image, after: Image, mask: Image | None = None) -> Verdict:
    """Judge what a denoiser removed from a scan, without a reference: `python -m keras_mri.evaluate --before`.

    Parameters
    ----------
    before, after : image
        Path, nibabel image or Volume; input and result of any denoiser, on one grid.
    mask : image, optional
        3D, 0 outside: where they are compared; by default in the brain, as found in the first frame.

    Returns
    -------
    Verdict
        `noise` and `removed` (SD, the image's unit), `share` of the noise, `anatomy` (share of the removed power), `tsnr`,
        `autocorrelation` and `fwhm` before and after, and `word`.

    Raises
    ------
    InputError
        If an image cannot be used, or grids or numbers of frames differ.

    Examples
    --------
    >>> import keras_mri
    >>> import nibabel
    >>> import numpy as np
    >>> clean = np.full((24, 24, 24, 20), 100.0)
    >>> noisy = clean + np.random.default_rng(0).normal(0, 5, clean.shape)
    >>> before, after = (nibabel.Nifti1Image(run, np.diag([3, 3, 3, 1])) for run in (noisy, (clean + noisy) / 2))
    >>> keras_mri.judge(before, after).word
    'noise removed'
    """
    # Only here: scikit-image takes a second to import.
    from keras_mri.imaging.judging import Judge, see_all

    before, after = open_image(before), open_image(after)
    judged = Judge(before, after, None if mask is None else load_mask(mask, before))
    see_all([judged])
    return judged.verdict()


def plot(
    before: Image,
    after: Image,
    *,
    frame: int | None = None,
    where: typing.Sequence[float] | None = None,
    unit: str = "mm",
    path: str | os.PathLike | None = None,
) -> ShownFigure:
    """Draw a scan before and after side by side, and what was removed: axial, coronal and sagittal, with the letters of their sides.

    Whatever the order of the voxel axes, the left of the body is on the left (neurological), and voxels have their true sides.
    The first two share one scale of greys. What was removed, before − after, has its own around 0; its title states its standard
    deviation over the foreground of the frame. If the grids differ, as after super-resolution, no difference is drawn.

    Parameters
    ----------
    before, after : image
        Path, nibabel image or Volume, such as what `restore` returns.
    frame : int, optional
        Of a run, counted from 0; the middle one by default.
    where : sequence of three floats, optional
        Place at which both are cut; by default the centre of the foreground of `before`, as far as `after` shows it.
    unit : {"mm", "voxel"}
        Of `where`: RAS+ mm, or voxel indices of `before`.
    path : str or path-like, optional
        Also saves the picture: `.png`, `.pdf` or `.svg`. A file that is there is not replaced.

    Returns
    -------
    matplotlib.figure.Figure
        A notebook shows it if it is the last line of a cell. pyplot does not know of it: outside of notebooks use `path`, or `savefig`.

    Raises
    ------
    InputError
        If an image cannot be used, holds labels, is constant in the frame shown, or has other frames than the other one; if the images
        do not overlap; or if another argument cannot be used.

    Examples
    --------
    >>> import keras_mri
    >>> figure = keras_mri.plot("sample", keras_mri.restore("epi", "sample"), frame=0, where=(0, 10, 40))
    >>> len(figure.axes)
    9
    """
    # Only here: it imports matplotlib.
    from keras_mri.report.before_after import before_after_figure, save_picture

    if path is not None:
        path = _checked_picture(path)
    figure = before_after_figure(open_scan(before), open_scan(after), frame, where, unit)
    if path is not None:
        save_picture(figure, path)
    return figure


def compare_headers(first: Image, second: Image) -> list[header_comparison.Field]:
    """Compare the headers of two images: `python -m keras_mri.check`.

    Parameters
    ----------
    first, second : image
        Of two paths, the headers as they lie in the files, or of two formats what both hold.
        A nibabel image or a Volume is compared by the header it carries.

    Returns
    -------
    list of Field
        Those that differ, with `name`, `before`, `after` and `why`; empty if the headers are equal.

    Raises
    ------
    InputError
        If an image has no NIfTI header.

    Examples
    --------
    >>> import keras_mri
    >>> keras_mri.compare_headers("sample", "sample")
    []
    """
    if all(isinstance(image, (str, os.PathLike)) for image in (first, second)):
        fields = header_comparison.compare_files(first, second)
    else:
        fields = header_comparison.compare(_header(first), _header(second))
    return [field for field in fields if not field.equal]


def _checked_picture(path):
    if not isinstance(path, (str, os.PathLike)):
        raise InputError(f"`path` must be the name of a picture that ends in {' or '.join(_PICTURES)}. Received: {path!r}.")
    if os.path.lexists(path):
        raise InputError(f"{path} exists. Name another file with `path`, or replace it by `savefig` of the figure that is returned.")
    return check_output(path, _PICTURES, option="path")


def _header(image):
    if isinstance(image, (str, os.PathLike)):
        return read_header(image)
    header = open_image(image).header
    if header is None:
        raise InputError("the image has no NIfTI header to compare. Expected a path, or an image that was opened from one.")
    return header
