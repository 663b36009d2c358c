"""Floors and doors: imports point downwards, each file format has one door, every module has its test."""

import ast
import pathlib

import pytest

import keras_mri
from keras_mri.systems import SYSTEMS

PACKAGE = pathlib.Path(keras_mri.__file__).parent
TESTS = pathlib.Path(__file__).parent
FLOORS = [
    {"errors", ""},
    {
        "config",
        "volumes",
        "outputs",
        "nifti",
        "nifti_headers",
        "nifti_writing",
        "image_claims",
        "memory",
        "tables",
        "intensity",
        "noise",
        "patches",
        "splits",
        "run_cache",
        "metrics",
        "phantoms",
        "masks",
        "registration",
        "rigid",
        "mask_files",
        "h5_files",
        "pair_sources",
        "derivatives",
        "state_files",
        "repetitions",
        "pretrained",
        "kspace",
        "resampling",
        "bids",
        "pairs",
        "slices",
        "slice_files",
        "training_range",
        "headers",
        "histogram",
        "spectrum",
        "views",
        "comparison",
        "provenance",
        "labels",
        "workers",
        "imputation",
        "conditions",
        "labelled_runs",
        "schedules",
        "samplers",
        "settings.*",
    },
    {
        "networks.*",
        "adversarial",
        "replicas",
        "machines",
        "optimizers",
        "datasets",
        "denoising_data",
        "repetition_data",
        "pair_augmentation",
        "pair_data",
        "slice_data",
        "sampling",
        "backends",
        "autoencoding",
        "latent_data",
        "latent_denoising",
        "figures",
        "pictures",
        "charts",
        "report",
    },
    {"checkpoints", "published", "inference", "latent_space", "latent_tasks", "network_files"},
    {"systems.*", "callbacks", "two_players", "latent_training", "repetition_training", "training_state", "fitting"},
    {"_cli", "_progress", "reporting"},
    {"train", "predict", "study", "generate", "evaluate", "info", "check", "__main__"},
]
# library → the only modules that may import it
DOORS = {
    "nibabel": {"nifti", "nifti_headers", "nifti_writing"},
    "h5py": {"h5_files"},
    "matplotlib": {"figures"},
    "argparse": {"_cli", "train", "predict", "generate", "evaluate", "info", "check", "__main__"},
    "tensorflow": {
        "datasets",
        "denoising_data",
        "pair_augmentation",
        "pair_data",
        "slice_data",
        "adversarial",
        "replicas",
        "machines",
        "latent_data",
        "fitting",
    },
}
MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix("__init__").rstrip("."): path
    for path in sorted(PACKAGE.rglob("*.py"))
}


def floor(module):
    for level, names in enumerate(FLOORS):
        if module in names or any(name.endswith(".*") and (module + ".").startswith(name[:-1]) for name in names):
            return level
    raise AssertionError(f"{module} has no floor")


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module
            if node.module.split(".")[0] == "keras_mri":
                yield from (f"{node.module}.{alias.name}" for alias in node.names)


def own(path):
    names = (name.removeprefix("keras_mri").removeprefix(".") for name in imports(path) if name.split(".")[0] == "keras_mri")
    return {name for name in names if name in MODULES}


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_downwards(module):
    for other in own(MODULES[module]) - {module}:
        assert floor(other) <= floor(module), f"{module} imports {other} from a higher floor"


@pytest.mark.parametrize("module", [module for module in MODULES if module.startswith("systems.")])
def test_systems_know_nothing_of_one_another(module):
    assert not {other for other in own(MODULES[module]) if other.startswith("systems")}


@pytest.mark.parametrize("module", MODULES)
def test_each_library_has_one_door(module):
    for name in imports(MODULES[module]):
        library = name.split(".")[0]
        assert module in DOORS.get(library, {module}), f"{module} imports {library}; its door is {DOORS[library]}"


@pytest.mark.parametrize("module", [module for module in MODULES if floor(module) <= 1])
def test_the_lower_floors_do_without_keras(module):
    assert not {name.split(".")[0] for name in imports(MODULES[module])} & {"keras", "tensorflow"}


@pytest.mark.parametrize("module", MODULES)
def test_a_command_that_python_m_runs_logs_by_the_name_it_has_when_imported(module):
    text = MODULES[module].read_text()
    if '__name__ == "__main__"' in text:
        assert "getLogger(__name__)" not in text


@pytest.mark.parametrize("module", [module for module in MODULES if floor(module) < 5])
def test_only_commands_print(module):
    calls = [node.func for node in ast.walk(ast.parse(MODULES[module].read_text())) if isinstance(node, ast.Call)]
    assert not [call for call in calls if isinstance(call, ast.Name) and call.id == "print"]


@pytest.mark.parametrize("module", [module for module in MODULES if not MODULES[module].name == "__init__.py"])
def test_every_module_has_its_test_file(module):
    *folders, name = module.split(".")
    assert TESTS.joinpath(*folders, f"test_{name.strip('_')}.py").is_file()


@pytest.mark.parametrize("name", SYSTEMS)
def test_every_system_is_a_module_with_settings_and_a_test(name):
    assert {f"systems.{name}", f"settings.{name}"} <= set(MODULES)
    assert "check_contract" in (TESTS / "systems" / f"test_{name}.py").read_text()


@pytest.mark.parametrize("module", MODULES)
def test_everything_public_has_a_docstring(module):
    tree = ast.parse(MODULES[module].read_text())
    assert ast.get_docstring(tree), module
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"{module}.{node.name}"
