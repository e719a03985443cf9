"""The one place that imports torchvision.

On Linux, PyPI's torchvision is built for CUDA. Beside a CPU build of torch its compiled library cannot be loaded, and
the import stops at "operator torchvision::nms does not exist", because Python code registers fake kernels for operators
that the library should have declared. Nothing here uses those operators (box suppression), so where the import fails
they are declared, without a kernel, and the import is tried again. With a matching pair nothing of this happens.
"""

import importlib
import re
import sys

import torch

_SIGNATURE = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_libraries: list[torch.library.Library] = []  # an operator lives as long as the Library object that declared it


def _import_torchvision():
    for _ in range(8):  # one missing operator is named at each attempt
        try:
            return importlib.import_module("torchvision")
        except RuntimeError as error:
            missing = re.search(r"operator torchvision::(\w+) does not exist", str(error))
            if not missing:
                raise
            library = torch.library.Library("torchvision", "FRAGMENT")
            library.define(missing[1] + _SIGNATURE)
            _libraries.append(library)
            for name in [n for n in sys.modules if n.split(".")[0] == "torchvision"]:
                del sys.modules[name]  # what the failed import left half made
    raise ImportError("torchvision cannot be imported beside this torch; install the version that matches it")


torchvision = _import_torchvision()
from torchvision.datasets import KMNIST, MNIST, FashionMNIST  # noqa: E402

__all__ = ["KMNIST", "MNIST", "FashionMNIST", "inception", "torchvision"]


def inception() -> torch.nn.Module:
    """Inception v3 with weights that mean nothing yet, for images in [-1, 1]."""
    from torchvision.models import inception_v3  # slow to import

    with torch.random.fork_rng(devices=[]):
        return inception_v3(weights=None, init_weights=False, transform_input=False)
