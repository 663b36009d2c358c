"""The Python door: what `import keras_mri` offers. The commands call these same functions."""

import os
import time
import typing

import numpy as np

from keras_mri.errors import InputError, remark, remarks_kept
from keras_mri.imaging import noise
from keras_mri.imaging.verdict import Verdict
from keras_mri.inference.training_range import differences_from_training
from keras_mri.io import header_comparison
from keras_mri.io.mask_files import load_mask
from keras_mri.io.nifti_reading import Image, open_image, open_scan, read_header
from keras_mri.io.volumes import Volume
from keras_mri.io.whole_files import check_output
from keras_mri.saving.checkpoints import Checkpoint
from keras_mri.systems import automatic, get_settings, get_system, that_generate
from keras_mri.systems.network_files import load_network, path_of_network, path_or_auto, system_of
from keras_mri.systems.trained import TrainedNetwork

if typing.TYPE_CHECKING:
    from keras_mri.report.before_after import ShownFigure
else:
    # Its module imports matplotlib.
    ShownFigure = typing.Any

# A name such as "epi", a file, or a network in memory.
Network = str | os.PathLike | Checkpoint | TrainedNetwork

# Formats of a picture, by the ending of its file.
_PICTURES = (".png", ".pdf", ".svg")
# Successive frames of a run from which its noise is estimated: enough for a median, few enough to be read at once.
_MOST_FRAMES = 16


def restore(
    network: Network,
    images: Image | typing.Sequence[Image],
    *,
    replace_nonfinite: bool = False,
    sha256: str | None = None,
    **options,
) -> Volume:
    """Restore a scan with a trained network: `python -m keras_mri.predict`.

    Parameters
    ----------
    network : str, path-like, Checkpoint or TrainedNetwork
        Name of a pre-trained network ("epi", "t1w", …), its file, its address on the Hugging Face hub ("hf://owner/name"), or what
        `fit` returned; or "auto": the pre-trained network that fits the scan by its name, side-car, frames, sides and contrast.
        `facts["chosen"]` of the result says which one and why.
    images : image or sequence of images
        Path, nibabel image or Volume; a list of repetitions for a Noise2Average network.
    replace_nonfinite : bool
        Read NaN and infinity as 0 instead of refusing them.
    sha256 : str, optional
        SHA-256 that the network's file must have, in hexadecimal.
    **options
        Those of the network's system, named as the flags of the command: `mirror`, `tile`, `precision`, `mask`, …

    Returns
    -------
    Volume
        On the input's grid, with its header, in its unit. Frames are computed when they are asked for, or saved.

    Raises
    ------
    InputError
        If the network, an option or an image cannot be used.

    Examples
    --------
    >>> import keras_mri
    >>> restored = keras_mri.restore("epi", "sample", mirror="left-right")
    >>> restored.shape
    (128, 96, 24, 2)
    """
    network = _located(network, sha256)
    name = _system_of(network)
    settings = get_settings(name)
    chosen = settings.PredictConfig.from_names(name, **options)
    volumes = [open_scan(image, replace_nonfinite) for image in _sequence(images)]
    _check_count(volumes, settings.images)
    choice = automatic.choose(volumes[0]) if automatic.is_auto(network) else None
    system, checkpoint = get_system(name), checkpoint_of(choice.path if choice else network)
    for difference in differences_from_training(volumes[0], checkpoint.training, checkpoint.inference, averaged=len(volumes)):
        remark(volumes[0].name, difference)
    restored = system.predict(checkpoint, volumes, chosen)
    if choice:
        restored.facts["chosen"] = choice.sentence
    # Only here: it imports Keras.
    from keras_mri.cli.progress import counted_in_notebook

    return counted_in_notebook(restored)


def fit(
    system: str,
    images: Image | typing.Sequence[Image],
    *,
    preset: str | None = None,
    devices: int | str = 1,
    replace_nonfinite: bool = False,
    callbacks: typing.Sequence = (),
    **options,
) -> TrainedNetwork:
    """Train a system: `python -m keras_mri.train`. Needs TensorFlow; writes no file.

    Parameters
    ----------
    system : str
        One of "wgan", "n2a", "sr", "cnn", "ldm".
    images : image or sequence of images
        Path, nibabel image or Volume. For "sr" also a BIDS folder, for "cnn" also an `.npz` data set.
    preset : str, optional
        A named set of options, such as "published"; `options` override it.
    devices : int or "all"
        GPUs, or logical processors where there are none, that share every batch.
    replace_nonfinite : bool
        Read NaN and infinity as 0 instead of refusing them.
    callbacks : sequence of keras.callbacks.Callback
        Added to every fit.
    **options
        Those of the system, named as the flags of the command, with the same defaults: `time_budget="5m"`, `epochs`, `seed`, …

    Returns
    -------
    TrainedNetwork
        With `save(path)`, `history`, `panels` and `network`, the functional keras.Model.

    Raises
    ------
    InputError
        If an option or an image cannot be used, or training diverges.

    Examples
    --------
    >>> import keras_mri
    >>> network = keras_mri.fit("wgan", "sample", epochs=1, steps_per_epoch=1)
    >>> network.network.name
    'residual_unet'
    """
    begun = time.monotonic()
    # Only here: nothing else of this door trains.
    from keras_mri.cli.training_job import TrainingJob

    settings = get_settings(system)
    if preset is not None and preset not in settings.presets:
        raise InputError(f"`preset` must be one of {', '.join(sorted(settings.presets))}. Received: {preset!r}.")
    if devices != "all" and not (type(devices) is int and devices > 0):
        raise InputError(f"`devices` must be a number from 1 on, or 'all'. Received: {devices!r}.")
    config = settings.Config.from_names(system, **{**(settings.presets[preset] if preset else {}), **options})
    with remarks_kept() as remarks:
        opened = settings.open_inputs(_sequence(images), config, replace_nonfinite)
        return TrainingJob(system, config, opened, devices, callbacks=callbacks, remarks=remarks).run(begun=begun)


def sample(network: Network, count: int, *, sha256: str | None = None, **options) -> list[Volume]:
    """Draw new volumes from a latent diffusion network: `python -m keras_mri.generate`.

    Parameters
    ----------
    network : str, path-like, Checkpoint or TrainedNetwork
    count : int
        How many.
    sha256 : str, optional
        SHA-256 that the network's file must have, in hexadecimal.
    **options
        Those of the network's system, named as the flags of the command: `label`, `guidance`, `steps`, `sampler`, `seed`.

    Returns
    -------
    list of Volume
        Synthetic: no scan of anyone, not for diagnosis.

    Raises
    ------
    InputError
        If the network restores scans and draws none, or an option cannot be used.

    Examples
    --------
    >>> import keras_mri
    >>> [volume.shape for volume in keras_mri.sample("ldm_heads", 1, steps=2, label="forrest")]
    [(80, 80, 35)]
    """
    network = _located(network, sha256)
    name = _system_of(network)
    settings = get_settings(name)
    if settings.GenerateConfig is None:
        generating = ", ".join(that_generate())
        raise InputError(f"a network of {name!r} restores scans and cannot make new ones. Expected a network of one of: {generating}.")
    chosen = settings.GenerateConfig.from_names(name, **options)
    if not (type(count) is int and count > 0):
        raise InputError(f"`count` must be at least 1. Received: {count!r}.")
    return list(get_system(name).generate(checkpoint_of(network), count, chosen))


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


def checkpoint_of(network: Network) -> Checkpoint:
    """Return a network with what prediction needs: loaded from its file, by its name, or as it is in memory."""
    if isinstance(network, TrainedNetwork):
        return network.checkpoint
    return network if isinstance(network, Checkpoint) else load_network(path_of_network(network))


def _located(network, sha256):
    """Return the path of a network's file, with that content; `auto` and a network in memory as they are."""
    if isinstance(network, (TrainedNetwork, Checkpoint)):
        if sha256 is not None:
            raise InputError("`sha256` is the checksum of a file, and this network is in memory. Leave it out.")
        return network
    if not isinstance(network, (str, os.PathLike)):
        raise InputError(
            "`network` must be a name such as 'epi', the path of a network's file, an address hf://owner/name, or a network in memory. "
            f"Received: {type(network).__name__}."
        )
    return path_or_auto(network, sha256) or network


def _system_of(network):
    """Return the system of what `_located` found."""
    if isinstance(network, (TrainedNetwork, Checkpoint)):
        return checkpoint_of(network).system
    return automatic.SYSTEM if automatic.is_auto(network) else system_of(network)


def _sequence(images):
    """Return one image, or a sequence of images, as a list."""
    return list(images) if isinstance(images, (list, tuple)) else [images]


def _check_count(volumes, wanted):
    if not volumes or wanted is not None and len(volumes) != wanted:
        expected = "at least one image" if wanted is None else "one image at a time" if wanted == 1 else f"{wanted} images"
        raise InputError(f"this network restores {expected}. Received: {len(volumes)} images.")


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
