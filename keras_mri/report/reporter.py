"""The page beside a result: statistics are gathered while the result is written, facts before and after."""

import dataclasses
import datetime
import logging
import pathlib

from keras_mri.config import Options, shown
from keras_mri.inference.training_range import range_of_sides, trained_sigma, trained_zooms
from keras_mri.io import nifti_reading
from keras_mri.io.header_comparison import compare
from keras_mri.io.whole_files import replacing
from keras_mri.report import provenance
from keras_mri.report.comparison import Comparison
from keras_mri.report.page import Facts, render
from keras_mri.saving import cards


@dataclasses.dataclass(frozen=True, kw_only=True)
class Prediction:
    """The settings of a prediction that its page reports.

    Parameters
    ----------
    written : pathlib.Path
        File of the result.
    dtype : str
        Data type of the numbers in that file.
    model : pathlib.Path
        File of the network.
    checkpoint : keras_mri.saving.checkpoints.Checkpoint
        The network loaded from that file.
    options : Options
    without_folders : bool
        Whether the page names files without their folders: it goes to others together with a study.
    """

    written: pathlib.Path
    dtype: str
    model: pathlib.Path
    checkpoint: object
    options: Options
    without_folders: bool = False

    def named(self, path):
        """Return how the page names a file: by its path, or by its name alone."""
        return pathlib.PurePath(path).name if self.without_folders else str(path)


class Reporter:
    """Gathers statistics of a result while it is written, then writes the page.

    Parameters
    ----------
    images : sequence of Volume
        Inputs of the prediction.
    restored : Volume
        Result of the system.
    prediction : Prediction
    """

    def __init__(self, images, restored, prediction):
        self._images, self._prediction = images, prediction
        self._comparison = Comparison(restored.source or images[0], restored)
        # Read before anything is written: the result may replace the input.
        self._header = _header(images[0].name)

    def watched(self):
        """Return the result as a Volume whose frames enter the statistics as they are written."""
        return self._comparison.watched()

    def write(self, path, seconds, messages, verdict=None):
        """Write the page atomically.

        Parameters
        ----------
        path : pathlib.Path
            HTML.
        seconds : float
            Time from the first computation to the last byte written.
        messages : list of (int, str)
            Level and text of each message logged.
        verdict : keras_mri.imaging.verdict.Verdict, optional

        Raises
        ------
        InputError
            If the disk is full or writing fails otherwise.
        """
        comparison, prediction = self._comparison, self._prediction
        checkpoint, model = prediction.checkpoint, prediction.model
        after = _header(prediction.written)
        when = datetime.datetime.now().astimezone().isoformat(" ", "minutes")
        facts = Facts(
            title=f"{pathlib.Path(self._images[0].name).name} → {prediction.written.name}",
            lead=f"{checkpoint.system}, network {model.name}, {when}",
            seconds=seconds - comparison.seconds,
            memory=provenance.peak_memory(),
            warnings=[text.removeprefix("warning: ") for level, text in messages if level >= logging.WARNING],
            messages=[text for _, text in messages],
            fields=compare(self._header, after) if self._header is not None and after is not None else None,
            tables={
                "Files, network, settings": {**self._files(), **_network(prediction)},
                "Options of this prediction": {**_rows(self._options()), **_precision(comparison.after.facts)},
                "Settings of the training": _rows(checkpoint.config),
                "Programs": provenance.versions(),
            },
            card=cards.text_of(model.with_suffix(".md")),
            verdict=verdict,
        )
        page = render(comparison, facts)
        with replacing(path) as temporary:
            temporary.write_text(page, encoding="utf-8", errors="backslashreplace")

    def _files(self):
        named = self._prediction.named
        images = {f"input {number}": f"{named(image.name)}, {_shape(image)}" for number, image in enumerate(self._images, 1)}
        images = images if len(images) > 1 else {"input": images["input 1"]}
        result = f"{named(self._prediction.written)}, {_shape(self._comparison.after)}, {self._prediction.dtype}"
        return {**images, "result": result}

    def _options(self):
        options = self._prediction.options
        return options.to_json() if self._prediction.without_folders else dataclasses.asdict(options)


def _network(prediction):
    checkpoint = prediction.checkpoint
    zooms, sigma = trained_zooms(checkpoint.training), trained_sigma(checkpoint.training)
    return {
        "network": f"{checkpoint.network.name}, {checkpoint.network.count_params():,} parameters",
        "file of the network": prediction.named(prediction.model),
        "its SHA-256": provenance.digest(prediction.model),
        "system": checkpoint.system,
        "voxel sizes seen in training": f"{range_of_sides(zooms)} mm" if len(zooms) else "not recorded",
        "noise seen in training": f"SD {sigma[0]:.3g} to {sigma[1]:.3g} in network units" if sigma else "not recorded",
    }


def _precision(facts):
    """Return the row with the precision that was used, where the option left it open or not."""
    if "precision" not in facts:
        return {}
    difference = facts["precision"].get("difference")
    measured = "" if difference is None else f"; bfloat16 changes the result by {100 * difference:.2g} % of its noise"
    return {"precision used": facts["precision"]["used"] + measured}


def _rows(options):
    return {name: shown(value) for name, value in options.items()}


def _shape(image):
    sides = " × ".join(map(str, image.shape[:3])) + (f" voxels, {image.n_frames} frames" if image.n_frames > 1 else " voxels")
    return f"{sides}, {' × '.join(f'{zoom:.3g}' for zoom in image.zooms)} mm"


def _header(path):
    try:
        return nifti_reading.read_header(path)
    except nifti_reading.NoNiftiError:
        return None
