import os

import pytest

from gan_core import vision

MISSING = """
import torch
for name in ("nms", "qnms"):
    if not hasattr(torch.ops.torchvision, name):
        raise RuntimeError(f"operator torchvision::{name} does not exist")
"""
OTHER = 'raise RuntimeError("the library is broken in another way")'
NEVER = 'raise RuntimeError("operator torchvision::nms does not exist")'


def test_torchvision_can_be_imported_here():
    assert vision.torchvision.__version__


@pytest.mark.parametrize("name", ["MNIST", "FashionMNIST", "KMNIST"])
def test_data_sets_name_their_mirrors_and_checksums(name):
    source = getattr(vision, name)
    assert source.mirrors
    assert all(len(md5) == 32 for _, md5 in source.resources)


@pytest.fixture
def import_beside(tmp_path, spawn):
    """Imports gan_core.vision in a new process beside a torchvision that begins so."""

    def run(beginning):
        package = tmp_path / "torchvision"
        package.mkdir()
        (package / "__init__.py").write_text(beginning)
        (package / "datasets.py").write_text("class MNIST: pass\nclass FashionMNIST: pass\nclass KMNIST: pass\n")
        path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
        process = spawn("-c", "import gan_core.vision as v; print(v.torchvision.__file__)", env={"PYTHONPATH": path})
        out, errors = process.communicate(timeout=60)
        return process.returncode, out.strip(), errors, str(package / "__init__.py")

    return run


def test_missing_operators_are_declared_and_the_import_succeeds(import_beside):
    code, out, errors, stub = import_beside(MISSING)
    assert (code, out) == (0, stub), errors


def test_another_error_of_the_import_is_passed_on(import_beside):
    code, _, errors, _ = import_beside(OTHER)
    assert code != 0
    assert errors.strip().endswith("RuntimeError: the library is broken in another way")


def test_an_operator_that_stays_missing_is_an_error_and_no_endless_loop(import_beside):
    code, _, _, _ = import_beside(NEVER)
    assert code != 0
