"""A network fresh from its training: its history, its pictures, and the files that hold them."""

import functools
import pathlib

from keras_mri.io import nifti_writing
from keras_mri.io.tables import write_rows
from keras_mri.io.volumes import Volume
from keras_mri.io.whole_files import check_output, replacing
from keras_mri.saving import checkpoints


class TrainedNetwork:
    """A trained network with what its training knows.

    Parameters
    ----------
    system : keras_mri.systems.records.System
    checkpoint : keras_mri.saving.checkpoints.Checkpoint
    data : any
        From the system's `prepare`.
    config : Options
        From the system's `settle`.
    history : list of dict of str to float
        One for each epoch: `epoch`, `seconds`, `error`, `val_error` and what else the system logs.
    """

    def __init__(self, system, checkpoint, data, config, history=()):
        self.system, self.checkpoint, self.data, self.config, self.history = system, checkpoint, data, config, list(history)

    def __repr__(self):
        facts = (self.checkpoint.system, self.network.name, f"{self.network.count_params():,} parameters", f"{len(self.history)} epochs")
        return f"TrainedNetwork({', '.join(facts)})"

    @property
    def network(self):
        """The functional keras.Model, float32."""
        return self.checkpoint.network

    @functools.cached_property
    def outcome(self):
        """What the network makes of the training's data: keras_mri.systems.records.Outcome."""
        return self.system.outcome(self.checkpoint, self.data, self.config)

    @property
    def panels(self):
        """Pictures of what the network does: dict of title to ndarray of float32, shape (x, y, z)."""
        return self.outcome.panels

    @functools.cached_property
    def verdict(self):
        """What the network makes of a scan of its training, as `predict` judges it: keras_mri.imaging.verdict.Verdict, or None."""
        judged = self.outcome.judged
        if judged is None:
            return None
        # Only here: scikit-image takes a second to import.
        from keras_mri.imaging.judging import Judge, see_all

        judge = Judge(judged.source, judged, facts=judged.facts)
        see_all([judge])
        return judge.verdict() if judge.count else None

    def save(self, path, overwrite=False):
        """Write the network, its history (`.csv`), its figure (`.png`) and the files of its system beside one another.

        Parameters
        ----------
        path : str or path-like
            NAME.h5, or NAME.keras for Keras' own format beside NAME.h5.
        overwrite : bool
            Replace files that exist.

        Returns
        -------
        list of pathlib.Path
            The files written.

        Raises
        ------
        InputError
            If a file exists, or cannot be written.
        """
        path = pathlib.Path(path)
        endings = (".csv", ".png", *self.system.settings.results)
        check_output(path, checkpoints.SUFFIXES, overwrite)
        for ending in ({".h5"} - {path.suffix}) | set(endings):
            check_output(beside(path, ending), (ending,), overwrite)
        written = [*self.save_network(path), *self.save_pictures(path)]
        if self.history:
            written.append(beside(path, ".csv"))
            write_rows(self.history, written[-1])
        return written

    def save_network(self, path):
        """Write the network alone, replacing any file; Keras' own format is written beside the `.h5`, never alone. Returns the paths."""
        paths = [beside(path, ".h5"), *([pathlib.Path(path)] if pathlib.Path(path).suffix == ".keras" else [])]
        for one in paths:
            checkpoints.save(self.checkpoint, one)
        return paths

    def save_pictures(self, path):
        """Write the figure and the files of the system beside a network, replacing any; returns the paths."""
        paths = self.save_figure(path)
        for name, result in self.outcome.files.items():
            named = name in self.system.settings.outputs
            paths.append(pathlib.Path(vars(self.config)[name]) if named else beside(path, name))
            write_result(result, paths[-1])
        return paths

    def save_figure(self, path):
        """Write the figure beside a network, if its system has pictures; returns the paths."""
        from keras_mri.report import figures

        if not self.panels:
            return []
        settings, figure = self.system.settings, beside(path, ".png")
        with replacing(figure) as temporary:
            figures.save_training(temporary, self.history, self.panels, settings.errors, settings.error_by_epoch, self.outcome.affine)
        return [figure]


def beside(path, ending):
    """Return the path of a file beside a network's: NAME.h5 and "_last.h5" give NAME_last.h5."""
    path = pathlib.Path(path)
    return path.with_name(path.stem + ending)


def write_result(result, path):
    """Write a Volume as NIfTI, a text as it is, anything else by calling it with a path; atomically."""
    if isinstance(result, Volume):
        nifti_writing.save(result, path)
        return
    with replacing(path) as temporary:
        if isinstance(result, str):
            temporary.write_text(result, encoding="utf-8", errors="backslashreplace")
        else:
            result(temporary)
