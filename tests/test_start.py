"""What happens before the first voxel of `predict`: nothing is imported needlessly, and nothing twice."""

import gc
import json
import subprocess
import sys

import pytest

from keras_mri.imaging import phantoms
from keras_mri.networks import backends
from keras_mri.networks.residual_unet import residual_unet
from keras_mri.saving import checkpoints
from keras_mri.systems.network_files import checkpoint_for
from keras_mri.systems.wgan.settings import Config

# Runs the command as `python -m` does, then lists the modules that were imported and the files that they came from.
_PROBE = """
import json, runpy, sys
try:
    runpy.run_module("keras_mri.predict", run_name="__main__", alter_sys=True)
except SystemExit as ended:
    assert not ended.code, ended.code
files = {name: module.__file__ for name, module in sys.modules.items() if getattr(module, "__file__", None)}
print(json.dumps(files))
"""
# Of training, of reports, of other systems, of registration; what experiments need.
_NEEDLESS = {"jinja2", "dipy", "bm4d", "sklearn", "keras_mri.report.page", "keras_mri.data", "keras_mri.imaging.painted"}
_NEEDLESS |= {"keras_mri.training.fit", "keras_mri.imaging.registration", "keras_mri.cli.training_job"}
_NEEDLESS |= {f"keras_mri.systems.{name}.system" for name in ("n2a", "sr", "cnn", "ldm")}


@pytest.fixture
def arguments(tmp_path, write_nifti):
    """The words of a prediction on a small volume."""
    model = tmp_path / "network.h5"
    checkpoints.save(checkpoint_for(residual_unet((None, None, None, 1), (2, 2), (1, 1)), "wgan", Config()), model)
    scan = write_nifti(phantoms.noisy_volume(phantoms.head((19, 17, 14), seed=3)[0], 40, seed=4).data, "sub-01_T1w.nii.gz")
    return [str(model), str(scan), "-o", str(tmp_path / "out.nii.gz")]


def test_a_prediction_imports_nothing_twice_and_nothing_needlessly(arguments, in_this_checkout):
    done = subprocess.run([sys.executable, "-c", _PROBE, *arguments], capture_output=True, text=True, env=in_this_checkout)
    assert done.returncode == 0, done.stderr
    files = json.loads(done.stdout.splitlines()[-1])
    assert "keras_mri.systems.wgan.system" in files
    assert not sorted(name for name in files if name in _NEEDLESS or any(name.startswith(f"{needless}.") for needless in _NEEDLESS))
    ours = [file for name, file in files.items() if name.partition(".")[0] == "keras_mri"]
    assert not sorted({file for file in ours if ours.count(file) > 1})


@pytest.mark.parametrize("collects", [True, False])
def test_the_garbage_collector_is_as_it_was_even_after_an_error(collects):
    before = gc.isenabled()
    (gc.enable if collects else gc.disable)()
    try:
        with pytest.raises(KeyError), backends._collecting_nothing():
            assert not gc.isenabled()
            raise KeyError
        assert gc.isenabled() == collects
    finally:
        (gc.enable if before else gc.disable)()
