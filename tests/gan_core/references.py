"""Independent implementations of metrics, on rows (N, D), for the tests."""

import warnings

import numpy as np
import ot
import torch
from prdc import compute_prdc
from scipy.spatial.distance import jensenshannon
from sklearn.neighbors import NearestNeighbors

from gan_core import vision

assert vision.torchvision  # torchmetrics imports it, too, and beside a CPU build of torch only vision can do that first
from torchmetrics.image.fid import FrechetInceptionDistance  # noqa: E402
from torchmetrics.image.kid import KernelInceptionDistance  # noqa: E402


class _AsTheyAre(torch.nn.Module):
    """In place of Inception: rows are features already."""

    def __init__(self, num_features):
        super().__init__()
        self.num_features = num_features

    def forward(self, rows):
        return rows


def frechet(a, b):
    """By torchmetrics."""
    metric = FrechetInceptionDistance(_AsTheyAre(a.shape[1])).set_dtype(torch.float64)
    metric.update(a.double(), real=False)
    metric.update(b.double(), real=True)
    return metric.compute().item()


def kernel_distance(a, b):
    """By torchmetrics, of all rows at once."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # it keeps all features, it says
        metric = KernelInceptionDistance(_AsTheyAre(a.shape[1]), subsets=1, subset_size=len(a))
    metric.update(a.double(), real=False)
    metric.update(b.double(), real=True)
    return metric.compute()[0].item()


def neighbourhoods(real, fake):
    """By the authors of density and coverage."""
    return compute_prdc(real.double().numpy(), fake.double().numpy(), 5)


def sliced_wasserstein(a, b, directions):
    """By POT, along directions (n, D)."""
    return ot.sliced_wasserstein_distance(a.double(), b.double(), p=1, projections=directions.double().T).item()


def two_sample_accuracy(a, b):
    """By scikit-learn's nearest neighbours."""
    both = torch.cat([a, b]).double().numpy()
    nearest = NearestNeighbors(n_neighbors=1).fit(both).kneighbors(return_distance=False)[:, 0]  # itself left out
    own = np.arange(len(both)) >= len(a)
    return (own[nearest] == own).mean()


def jensen_shannon(points, data, cells):
    """By numpy's histogram and SciPy, on a square of cells around the data that begins at their lowest corner, and outside."""
    low, high = data.min(0).values, data.max(0).values
    steps = (high - low).max().item() * 1.0001 * np.linspace(0, 1, cells + 1)
    edges = [start + steps for start in low.tolist()]

    def shares(x):
        inside = np.histogram2d(*x.double().numpy().T, bins=edges)[0].ravel()
        return np.append(inside, len(x) - inside.sum()) / len(x)

    return jensenshannon(shares(points), shares(data)) ** 2
