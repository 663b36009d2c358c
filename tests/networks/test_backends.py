"""Networks are used on any backend of Keras, and without TensorFlow; they are trained on TensorFlow."""

import contextlib
import io
import json
import os
import pathlib
import re
import subprocess
import sys

import keras
import nibabel
import numpy as np
import pytest

from keras_mri import __main__ as front
from keras_mri.errors import InputError
from keras_mri.imaging import phantoms
from keras_mri.imaging.kspace import finer_affine, resampled
from keras_mri.networks import backends
from keras_mri.networks.latent_diffusion import assembled
from keras_mri.networks.latent_unet import latent_unet
from keras_mri.networks.run_unet import run_unet
from keras_mri.networks.volume_autoencoder import volume_decoder, volume_encoder
from keras_mri.saving import checkpoints
from keras_mri.systems import SYSTEMS, get_system
from keras_mri.systems.cnn import settings as inpainting
from keras_mri.systems.cnn import system as cnn
from keras_mri.systems.ldm import settings as diffusion
from keras_mri.systems.ldm.diffusion.samplers import SAMPLERS
from keras_mri.systems.ldm.labelled_runs import Grid
from keras_mri.systems.network_files import checkpoint_for
from keras_mri.systems.sr.networks import generator
from keras_mri.systems.sr.settings import Config
from keras_mri.systems.wgan import settings as denoising
from keras_mri.systems.wgan import system as wgan
from tests.test_architecture import MODULES, imports, libraries, nothing, room, tree

# A folder for the environments, made there and used again; such as /tmp/environments.
_FOLDER = os.environ.get("KERAS_MRI_BACKEND_TESTS")
# On Linux pip's default build of PyTorch brings CUDA along; a version that is named can come from a folder of wheels.
_BACKENDS = {"jax": ("jax", "jaxlib"), "torch": ("torch==2.13.0",)}
_OTHERS = ("keras", "nibabel", "numpy", "scipy", "h5py", "scikit-image", "matplotlib")
_TOLERANCE = 1e-4
# What only training imports, beside the modules of `data` and `training` that import TensorFlow.
_TRAINING = {"training", "cli.training_job", *(f"systems.{name}.{part}" for name in SYSTEMS for part in ("data", "training"))}
_TRAINING |= {
    "data.drawn",
    "systems.n2a.iterations",
    "systems.sr.augmentation",
    "systems.sr.slice_data",
    "systems.ldm.encoding",
    "systems.ldm.models",
    "systems.ldm.codebooks.residual_quantizer",
    "systems.ldm.codebooks.vector_quantizer",
}
_TRAINING |= {f"systems.wgan.run_{part}" for part in ("data", "model", "training")}


def imported_with(module):
    """Return the modules of ours that importing one imports, whatever its functions import later."""
    found, left = set(), {module}
    while left:
        module = left.pop()
        found.add(module)
        ours = {name.removeprefix("keras_mri.") for name in imports(tree(module).body) if name.startswith("keras_mri.")}
        left |= (ours & set(MODULES)) - found
    return found


def test_only_training_imports_what_needs_tensorflow():
    needs = {module for module in MODULES if any("tensorflow" in libraries(other) for other in imported_with(module))}
    nothing(f"{module} needs TensorFlow" for module in needs if room(module, _TRAINING | {"data.pipelines", "data.corruption"}) is None)
    # The walk would notice it.
    assert {"training.fit", "systems.sr.data", "systems.ldm.training"} <= needs


@pytest.mark.parametrize("name", SYSTEMS)
def test_training_on_another_backend_says_what_to_do(name, monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    system = get_system(name)
    with pytest.raises(InputError, match="training needs Keras on TensorFlow. Received: the backend 'jax'. Unset KERAS_BACKEND"):
        system.train([], None)


def test_the_command_refuses_to_train_on_another_backend(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    assert front.main(["train", "wgan", "sample", "-o", str(tmp_path / "model.h5")]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and "Received: the backend 'torch'. Unset KERAS_BACKEND and pip install tensorflow" in lines[0]


@pytest.mark.parametrize(
    ("backend", "arguments", "message"),
    [
        (None, ["train", "wgan", "sample", "-o", "model.h5"], "Received: KERAS_BACKEND not set: .*pip install tensorflow"),
        (None, ["predict", "n2a_t1w", "sample", "-o", "out.nii"], "Keras cannot be imported with KERAS_BACKEND not set: .*jax or torch"),
        ("nonsense", ["predict", "n2a_t1w", "sample", "-o", "out.nii"], "Keras cannot be imported with KERAS_BACKEND=nonsense: "),
    ],
)
def test_without_the_backend_there_is_one_message_and_exit_2(backend, arguments, message, tmp_path, in_this_checkout):
    code = "import sys; sys.modules['tensorflow'] = None; from keras_mri.__main__ import main; sys.exit(main(sys.argv[1:]))"
    environment = {name: value for name, value in in_this_checkout.items() if name != "KERAS_BACKEND"}
    environment |= {"KERAS_HOME": str(tmp_path)} | ({"KERAS_BACKEND": backend} if backend else {})
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert done.returncode == 2, done.stderr
    assert re.search("^keras_mri: error: .*" + message, done.stderr, re.MULTILINE) and "Traceback" not in done.stderr, done.stderr


def _moved(network, seed=0, size=0.05):
    """Give a network weights where its own are zero, as those of its last layer are: it would change nothing."""
    rng = np.random.default_rng(seed)
    network.set_weights([w if w.any() else rng.normal(0, size, w.shape).astype(w.dtype) for w in network.get_weights()])
    return network


def _averaging():
    """Return a network of runs that has no preference for the voxel itself."""
    network = run_unet()
    logits = network.get_layer("logits")
    logits.set_weights([np.zeros_like(weight) for weight in logits.get_weights()])
    return network


def _latent_diffusion(grid):
    config = diffusion.Config(filters=(8, 16), unet_filters=(16, 32), diffusion_steps=200, diffusion_batch_size=32)
    network = assembled(
        volume_encoder(config.filters, 1, config.latent_channels, variational=False),
        volume_decoder(config.filters, 1, config.latent_channels),
        None,
        latent_unet(config.latent_channels, 2, config.diffusion_steps, config.unet_filters, 1, config.latent_channels + 2),
    )
    return config, network, {"grid": grid.to_json(), "labels": ["lh", "rh"], "scaling": [0.0, 1000.0]}


@pytest.fixture(scope="module")
def phantom_folder(tmp_path_factory):
    """Make scans, and an untrained network of every kind, whose answers are as hard to agree on as a trained one's."""
    folder, affine = tmp_path_factory.mktemp("backends"), phantoms.oblique_affine()
    head = phantoms.head((25, 22, 19))[0]
    rng = np.random.default_rng(0)
    hole = np.zeros((12, 16, 10))
    hole[:, 5:8] = 1
    fine = phantoms.head((12, 16, 10))[0] + 20
    coarse = affine @ np.diag([2, 2, 2, 1])
    scans = {
        "head": (head, affine), "first": (head + 20 * rng.normal(size=head.shape), affine),
        "second": (head + 20 * rng.normal(size=head.shape), affine), "run": (phantoms.bold_run((19, 17, 11, 7))[0] + 20, affine),
        "fine": (fine, affine), "coarse": (np.maximum(resampled(fine, (6, 8, 5)), 0), coarse), "hole": (hole, affine),
        "epi": (phantoms.bold_run((12, 16, 10, 3))[0] + 20, affine),
        "long_run": (phantoms.bold_run((19, 17, 11, 14))[0] + 100 + 20 * rng.normal(size=(19, 17, 11, 14)), affine),
    }  # fmt: skip
    for name, (data, of) in scans.items():
        nibabel.save(nibabel.Nifti1Image(data.astype(np.float32), of), folder / f"{name}.nii")
    grid = Grid((12, 16, 10), finer_affine(coarse, (2, 2, 2)))
    keras.utils.set_random_seed(0)
    networks = {}
    for name, config in {
        "wgan": denoising.Config(frames=5, filters=denoising.FILTERS),
        "dense": denoising.Config(generator="dense_unet", frames=1, growth_rate=6, filters=denoising.FILTERS),
    }.items():  # fmt: skip
        networks[name] = ("wgan", config, wgan._generator(config, config.frames, wgan._levels(config, (16, 16, 8))), {})
    simulated = dict(simulate=(2, 2, 1))
    for name, config in {
        "sr": Config(**simulated), "unet3d": Config(**simulated, generator="unet3d", base_filters=8, levels=3, normalization="instance"),
    }.items():  # fmt: skip
        networks[name] = ("sr", config, generator(config), {})
    for name, options in {"cnn": {}, "published_cnn": inpainting.PRESETS["published"]}.items():
        config = inpainting.Config(**options)
        networks[name] = ("cnn", config, cnn._network(config), {})
    networks["runs"] = ("wgan", denoising.Config(), _averaging(), {"input": "maps"})
    config, network, facts = _latent_diffusion(grid)
    networks["ldm"] = ("ldm", config, network, facts)
    for name, (system, config, network, facts) in networks.items():
        checkpoints.save(checkpoint_for(_moved(network), system, config, facts), folder / f"{name}.h5")
    return folder


def _commands(folder, out):
    """Return command lines, all of whose outputs go to one folder."""
    scan = lambda name: str(folder / f"{name}.nii")
    predict = lambda network, result, *more: [
        "predict", str(folder / f"{network}.h5"), *map(str, more), "-o", str(out / f"{result}.nii"),
    ]  # fmt: skip
    sampled = ["--steps", "20", "--seed", "3", "--samples", "2"]
    return [
        predict("wgan", "wgan", scan("run"), "--mirror", "left-right"),
        predict("runs", "runs", scan("long_run"), "--mirror", "left-right"),
        predict("dense", "dense", scan("head")),
        predict("sr", "sr", scan("head"), "--tile", 16, 16, 16),
        predict("sr", "sr_finer", scan("coarse"), "--upsample", 2, 2, 1),
        predict("unet3d", "unet3d", scan("head")),
        predict("cnn", "cnn", scan("run")),
        predict("published_cnn", "published_cnn", scan("run")),
        ["predict", "n2a_t1w", scan("first"), scan("second"), "--mirror", "left-right", "-o", str(out / "n2a.nii"),
         "--report", str(out / "n2a.html")],
        predict("ldm", "reconstruction", scan("epi")),
        predict("ldm", "finer", scan("coarse"), "--task", "super-resolution", *sampled),
        predict("ldm", "imputed", scan("epi"), "--task", "imputation", "--missing", scan("hole"), *sampled),
        *(
            ["generate", str(folder / "ldm.h5"), "-n", "2", "--label", "lh", "--guidance", "2", "--steps", "50", "--seed", "1",
             "--sampler", sampler, "-o", str(out / sampler)]
            for sampler in SAMPLERS
        ),
        ["evaluate", scan("head"), scan("first"), scan("second"), "--csv", str(out / "metrics.csv")],
        ["evaluate", scan("run"), str(out / "wgan.nii"), "--csv", str(out / "metrics_of_wgan.csv")],
        ["info", str(folder / "ldm.h5")],
        ["check", scan("run"), str(out / "wgan.nii"), "--ignore-storage"],
    ]  # fmt: skip


# Runs one command line after the other, then tries to train, and tells what came of it.
_RUN = """
import json, sys
from keras_mri.__main__ import main
statuses = [main(arguments) for arguments in json.loads(sys.argv[1])]
train = main(["train", "wgan", "sample", "-o", sys.argv[2] + "/model.h5"])
import keras
print(json.dumps([keras.backend.backend(), statuses, train, "tensorflow" in sys.modules]))
"""


def _python_with(name, folder):
    """Return the interpreter of an environment without TensorFlow, made if it is not there."""
    python = folder / name / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder / name], check=True)
        for packages in (_BACKENDS[name], _OTHERS):
            subprocess.run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *packages], check=True)
    return python


def _differences(first, second):
    """Return for each output the largest difference as a share of the largest value; for tables, of each value."""
    found = {}
    for path in sorted(first.rglob("*.nii*")):
        name = str(path.relative_to(first))
        one, other = (nibabel.load(folder / name).get_fdata() for folder in (first, second))
        found[name] = np.abs(one - other).max() / np.abs(one).max()
    for name in ("metrics.csv", "metrics_of_wgan.csv"):
        one, other = (np.genfromtxt(folder / name, delimiter=",", skip_header=1)[..., 1:] for folder in (first, second))
        # Outside a head that is 0 there, the relative error is infinite on either side.
        finite = np.isfinite(one)
        np.testing.assert_array_equal(finite, np.isfinite(other))
        found[name] = np.max(np.abs(one[finite] - other[finite]) / np.abs(one[finite]))
    return found


@pytest.fixture(scope="module")
def with_tensorflow(phantom_folder, tmp_path_factory):
    """What the commands write in this process."""
    out = tmp_path_factory.mktemp("tensorflow")
    with contextlib.redirect_stdout(io.StringIO()):
        assert not any(front.main(arguments) for arguments in _commands(phantom_folder, out))
    # Where nothing is changed there is nothing to agree on.
    for scan, names in {
        "run": ("wgan", "cnn", "published_cnn"),
        "long_run": ("runs",),
        "head": ("dense", "sr", "unet3d"),
        "epi": ("reconstruction", "imputed"),
    }.items():
        before = nibabel.load(phantom_folder / f"{scan}.nii").get_fdata()
        for name in names:
            assert np.abs(nibabel.load(out / f"{name}.nii").get_fdata() - before).max() > 1e-2 * before.max(), name
    return out


@pytest.mark.slow
@pytest.mark.skipif(not _FOLDER, reason="installs JAX and PyTorch; set KERAS_MRI_BACKEND_TESTS to a folder for their environments")
@pytest.mark.parametrize("name", _BACKENDS)
def test_every_command_but_train_says_the_same_without_tensorflow(name, phantom_folder, with_tensorflow, tmp_path, in_this_checkout):
    python = _python_with(name, pathlib.Path(_FOLDER))
    environment = in_this_checkout | {"KERAS_BACKEND": name}
    assert subprocess.run([python, "-c", "import tensorflow"], capture_output=True, env=environment).returncode == 1
    commands = json.dumps(_commands(phantom_folder, tmp_path))
    done = subprocess.run([python, "-c", _RUN, commands, str(tmp_path)], capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == [name, [0] * len(json.loads(commands)), 2, False], done.stderr
    assert f"Received: the backend {name!r}" in done.stderr and "Traceback" not in done.stderr
    differences = _differences(with_tensorflow, tmp_path)
    print(name, {output: f"{difference:.1e}" for output, difference in differences.items()})
    assert len(differences) == 11 + 2 * len(SAMPLERS) + 2
    assert max(differences.values()) < _TOLERANCE, differences


@pytest.mark.parametrize(
    ("installed", "said", "settings", "taken"),
    [
        (("tensorflow", "jax"), None, None, None),
        (("jax", "torch"), None, None, "jax"),
        (("torch",), None, '{"backend": "tensorflow"}', "torch"),
        (("jax", "torch"), None, '{"backend": "torch"}', None),
        (("jax",), "torch", None, "torch"),
        (("jax",), None, "no JSON", "jax"),
        (("jax",), None, '{"backend": "numpy"}', None),
        ((), None, None, None),
    ],
)
def test_where_nobody_names_a_backend_the_installed_one_is_taken(installed, said, settings, taken, tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "keras")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setenv("KERAS_BACKEND", said or "")
    monkeypatch.setattr(backends, "_is_installed", installed.__contains__)
    if settings:
        (tmp_path / "keras.json").write_text(settings)
    backends._take_what_is_there()
    assert os.environ["KERAS_BACKEND"] == (taken or "")
