"""Floors and doors, by folder: each test lists all that offends. What belongs in a room is in its `__init__.py`."""

import ast
import functools
import pathlib
import re

import pytest

import keras_mri
from keras_mri.systems import SYSTEMS

PACKAGE = pathlib.Path(keras_mri.__file__).parent
TESTS = pathlib.Path(__file__).parent
MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix("__init__").rstrip("."): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
COMMANDS = {"api", "images", "labels", "interfaces", "train", "predict", "generate", "evaluate", "info", "check", "__main__"}
# Rooms and the modules at the top, from the ground up; a room imports from its own floor and from those below.
FLOORS = [
    {"", "errors", "config"},
    {"io", "networks"},
    {"imaging"},
    {"data", "saving", "training"},
    {"inference"},
    {"report"},
    {"systems.records", "systems.shared_settings", *(f"systems.{name}" for name in SYSTEMS)},
    {"systems"},
    {"cli"},
    COMMANDS,
]
# Library → the only rooms that may import it.
DOORS = {
    "nibabel": {"io"},
    "h5py": {"saving"},
    "huggingface_hub": {"saving"},
    "jinja2": {"report"},
    "matplotlib": {"report"},
    "argparse": {"cli", *COMMANDS},
    "nipype": {"interfaces"},
    "tensorflow": {"data", "training", *(f"systems.{name}" for name in SYSTEMS)},
}


@functools.cache
def tree(module):
    return ast.parse(MODULES[module].read_text())


def imports(nodes):
    """Yield the full names that some nodes import; of `from x import y` both x and x.y."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ("." * node.level + (node.module or ""), *(f"{node.module}.{alias.name}" for alias in node.names))


def own(module):
    """Return the modules of ours that one imports; of the Python door those that it imports at once."""
    names = imports(ast.walk(tree(module)) if module else tree(module).body)
    return {name.removeprefix("keras_mri").removeprefix(".") for name in names if name.startswith("keras_mri")} & set(MODULES)


def libraries(module):
    return {name.split(".")[0] for name in imports(ast.walk(tree(module)))}


def room(module, rooms):
    """Return the smallest of the rooms that a module lies in, or None."""
    return max((name for name in rooms if (module + ".").startswith(name + ".") or module == name), key=len, default=None)


def floor(module):
    return next((level for level, rooms in enumerate(FLOORS) if room(module, set().union(*FLOORS)) in rooms), None)


def nothing(offenders):
    found = set(offenders)
    assert not found, "\n" + "\n".join(sorted(found))


def nodes_of(kind):
    """Yield every node of one kind, with its module."""
    yield from ((module, node) for module in MODULES for node in ast.walk(tree(module)) if isinstance(node, kind))


def length(function):
    """Return the lines of a function without those of its docstring."""
    documented = function.body[0] if ast.get_docstring(function) else None
    return function.end_lineno - function.lineno + 1 - (documented.end_lineno - documented.lineno + 1 if documented else 0)


def arguments(function):
    names = [argument.arg for argument in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)]
    return len(names) - (names[:1] in (["self"], ["cls"]))


def test_imports_point_downwards():
    nothing(f"{module} has no floor" for module in MODULES if floor(module) is None)
    pairs = ((module, other) for module in MODULES for other in own(module))
    nothing(f"{module} imports {other} from a higher floor" for module, other in pairs if floor(other) > floor(module))


def test_systems_know_nothing_of_one_another():
    folders = {f"systems.{name}" for name in SYSTEMS}
    pairs = ((module, other) for module in MODULES if room(module, folders) for other in own(module))
    # All systems may import these two; the table and what stands beside it know the systems.
    shared = {"systems.records", "systems.shared_settings"}
    others = ((module, other) for module, other in pairs if room(other, {"systems"} | shared | folders) != room(module, folders))
    nothing(f"{module} imports {other}" for module, other in others if other.startswith("systems") and other not in shared)


def test_each_library_has_one_door():
    pairs = ((module, library) for module in MODULES for library in libraries(module) & set(DOORS))
    nothing(f"{module} imports {library}" for module, library in pairs if room(module, DOORS[library]) is None)


def test_files_pictures_and_options_do_without_keras():
    light = {"", "errors", "config", "io", "imaging", "report", *(f"systems.{name}.settings" for name in SYSTEMS)}
    nothing(f"{module} imports Keras" for module in MODULES if room(module, light) in light and libraries(module) & {"keras", "tensorflow"})


def test_only_commands_print_and_no_log_is_called_main():
    """A module that `python -m` runs is called `__main__`: its log would not be the package's."""
    prints = (module for module, call in nodes_of(ast.Call) if isinstance(call.func, ast.Name) and call.func.id == "print")
    nothing(f"{module} prints" for module in prints if room(module, {"cli", *COMMANDS}) is None)
    texts = {module: path.read_text() for module, path in MODULES.items()}
    nothing(module for module, text in texts.items() if '__name__ == "__main__"' in text and "getLogger(__name__)" in text)


def test_everything_public_has_a_docstring():
    nothing(f"{module or 'keras_mri'} has none" for module in MODULES if not ast.get_docstring(tree(module)))
    public = ((module, node) for module in MODULES for node in tree(module).body if isinstance(node, (ast.FunctionDef, ast.ClassDef)))
    nothing(f"{module}.{node.name} has none" for module, node in public if node.name[0] != "_" and not ast.get_docstring(node))


def test_functions_are_short_and_nothing_is_looked_up_on_a_system():
    functions = list(nodes_of(ast.FunctionDef))
    long = [f"{module}.{node.name} has {length(node)} lines" for module, node in functions if length(node) > 40]
    # Builders of networks have one argument for each choice.
    wide = (pair for pair in functions if arguments(pair[1]) > 6 and room(pair[0], {"networks"}) is None)
    wide = [f"{module}.{node.name} has {arguments(node)} arguments" for module, node in wide]
    hook = r"(getattr|hasattr)\(((\w+\.)*_?(system|settings)|get_(system|settings)\(.*\)),"
    calls = ((module, ast.unparse(node)) for module, node in nodes_of(ast.Call))
    nothing([*long, *wide, *(f"{module}: {call}" for module, call in calls if re.match(hook, call))])


@pytest.mark.parametrize("name", SYSTEMS)
def test_every_system_is_a_folder_that_keeps_to_the_contract(name):
    assert {f"systems.{name}", f"systems.{name}.settings", f"systems.{name}.system"} <= set(MODULES)
    calls = (node for node in ast.walk(ast.parse((TESTS / "systems" / name / "test_system.py").read_text())) if isinstance(node, ast.Call))
    assert any(ast.unparse(call).startswith(f"check_contract({name!r}, ") for call in calls)
