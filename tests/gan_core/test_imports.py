"""Imports point one way. A module may import those of a lower level of the table, and nothing of the pages."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import gan_core

FOLDER = Path(gan_core.__file__).parent
LEVELS = [
    {
        "colours",
        "compare",
        "errors",
        "draws",
        "losses",
        "penalties",
        "optim",
        "layers",
        "latent",
        "inversion",
        "vision",
        "script_text",
    },
    {"files", "settings", "source", "latents", "conditions", "remedies", "dcgan", "resnet", "style", "schema"},
    {"points", "images", "album", "discrete"},
    {"data", "networks", "uploads", "shelf"},
    {"features", "keepsakes"},
    {"metrics", "rules"},
    {"config"},
    {
        "members",
        "pace",
        "pixelcnn",
        "presets",
        "checkpoints",
        "catalogue",
        "cures",
        "link",
        "maps",
        "film",
        "script_bodies",
        "script_data",
        "script_parts",
    },
    {"health", "lab", "memory", "script_networks", "script_pixelcnn", "script_remedies"},
    {"trainer", "store", "script_training"},
    {"inside", "outline", "reading", "script", "explorer", "disk", "listing"},
    {"frames", "directions"},
    {"bundle_parts", "trace"},
    {"bundle", "report", "standings", "tensorboard"},
    {"evaluation"},
    {"session"},
    {"mapping"},
    {"runner", "notebook"},
    {"command_line"},
    {"command_steer", "command_shelf", "command_compare", "command_lab", "command_latent"},
    {"__init__"},
    {"__main__"},
]
LEVEL = {name: level for level, names in enumerate(LEVELS) for name in names}
ALONE = ("compare", "errors", "draws", "losses", "penalties", "optim", "layers", "latent", "inversion", "vision")
MODULES = sorted(path.stem for path in FOLDER.glob("*.py"))
FOREIGN = {"streamlit", "plotly", "ui", "pages", "app", "pandas", "matplotlib"}


def _imports(module):
    """(modules of the engine, top-level packages) that a module imports, inside functions too."""
    own, others = set(), set()
    tree = ast.parse((FOLDER / f"{module}.py").read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in (alias.name.split(".") for alias in node.names):
                if name[0] == "gan_core":
                    own.add(name[1] if len(name) > 1 else "__init__")
                else:
                    others.add(name[0])
        elif isinstance(node, ast.ImportFrom):
            if node.level or (node.module or "").split(".")[0] == "gan_core":
                inner = (node.module or "").removeprefix("gan_core").strip(".")
                own |= {inner.split(".")[0]} if inner else {alias.name for alias in node.names}
            else:
                others.add(node.module.split(".")[0])
    return own, others


@pytest.mark.parametrize("module", MODULES)
def test_module_has_its_place_in_the_table(module):
    assert module in LEVEL


@pytest.mark.parametrize("module", MODULES)
def test_module_imports_lower_levels_only(module):
    above = {name for name in _imports(module)[0] if LEVEL.get(name, len(LEVELS)) >= LEVEL[module]}
    assert above == set()


@pytest.mark.parametrize("module", ALONE)
def test_module_knows_no_other_of_the_engine(module):
    assert _imports(module)[0] <= {"errors", "draws"}


@pytest.mark.parametrize("module", MODULES)
def test_module_knows_no_page(module):
    assert not _imports(module)[1] & FOREIGN


@pytest.mark.parametrize("module", [name for name in MODULES if name != "vision"])
def test_torchvision_is_imported_by_vision_only(module):
    assert "torchvision" not in _imports(module)[1]


def test_importing_the_engine_loads_nothing_slow():
    """torchvision and scikit-learn take seconds, and only some runs need them."""
    program = "import sys, gan_core; print([m for m in ('torchvision', 'sklearn', 'streamlit', 'plotly') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], cwd=FOLDER.parent, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_name_that_the_engine_offers_exists():
    assert [name for name in gan_core.__all__ if not hasattr(gan_core, name)] == []
