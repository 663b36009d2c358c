"""The page beside a result: what it needs is gathered before, while and after the result is written."""

import dataclasses
import datetime
import logging
import pathlib

from keras_mri.config import shown
from keras_mri.inference.training_range import range_of_sides, trained_sigma, trained_zooms
from keras_mri.io import nifti_reading as nifti
from keras_mri.io.header_comparison import compare
from keras_mri.io.whole_files import replacing
from keras_mri.report import provenance
from keras_mri.report.comparison import Comparison
from keras_mri.report.page import Facts, render


class Reporter:
    """Looks at a result while it is written, then writes the page.

    Parameters
    ----------
    images : sequence of Volume
        What the user named.
    restored : Volume
        What a system made of them.
    """

    def __init__(self, images, restored):
        self._images, self._comparison = images, Comparison(restored.source or images[0], restored)
        # Now, because the result may take the input's place.
        self._header = _header(images[0].name)

    def watched(self):
        """Return the result as a Volume to be written; each of its frames is looked at on its way."""
        return self._comparison.watched()

    def write(self, path, written, model, checkpoint, options, dtype, seconds, messages):
        """Write the page, whole or not at all.

        Parameters
        ----------
        path : pathlib.Path
            HTML.
        written : pathlib.Path
            The result.
        model : pathlib.Path
            The network's file.
        checkpoint : keras_mri.saving.checkpoints.Checkpoint
        options : PredictConfig
        dtype : str
            Of the numbers in the result's file.
        seconds : float
            From the first computation to the last byte written.
        messages : list of (int, str)
            Level and text of what was logged.

        Raises
        ------
        InputError
            If the disk is full or writing fails otherwise.
        """
        comparison, name = self._comparison, pathlib.Path(self._images[0].name).name
        card = model.with_suffix(".md")
        when = datetime.datetime.now().astimezone().isoformat(" ", "minutes")
        facts = Facts(
            title=f"{name} → {written.name}",
            lead=f"{checkpoint.system}, network {model.name}, {when}",
            seconds=seconds - comparison.seconds,
            memory=provenance.peak_memory(),
            warnings=[text.removeprefix("warning: ") for level, text in messages if level >= logging.WARNING],
            messages=[text for _, text in messages],
            fields=compare(self._header, nifti.read_header(written)) if self._header is not None else None,
            tables={
                "Files, network, settings": {**self._files(written, dtype), **_network(model, checkpoint)},
                "Options of this prediction": _rows(dataclasses.asdict(options)),
                "Settings of the training": _rows(checkpoint.config),
                "Programs": provenance.versions(),
            },
            card=card.read_text(encoding="utf-8", errors="replace") if card.is_file() else None,
        )
        page = render(comparison, facts)
        with replacing(path) as temporary:
            temporary.write_text(page, encoding="utf-8")

    def _files(self, written, dtype):
        images = {f"input {number}": _grid(image) for number, image in enumerate(self._images, 1)}
        images = images if len(images) > 1 else {"input": images["input 1"]}
        result = self._comparison.after
        return {**images, "result": f"{written}, {_shape(result)}, {dtype}"}


def _network(model, checkpoint):
    zooms, sigma = trained_zooms(checkpoint.training), trained_sigma(checkpoint.training)
    return {
        "network": f"{checkpoint.network.name}, {checkpoint.network.count_params():,} parameters",
        "file of the network": str(model),
        "its SHA-256": provenance.digest(model),
        "system": checkpoint.system,
        "trained voxels": f"{range_of_sides(zooms)} mm" if len(zooms) else "not told",
        "trained noise": f"SD {sigma[0]:.3g} to {sigma[1]:.3g} in network units" if sigma else "not told",
    }


def _rows(options):
    return {name: shown(value) for name, value in options.items()}


def _grid(image):
    return f"{image.name}, {_shape(image)}"


def _shape(image):
    sides = " × ".join(map(str, image.shape[:3])) + (f" voxels, {image.n_frames} frames" if image.n_frames > 1 else " voxels")
    return f"{sides}, {' × '.join(f'{zoom:.3g}' for zoom in image.zooms)} mm"


def _header(path):
    try:
        return nifti.read_header(path)
    except nifti.NoNiftiError:
        return None
