"""A training from its options to its trained network: the one place that knows the order of the steps."""

import contextlib
import dataclasses
import pathlib
import sys
import time
import typing

from keras_mri.cli.running import native_messages_held_back
from keras_mri.config import Options
from keras_mri.errors import InputError
from keras_mri.networks.backends import check_trains
from keras_mri.systems import get_settings, get_system
from keras_mri.systems.records import modalities
from keras_mri.training.clock import Clock, running
from keras_mri.training.state_files import remove_state, states_in
from keras_mri.training.workers import Workers, discarded_folder

# The ending of the file that holds the last epoch's network, where a system keeps it beside the best.
LAST = "_last.h5"
# Seconds that writing the files takes at least, and for each second that the imports of training took.
_LEAST_CLOSING, _CLOSING = 2.5, 1.2


@dataclasses.dataclass(frozen=True)
class Files:
    """Where a training's files go; a training from Python has none.

    Parameters
    ----------
    network : pathlib.Path
        NAME.h5 or NAME.keras.
    state : pathlib.Path
        From which an unfinished training is resumed.
    state_every : float or None
        Seconds between two states; None saves none.
    command : dict
        `system`, `config` and `images`: the training that a state belongs to.
    resumed : dict, optional
        The state to resume from.
    """

    network: pathlib.Path
    state: pathlib.Path
    state_every: float | None
    command: dict
    resumed: dict | None = None

    def within(self, folder):
        """Return the same names in a folder."""
        folder = pathlib.Path(folder)
        return dataclasses.replace(self, network=folder / self.network.name, state=folder / self.state.name)


@dataclasses.dataclass(frozen=True)
class TrainingJob:
    """One training.

    Parameters
    ----------
    system : str
    config : Options
        The system's Config.
    images : list
        From the system's `open_inputs`.
    devices : int or "all"
    workers : Workers, optional
        The machines that train together.
    callbacks : sequence of keras.callbacks.Callback
        Added to every fit.
    remarks : sequence of str
        From `keras_mri.errors.remarks_kept`; read at the end, and kept in the network's file.
    """

    system: str
    config: Options
    images: list
    devices: int | str = 1
    workers: Workers | None = None
    callbacks: typing.Sequence = ()
    remarks: typing.Sequence = ()

    def run(self, files=None, begun=None):
        """Train; with files, also write the network and the files beside it, and save the training's state now and then.

        Parameters
        ----------
        files : Files, optional
        begun : float, optional
            When the training began for its user, on the clock of `time.monotonic`: a time budget counts from then. By default now.

        Returns
        -------
        keras_mri.systems.trained.TrainedNetwork or None
            None on every machine but the first.

        Raises
        ------
        InputError
            If the images cannot be used, the machines do not agree, or training diverges.
        """
        clock = Clock(self.config.time_budget, begun, writes=files is not None) if self.config.time_budget else None
        imports = time.monotonic()
        with native_messages_held_back():
            check_trains()
            get_system(self.system)
        if clock and files:
            # Writing files and drawing is much the same work as importing what they need: Python, and its modules of pictures.
            clock.closing = max(_LEAST_CLOSING, _CLOSING * (time.monotonic() - imports))
        with discarded_folder(self.workers) as folder, running(clock):
            job, files = self._in_folder(folder, files) if folder else (self, files)
            trained = job._trained(files)
        if folder:
            print(f"the first machine, {self.workers.addresses[0]}, writes the network", file=sys.stderr)
        return trained

    def _in_folder(self, folder, files):
        """Return the job and its files with every file in a folder."""
        named = {name: path for name, path in vars(self.config).items() if name in get_settings(self.system).outputs and path}
        elsewhere = {name: str(pathlib.Path(folder) / pathlib.Path(path).name) for name, path in named.items()}
        return dataclasses.replace(self, config=dataclasses.replace(self.config, **elsewhere)), files.within(folder)

    def _trained(self, files):
        from keras_mri.training import machines

        strategy, config = self._strategy(files)
        steps = _Steps(self, files)
        steps.prepare(config)
        with steps.leaving_no_history(), machines.scope(strategy):
            machines.check_same(self._same_for_all(steps))
            network = steps.system.train(steps.data, steps.config, [*steps.callbacks(), *self.callbacks])
        if self.workers and self.workers.index:
            # The first machine has the same network, and writes it.
            return None
        if self.workers or self.devices != 1:
            from keras_mri.networks.precision import in_float32

            # A copy outside of the strategy's scope: using it asks nothing of other devices and machines, which may have gone.
            network = in_float32(network)
        trained = steps.trained(network)
        if files:
            with steps.leaving_no_history():
                steps.write(trained)
        return trained

    def _strategy(self, files):
        """Return how the devices share the work, and the options with the precision chosen."""
        from keras_mri.networks.precision import chosen_precision
        from keras_mri.training import machines
        from keras_mri.training.devices import strategy_for
        from keras_mri.training.fit import compute_deterministically

        compute_deterministically(self.config.deterministic)
        strategy = machines.strategy_across(self.workers) if self.workers else strategy_for(self.devices)
        # Chosen by timing: a resumed training keeps the choice of its start, and machines follow the first one.
        resumed = files.resumed if files else None
        precision = resumed["precision"] if resumed else chosen_precision(self.config.precision)
        with machines.scope(strategy):
            precision = machines.agreed_on(precision, ("float32", "bfloat16"))
        return strategy, dataclasses.replace(self.config, precision=precision)

    def _same_for_all(self, steps):
        """Return the facts that several machines must share."""
        command = steps.files.command if steps.files else {}
        state = {"states": steps.files.state_every, "begun": steps.state.seconds_before} if steps.files else {}
        return {**command, "images": len(self.images), **state}


class _Steps:
    """The steps of one training, and what they hand on: data and options, callbacks, the network, its files."""

    def __init__(self, job, files):
        from keras_mri.systems.trained import beside
        from keras_mri.training.callbacks import EpochLog, KeepLast

        self.job, self.files = job, files
        self.system, self.settings = get_system(job.system), get_settings(job.system)
        self.log = EpochLog(beside(files.network, ".csv") if files else None)
        self.last = KeepLast() if files and self.settings.keeps_last else None
        self.state = None

    def prepare(self, config):
        """Settle the options and turn the images into data."""
        self.facts = self.settings.facts(self.job.images, config)
        kinds = modalities(self.job.images)
        if kinds:
            self.facts = {**self.facts, "modalities": kinds}
        self.config = self.system.settle(config)
        self.data = self.system.prepare(self.job.images, self.config)
        if self.files:
            from keras_mri.training.resuming import TrainingState

            facts = {"command": self.files.command, "precision": self.config.precision}
            self.state = TrainingState(self.files.state, self.files.state_every, facts, self.files.resumed)

    def callbacks(self):
        """Return the callbacks that every fit of the training gets."""
        from keras_mri.cli.progress import TrainingProgress
        from keras_mri.inference.volume_bar import is_notebook
        from keras_mri.training.callbacks import EveryEpochs

        # A training from Python is silent, but for the line that a notebook writes anew.
        shown = [self.state, TrainingProgress()] if self.files else [TrainingProgress()] if is_notebook(sys.stderr) else []
        every = [EveryEpochs(self.config.checkpoint_every, self._write_epoch)] if self.files and self.config.checkpoint_every else []
        return [*shown, self.log, *([self.last] if self.last else []), *every]

    def trained(self, network):
        """Return the network with its history and the data that it was trained on."""
        from keras_mri.systems.network_files import checkpoint_for
        from keras_mri.systems.trained import TrainedNetwork

        facts = {**self.facts, **self.system.facts(network, self.data, self.config)}
        if self.job.remarks:
            facts["remarks"] = list(self.job.remarks)
        checkpoint = checkpoint_for(network, self.job.system, self.config, facts)
        return TrainedNetwork(self.system, checkpoint, self.data, self.config, self.log.rows)

    def write(self, trained):
        """Write the network and the files beside it, then let go of the state."""
        from keras_mri.cli import judged
        from keras_mri.saving import checkpoints
        from keras_mri.systems.trained import beside

        files = self.files
        written = trained.save_network(files.network)
        written += [self.log.path] if self.log.path.exists() else []
        if self.last and self.last.weights is not None:
            written.append(beside(files.network, LAST))
            checkpoints.save(dataclasses.replace(trained.checkpoint, network=self.last.network_like(trained.network)), written[-1])
        written += trained.save_pictures(files.network)
        print(f"wrote {', '.join(map(str, written))}", file=sys.stderr)
        if trained.verdict:
            judged.tell(trained.verdict, trained.outcome.judged.name)
        if self.state.interrupted:
            # The network is written; that the user ended its training is the command's status.
            raise KeyboardInterrupt
        remove_state(files.state)

    @contextlib.contextmanager
    def leaving_no_history(self):
        """Remove the history of a training that fails, or ends with neither a network nor a state to go on from."""
        try:
            yield
        except BaseException as error:
            goes_on = self.files and (states_in(self.files.state) or self.files.network.exists())
            if self.log.written and (isinstance(error, InputError) or not goes_on):
                self.log.path.unlink(missing_ok=True)
            raise

    def _write_epoch(self, network, epoch):
        from keras_mri.networks.precision import in_float32

        trained, path = self.trained(in_float32(network)), self.files.network
        path = path.with_stem(f"{path.stem}_epoch{epoch:04d}")
        trained.save_network(path)
        trained.save_figure(path)
