"""How close a scan is to a reference: all metrics of a volume or a run."""

import math
import numbers

import numpy as np

from keras_mri.errors import InputError, remark
from keras_mri.imaging import metrics
from keras_mri.imaging.foreground import metric_foreground
from keras_mri.imaging.intensity import far_range
from keras_mri.io.grids import check_same_grid
from keras_mri.io.mask_files import load_mask

# Of a data range.
_LARGEST = 1e300
# No tissue lies so many ranges of the usual intensities beyond them.
_FAR = 9.0


def evaluate(reference, image, mask, data_range):
    """Compare one scan with a reference, frame by frame.

    Parameters
    ----------
    reference : Volume
        3D, or with as many frames as `image`.
    image : Volume
    mask : ndarray of bool, shape (x, y, z)
        Where `…_in` is taken; `…_out` is taken elsewhere.
    data_range : float
        Peak of PSNR and SSIM, in the image's unit.

    Returns
    -------
    dict of str to float
        psnr (dB), ssim and nrmse, each for the whole volume, in the mask and outside; for a run also the median tsnr in
        the mask and fwhm (mm), the smoothness of its frame-to-frame fluctuation. PSNR and NRMSE pool the squared
        errors of all frames, SSIM is the mean over frames.

    Raises
    ------
    GridMismatchError
        If the images do not share a grid.
    InputError
        If their numbers of frames do not fit.
    """
    check_same_grid(reference, image)
    if reference.n_frames not in (1, image.n_frames):
        raise InputError(
            f"the reference must be one volume or have as many frames as the image. Received: {reference.n_frames} frames in "
            f"{reference.name}, {image.n_frames} in {image.name}."
        )
    regions = {"": np.ones_like(mask), "_in": mask, "_out": ~mask}
    regions = {suffix: region for suffix, region in regions.items() if region.any()}
    differences = {suffix: _Differences() for suffix in regions}
    statistics = metrics.RunStatistics(mask)
    for t, frame in enumerate(image.frames()):
        truth = reference.frame(t if reference.n_frames > 1 else 0)
        similarity = metrics.ssim_map(truth, frame, data_range)
        for suffix, region in regions.items():
            differences[suffix].add(truth, frame, region, similarity)
        statistics.add(frame)
    row = {}
    for suffix, difference in differences.items():
        row.update({name + suffix: value for name, value in difference.metrics(data_range).items()})
    if image.n_frames > 1:
        row["tsnr"], row["fwhm"] = statistics.tsnr(), statistics.fwhm(image.zooms)
    return row


class _Differences:
    """Squared errors, powers and similarities of one region, gathered frame by frame."""

    def __init__(self):
        self.squares, self.powers, self.similarities = [], [], []

    def add(self, truth, frame, region, similarity):
        """Take in one frame, shape (x, y, z), and its map of structural similarity."""
        self.squares.append(metrics.rmse(truth, frame, region) ** 2)
        self.powers.append(metrics.rmse(truth, np.zeros_like(truth), region) ** 2)
        self.similarities.append(similarity[region].mean())

    def metrics(self, data_range):
        """Return PSNR, SSIM and NRMSE of all frames: dict of str to float."""
        error, scale = math.sqrt(np.mean(self.squares)), math.sqrt(np.mean(self.powers))
        return {
            "psnr": 20 * math.log10(data_range / error) if error else math.inf,
            "ssim": float(np.mean(self.similarities)),
            "nrmse": error / scale if scale else (math.inf if error else 0.0),
        }


def region_and_peak(reference, mask=None, data_range=None):
    """Return where and on which scale images are compared with a reference.

    Parameters
    ----------
    reference : Volume
    mask : str, path-like or Volume, optional
        3D, 0 outside; by default the region where the reference exceeds 10/255 of the data range.
    data_range : float, optional
        By default the reference's maximum.

    Returns
    -------
    region : ndarray of bool, shape (x, y, z)
    peak : float
        The data range.

    Raises
    ------
    InputError
        If the data range is not positive and finite, or no voxel is in the region.
    """
    if data_range is not None and not (isinstance(data_range, numbers.Real) and 0 < data_range < _LARGEST):
        raise InputError(f"`data_range` must be positive and finite, a number. Received: {data_range!r}.")
    peak = data_range or reference.extremes[1]
    if not peak > 0:
        raise InputError(f"the data range cannot be taken from a reference whose maximum is {peak:g}; state it with `data_range`.")
    if data_range is None and peak > far_range(reference.frame(0), _FAR)[1]:
        remark(reference.name, f"its maximum, {peak:.6g}, is an outlier, and metrics are relative to it: state `data_range`")
    region = metric_foreground(reference.frame(0), peak) if mask is None else load_mask(mask, reference)
    if not region.any():
        raise InputError("no voxel of the reference is brighter than 10/255 of the data range; give the region with `mask`.")
    return region, peak
