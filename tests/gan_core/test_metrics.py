import math
import os
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import references
import torch
from ot import wasserstein_1d
from scipy.spatial.distance import pdist
from scipy.stats import entropy
from sklearn.neighbors import NearestNeighbors

from gan_core import METRICS
from gan_core.data import Data, Source, load
from gan_core.draws import seeded
from gan_core.images import test_split as official_test_set
from gan_core.metrics import (
    CELLS,
    DIRECTIONS,
    TALLIES,
    Seen,
    chosen,
    features_of,
    floors,
    frechet_distance,
    frechet_of,
    gaussian,
    kernel_distance,
    measure,
    nearest,
    neighbourhoods,
    real_rows,
    real_seen,
    samples_for,
    shares,
    sliced_wasserstein,
)

MIXTURES = ["ring8", "grid25", "two_gaussians", "disjoint3"]
REAL_DATA = Path(os.environ.get("GAN_PLAYGROUND_DATA", "/nowhere"))


class Reader:
    """A judge that reads features and logits off an image's pixels."""

    ready = True

    def __init__(self, classes):
        self.classes = classes

    def look(self, images):
        return images.flatten(1), images.flatten(1)


def _score(name, samples, data, judge=None):
    """A metric of samples (N, ...) of one member, beside as many real ones."""
    found = METRICS[name].measure(Seen(samples[None], data, judge), real_seen(data, len(samples), 0, judge))
    return found.item()


def _reference(data, n):
    """The real samples that n generated ones are compared with, as rows."""
    return data.x[real_rows(data, n, 0)].flatten(1)


def _normal(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def _perfect(data, n, seed=0):
    """n fresh samples of the mixture, (n, 2)."""
    generator = torch.Generator().manual_seed(seed)
    mode = torch.randint(len(data.centres), (n,), generator=generator)
    return data.centres[mode] + data.sigmas[mode] * torch.randn((n, 2), generator=generator)


def _unlabelled(data):
    """The same modes, each with the same share."""
    return Data(data.x, None, data.centres, data.sigmas)


def _on_modes(data, modes, each=10):
    """`each` samples exactly on each of some centres."""
    return data.centres[list(modes)].repeat(each, 1)


def _logits(rows):
    """Images whose pixels are logits, for a Reader."""
    return torch.tensor(rows, dtype=torch.float32)[:, None, None]


def _sure_of(labels, classes):
    """Images of which a Reader is sure that they are of these classes."""
    return 100 * torch.eye(classes)[torch.tensor(labels)][:, None, None]


def _labelled(labels, classes):
    """Images that a Reader names correctly, as data."""
    return Data(_sure_of(labels, classes), torch.tensor(labels))


# Modes, quality, reverse KL of points


@pytest.mark.parametrize("name", MIXTURES)
def test_perfect_generator_is_98_889_percent_high_quality(name):
    n, p = 200_000, 1 - math.exp(-4.5)
    wide = 0.003 if name == "two_gaussians" else 0.0  # its modes overlap, so a stray sample may count for the other
    found = Seen(_perfect(load(name), n)[None], load(name)).counts.sum().item() / n
    assert found == pytest.approx(p, abs=5 * (p * (1 - p) / n) ** 0.5 + wide)


@pytest.mark.parametrize("name", ["ring8", "grid25", "disjoint3"])
def test_perfect_generator_has_a_reverse_kl_of_about_k_minus_1_over_2n(name):
    data, n = load(name), 2500
    k = len(data.centres)
    found = np.mean([_score("reverse_kl", _perfect(data, n, seed), data) for seed in range(100)])
    expected = (k - 1) / (2 * n)
    error = 5 * math.sqrt(2 * (k - 1)) / (2 * n) / math.sqrt(100)  # 2 N KL is chi-squared with K - 1 degrees
    assert found == pytest.approx(expected, abs=error + 0.03 * expected)


@pytest.mark.parametrize("m", [1, 2, 5, 8])
def test_reverse_kl_of_m_modes_hit_evenly_is_ln_k_over_m(m):
    data = load("ring8")
    assert _score("reverse_kl", _on_modes(data, range(m)), data) == pytest.approx(math.log(8 / m), abs=1e-5)


def test_reverse_kl_of_uneven_counts_agrees_with_scipy():
    data, counts = load("disjoint3"), [7, 2, 1]
    samples = data.centres.repeat_interleave(torch.tensor(counts), 0)
    assert _score("reverse_kl", samples, data) == pytest.approx(entropy(counts, [1, 1, 1]), abs=1e-5)


def test_reverse_kl_without_a_high_quality_sample_is_not_a_number():
    assert math.isnan(_score("reverse_kl", torch.zeros(10, 2), load("ring8")))


def test_reverse_kl_looks_at_high_quality_samples_only():
    data = load("ring8")
    samples = torch.cat([_on_modes(data, range(8)), torch.zeros(500, 2)])
    assert _score("reverse_kl", samples, data) == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("m", [0, 1, 5, 8])
def test_modes_counts_the_modes_that_were_hit(m):
    data = load("ring8")
    assert _score("modes", torch.cat([_on_modes(data, range(m)), torch.zeros(5, 2)]), data) == m


def test_a_mode_is_held_from_a_fifth_of_its_fair_share_on():
    """Of 800 samples a fair share of 8 modes is 100: the first gets 20, the second 19."""
    data = _unlabelled(load("ring8"))
    samples = torch.cat([data.centres[:1].expand(20, 2), data.centres[1:2].expand(19, 2), torch.zeros(761, 2)])
    assert _score("held", samples, data) == 1


@pytest.mark.parametrize(("distance", "good"), [(2.99, 1), (3.01, 0)])
def test_high_quality_ends_at_three_sigma(distance, good):
    data = load("grid25")
    angle = torch.linspace(0, 2 * math.pi, 17)
    samples = data.centres[12] + distance * 0.05 * torch.stack([angle.cos(), angle.sin()], 1)
    assert _score("high_quality", samples, data) == good


def test_distance_is_measured_in_the_modes_own_deviations():
    """The tall Gaussian reaches 3 x 0.2 upwards, but only 3 x 0.05 sideways."""
    data = load("two_gaussians")
    centre = data.centres[1]
    up, side = centre + torch.tensor([0.0, -0.5]), centre + torch.tensor([0.2, 0.0])
    assert Seen(torch.stack([up, side])[None], data).counts.tolist() == [[0, 1]]


def test_samples_nearest_to_a_mode_are_counted_good_or_not():
    data = load("disjoint3")
    samples = torch.cat([data.centres, data.centres[:1] + torch.tensor([-0.2, 0.2])])
    assert Seen(samples[None], data).nearest.tolist() == [[2, 1, 1]]


# Classes, modes, quality, reverse KL of images


def test_an_image_is_of_high_quality_when_its_class_is_90_percent_sure():
    """Of two classes the likelier one has probability 0.9 where its logit is ln 9 larger."""
    data = _labelled([0, 1], 2)
    samples = _logits([[math.log(9) + 0.01, 0], [math.log(9) - 0.01, 0]])
    assert _score("high_quality", samples, data, Reader(2)) == 0.5


def test_images_that_are_not_sure_are_counted_as_nearest_only():
    seen = Seen(_logits([[9, 0, 0], [0, 0, 1]])[None], _labelled([0, 1, 2], 3), Reader(3))
    assert (seen.counts.tolist(), seen.nearest.tolist()) == ([[1, 0, 0]], [[1, 0, 1]])


def test_modes_of_images_are_the_classes_with_a_sure_image():
    data = _labelled([0, 1, 2, 3], 4)
    assert _score("modes", torch.cat([_sure_of([0, 0, 2], 4), torch.zeros(1, 1, 1, 4)]), data, Reader(4)) == 2


def test_a_rare_class_is_held_with_a_fifth_of_its_own_share():
    """A tenth of the data are of class 1: of 100 images it needs 2."""
    data = _labelled([0] * 90 + [1] * 10, 2)
    found = [_score("held", _sure_of([0] * (100 - k) + [1] * k, 2), data, Reader(2)) for k in (1, 2)]
    assert found == [1, 2]


def test_reverse_kl_of_images_is_against_the_classes_of_the_data():
    data = _labelled([0] * 6 + [1] * 3 + [2] * 1, 3)
    found = _score("reverse_kl", _sure_of([0] * 2 + [1] * 3 + [2] * 5, 3), data, Reader(3))
    assert found == pytest.approx(entropy([2, 3, 5], [6, 3, 1]), abs=1e-6)


def test_a_class_that_the_data_lack_is_held_by_whoever_makes_it():
    assert _score("held", _sure_of([0, 1, 2], 3), _labelled([0, 1], 3), Reader(3)) == 3


def test_a_class_that_neither_data_nor_samples_have_is_not_held():
    assert _score("held", _sure_of([0, 2], 3), _labelled([0, 2], 3), Reader(3)) == 2


def test_class_score_of_sure_and_even_classes_is_their_number():
    assert _score("class_score", _sure_of(range(7), 7), _labelled(range(7), 7), Reader(7)) == pytest.approx(7, rel=1e-5)


def test_class_score_of_one_class_is_1():
    assert _score("class_score", _sure_of([3] * 7, 7), _labelled(range(7), 7), Reader(7)) == pytest.approx(1, rel=1e-6)


def test_class_score_is_exp_of_the_mean_divergence_from_the_mean():
    logits, data = _normal(50, 4), _labelled([0, 1, 2, 3], 4)
    p = logits.double().softmax(1).numpy()
    expected = math.exp(np.mean([entropy(row, p.mean(0)) for row in p]))
    assert _score("class_score", logits[:, None, None], data, Reader(4)) == pytest.approx(expected, rel=1e-5)


# Fréchet distance


def test_frechet_distance_of_two_known_gaussians_is_16():
    """N(0, I) and N(1, 4 I) in 8 dimensions: 8 for the means, 8 (2 - 1)² for the deviations."""
    eye = torch.eye(8, dtype=torch.float64)
    found = frechet_distance((torch.zeros(8).double(), eye), (torch.ones(8).double(), 4 * eye))
    assert found == pytest.approx(16, abs=1e-9)


def test_frechet_distance_of_covariances_that_do_not_commute():
    """tr (S1 S2)^½ in the plane is (tr S1 S2 + 2 (det S1 S2)^½)^½: of diag(9, 1) and [[5, 4], [4, 5]], (50 + 2 * 9)^½."""
    a, b = torch.tensor([[[9.0, 0.0], [0.0, 1.0]], [[5.0, 4.0], [4.0, 5.0]]], dtype=torch.float64)
    mean = torch.zeros(2, dtype=torch.float64)
    assert frechet_distance((mean, a), (mean, b)) == pytest.approx(20 - 2 * 68**0.5, abs=1e-9)


@pytest.mark.parametrize("n", [(300, 200), (30, 200), (200, 30), (30, 40)], ids=str)
def test_frechet_of_rows_agrees_with_torchmetrics(n):
    """In 50 dimensions: with more rows than dimensions, and with fewer on either side."""
    a, b = _normal(n[0], 50) @ _normal(50, 50, seed=1), 2 * _normal(n[1], 50, seed=2) + 1
    assert frechet_of(a, b) == pytest.approx(references.frechet(a, b), rel=1e-5)  # theirs takes roots of rounded zeros


@pytest.mark.parametrize("n", [(30, 200), (200, 30), (30, 40)], ids=str)
def test_frechet_of_fewer_rows_than_dimensions_is_that_of_their_covariances(n):
    a, b = _normal(n[0], 50) @ _normal(50, 50, seed=1), 2 * _normal(n[1], 50, seed=2) + 1
    assert frechet_of(a, b) == pytest.approx(frechet_distance(gaussian(a), gaussian(b)), rel=1e-5)  # roots of rounded zeros


@pytest.mark.parametrize("dim", [3, 300], ids=["more rows", "fewer rows"])
def test_frechet_of_one_point_is_the_distance_of_means_and_the_trace(dim):
    x = _normal(100, dim)
    expected = (1 - x.double().mean(0)).square().sum() + x.double().var(0).sum()
    assert frechet_of(torch.ones(100, dim), x) == pytest.approx(expected.item(), rel=1e-6)


def test_frechet_of_a_single_row_is_a_number():
    x = _normal(1, 3)
    assert frechet_of(x, torch.zeros(1, 3)) == pytest.approx(x.square().sum().item(), rel=1e-6)


# Kernel distance


def test_kernel_distance_agrees_with_torchmetrics():
    a, b = _normal(200, 64), 1.2 * _normal(200, 64, seed=1) + 0.1
    assert kernel_distance(a, b) == pytest.approx(references.kernel_distance(a, b), rel=1e-9)


def test_kernel_distance_of_more_rows_than_a_subset_is_the_mean_over_subsets(monkeypatch):
    """100 random subsets: their mean strays from the whole by a tenth of what a subset does. The first rows are no such one."""
    monkeypatch.setattr("gan_core.metrics.SUBSET", 100)
    a, b = _normal(1000, 2), _normal(1000, 2, seed=1) + 0.5
    ones = [references.kernel_distance(x, y) for x, y in zip(a.split(100), b.split(100), strict=True)]
    found = kernel_distance(a[a[:, 0].argsort()], b)
    assert found == pytest.approx(references.kernel_distance(a, b), abs=5 * np.std(ones) / 10)


def test_kernel_distance_of_one_subset_is_not_that_of_all(monkeypatch):
    monkeypatch.setattr("gan_core.metrics.SUBSET", 10)
    monkeypatch.setattr("gan_core.metrics.SUBSETS", 1)
    a, b = _normal(1000, 2), _normal(1000, 2, seed=1) + 0.5
    assert kernel_distance(a, b) != pytest.approx(references.kernel_distance(a, b), rel=0.01)  # ten rows know less


def test_kernel_distance_is_unbiased():
    """(x y + 1)³ of N(0, 1) and N(1/2, 1): 3 m² + 3 (m²)² + (m³ + 3 m)² for the three moments; ten rows are enough for it."""
    m = 0.5
    found = [kernel_distance(_normal(10, 1, seed=2 * k), _normal(10, 1, seed=2 * k + 1) + m) for k in range(3000)]
    expected = 3 * m**2 + 3 * m**4 + (m**3 + 3 * m) ** 2
    assert np.mean(found) == pytest.approx(expected, abs=5 * np.std(found) / len(found) ** 0.5)


def test_kernel_distance_of_equal_laws_is_zero_on_average():
    x = load("two_moons").x
    found = [kernel_distance(x[k : k + 50], x[k + 50 : k + 100]) for k in range(0, 50_000, 100)]
    assert np.mean(found) == pytest.approx(0, abs=5 * np.std(found) / len(found) ** 0.5)


# Sliced Wasserstein, Jensen-Shannon


def test_in_one_dimension_sliced_wasserstein_is_that_of_pot():
    a, b = _normal(200, 1), 2 * torch.rand((200, 1), generator=torch.Generator().manual_seed(0))
    expected = wasserstein_1d(a[:, 0].double().numpy(), b[:, 0].double().numpy(), p=1)
    assert sliced_wasserstein(a[None], b).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("dim", [2, 64])
def test_sliced_wasserstein_agrees_with_pot_along_the_same_directions(dim):
    a, b = _normal(300, dim), 2 * _normal(300, dim, seed=1) + 1
    directions = torch.randn((DIRECTIONS, dim), generator=seeded(0, "directions"))
    expected = references.sliced_wasserstein(a, b, directions / directions.norm(dim=1, keepdim=True))
    assert sliced_wasserstein(a[None], b).item() == pytest.approx(expected, rel=1e-5)


def test_sliced_wasserstein_of_a_shift_is_two_over_pi_of_its_length():
    """In the plane the mean of |cos| is 2 / pi; 64 directions meet it within their error."""
    x = load("swiss_roll").x[:500]
    found = sliced_wasserstein((x + torch.tensor([3.0, 4.0]))[None], x).item()
    assert found == pytest.approx(5 * 2 / math.pi, abs=5 * 5 * 0.308 / DIRECTIONS**0.5)


def test_sliced_wasserstein_of_a_set_with_itself_is_zero():
    x = load("swiss_roll").x[:500]
    assert sliced_wasserstein(x.flip(0)[None], x).item() == pytest.approx(0, abs=1e-6)


def test_sliced_wasserstein_halves_with_the_scale():
    x, y = load("swiss_roll").x[:500], load("ring8").x[:500]
    assert sliced_wasserstein(x[None] / 2, y / 2).item() == pytest.approx(sliced_wasserstein(x[None], y).item() / 2, rel=1e-5)


@pytest.mark.parametrize("dataset", ["ring8", "line", "checkerboard"])
def test_jensen_shannon_agrees_with_scipy(dataset):
    data = load(dataset)
    samples = 0.7 * data.x[:1000] + 0.2 * _normal(1000, 2)
    expected = references.jensen_shannon(samples, data.x, CELLS)
    # rounded otherwise, one of 50,000 points may fall into the next cell, which counts a few hundred-thousandths
    assert _score("js", samples, data) == pytest.approx(expected, abs=1e-4)


def test_jensen_shannon_of_all_data_with_themselves_is_zero():
    data = load("swiss_roll")
    assert METRICS["js"].measure(Seen(data.x[None], data), None).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("shift", [100, -100, 1e30])
def test_jensen_shannon_of_points_outside_of_the_plot_is_ln_2(shift):
    data = load("ring8")
    assert _score("js", data.x[:100] + shift, data) == pytest.approx(math.log(2), abs=1e-6)


def test_jensen_shannon_of_points_where_no_data_are_is_ln_2():
    data = load("ring8")
    assert _score("js", torch.zeros(100, 2), data) == pytest.approx(math.log(2), abs=1e-6)


# Neighbours


@pytest.mark.parametrize(("sizes", "dim"), [((300, 200), 8), ((200, 300), 64)], ids=str)
def test_precision_recall_density_coverage_agree_with_their_authors(sizes, dim):
    real, fake = _normal(sizes[0], dim), 0.9 * _normal(sizes[1], dim, seed=1) + 0.1
    assert neighbourhoods(real, fake) == pytest.approx(references.neighbourhoods(real, fake), abs=1e-6)


@pytest.mark.parametrize("name", ["precision", "recall", "density", "coverage"])
def test_neighbourhoods_of_points_far_from_the_origin_agree_with_their_authors(name):
    """The grid's modes are small and its corners far off: what a matrix product rounds away decides who is a neighbour."""
    data = load("grid25")
    samples = _perfect(data, 2000)
    expected = references.neighbourhoods(_reference(data, 2000), samples)[name]
    assert _score(name, samples, data) == pytest.approx(expected, abs=1e-6)


def test_density_of_two_draws_of_one_law_is_1_on_average():
    found = [neighbourhoods(_normal(150, 2, seed=2 * k), _normal(50, 2, seed=2 * k + 1))["density"] for k in range(400)]
    assert np.mean(found) == pytest.approx(1, abs=5 * np.std(found) / len(found) ** 0.5)


def test_coverage_of_two_draws_of_one_law_is_the_known_one():
    """1 - prod over i = 1..k of (N - i) / (M + N - i): that none of the k nearest of all is generated."""
    n, m = 150, 50
    found = [neighbourhoods(_normal(n, 2, seed=2 * k), _normal(m, 2, seed=2 * k + 1))["coverage"] for k in range(400)]
    expected = 1 - math.prod((n - i) / (m + n - i) for i in range(1, 6))
    assert np.mean(found) == pytest.approx(expected, abs=5 * np.std(found) / len(found) ** 0.5)


@pytest.mark.parametrize("dataset", ["two_moons", "grid25"])
def test_two_sample_accuracy_agrees_with_scikit_learn(dataset):
    data = load(dataset)
    samples = data.x[:1000] + torch.tensor([0.02, 0.0])
    assert _score("two_sample", samples, data) == pytest.approx(references.two_sample_accuracy(_reference(data, 1000), samples))


def test_two_sample_accuracy_of_copies_is_0():
    data = load("two_moons")
    assert _score("two_sample", _reference(data, 300), data) == 0


def test_diversity_is_the_share_of_the_mean_distance_between_samples():
    """Five samples have ten pairs, and all of them are looked at."""
    data, samples = load("digits"), load("digits").x[:5] / 2
    expected = pdist(samples.flatten(1)).mean() / pdist(_reference(data, 5)).mean()
    assert _score("diversity", samples, data) == pytest.approx(expected, rel=1e-5)


def test_nearest_agrees_with_scikit_learn():
    data = Data(_normal(200, 1, 8, 8))
    samples = _normal(20, 1, 8, 8, seed=1)
    distances, rows = NearestNeighbors(n_neighbors=3).fit(data.x.flatten(1).numpy()).kneighbors(samples.flatten(1).numpy())
    found = nearest(samples, data, k=3)
    assert found[1].tolist() == rows.tolist()
    np.testing.assert_allclose(found[0].numpy(), distances, rtol=1e-4)  # by a matrix product in float32


def test_nearest_leaves_out_the_row_that_is_asked_for():
    data = Data(torch.tensor([[0.0, 0.0], [1.0, 0.0], [3.0, 0.0]]))
    distances, rows = nearest(data.x, data, leave_out=torch.arange(3))
    assert (distances[:, 0].tolist(), rows[:, 0].tolist()) == ([1, 1, 2], [1, 0, 1])


def test_nearest_gives_no_more_neighbours_than_there_are():
    data = Data(torch.tensor([[0.0, 0.0], [1.0, 0.0]]))
    assert nearest(data.x[:1], data, k=5)[1].tolist() == [[0, 1]]


@pytest.mark.parametrize(("factor", "expected"), [(1, 1), (0.5, 0.5)])
def test_copies_is_the_distance_to_the_data_over_that_between_data(factor, expected):
    """On unit vectors times r, r sqrt 2 apart, r = 10; samples stand `factor` of that away from one of them."""
    data = Data(10 * torch.eye(50).reshape(50, 1, 5, 10))
    samples = data.x + factor * math.sqrt(200) * torch.eye(50)[0].reshape(1, 5, 10)  # the first moves along itself
    assert _score("copies", samples[:1], data) == pytest.approx(expected, rel=1e-5)


def test_copies_of_copied_images_is_near_0():
    data = load("digits")
    assert _score("copies", data.x[:100], data) == pytest.approx(0, abs=1e-3)


def test_copies_looks_at_the_median():
    data = load("digits")
    samples = torch.cat([data.x[:60], data.x[60:100] + 100])
    assert _score("copies", samples, data) == pytest.approx(0, abs=1e-3)


def test_support_is_the_pairs_over_those_that_look_alike():
    """A three times, B and C once: 3 of 10 pairs."""
    data = load("digits")
    assert _score("support", data.x[[0, 0, 0, 1, 2]], data) == pytest.approx(10 / 3)


@pytest.mark.parametrize("m", [10, 50])
def test_support_of_m_images_drawn_evenly_is_about_m(m):
    """1,000 samples make 499,500 pairs, of which 1 / m are alike: the share is known to (m / pairs)^½."""
    data = load("digits")
    rows = torch.randint(m, (1000,), generator=torch.Generator().manual_seed(m))
    assert _score("support", data.x[rows], data) == pytest.approx(m, rel=5 * (m / 499_500) ** 0.5 + 5 * (2 * m) ** 0.5 / 1000)


def test_support_without_a_pair_alike_is_the_most_that_can_be_told():
    data = load("digits")
    assert _score("support", data.x[:20], data) == 190


# Through the registry: what each metric is given


@pytest.mark.parametrize("name", ["precision", "recall", "density", "coverage"])
def test_neighbourhoods_of_judged_images_are_those_of_their_features(name, digits_judge):
    data = load("digits")
    samples = data.x[:300] + 0.3 * _normal(300, 1, 8, 8)
    real, fake = (digits_judge.look(x)[0] for x in (data.x[real_rows(data, 300, 0)], samples))
    assert _score(name, samples, data, digits_judge) == pytest.approx(references.neighbourhoods(real, fake)[name], abs=1e-6)


def test_frechet_distance_of_judged_images_is_that_of_their_features(digits_judge):
    data = load("digits")
    samples = data.x[:300] + 0.3 * _normal(300, 1, 8, 8)
    real, fake = (digits_judge.look(x)[0] for x in (data.x[real_rows(data, 300, 0)], samples))
    # theirs takes roots of eigenvalues of features that never fire, which are rounded zeros
    assert _score("frechet", samples, data, digits_judge) == pytest.approx(references.frechet(fake, real), rel=1e-4)


def test_kernel_distance_of_judged_images_is_that_of_their_features(digits_judge):
    data = load("digits")
    samples = data.x[:300] + 0.3 * _normal(300, 1, 8, 8)
    real, fake = (digits_judge.look(x)[0] for x in (data.x[real_rows(data, 300, 0)], samples))
    assert _score("kid", samples, data, digits_judge) == pytest.approx(references.kernel_distance(fake, real), rel=1e-5)


def test_two_sample_accuracy_of_judged_images_is_that_of_their_features(digits_judge):
    data = load("digits")
    samples = data.x[:300] + 0.3 * _normal(300, 1, 8, 8)
    real, fake = (digits_judge.look(x)[0] for x in (data.x[real_rows(data, 300, 0)], samples))
    assert _score("two_sample", samples, data, digits_judge) == pytest.approx(references.two_sample_accuracy(real, fake))


@pytest.mark.parametrize(
    ("name", "expected"), [("frechet_pixels", references.frechet), ("kid_pixels", references.kernel_distance)]
)
def test_metrics_on_pixels_see_them_between_0_and_1(name, expected):
    data, samples = load("digits"), load("digits").x[:300] / 2
    rows = [(x.flatten(1) + 1) / 2 for x in (samples, data.x[real_rows(data, 300, 0)])]
    assert _score(name, samples, data) == pytest.approx(expected(*rows), rel=1e-4)  # roots of pixels that are always 0


def test_diversity_of_samples_twice_as_far_apart_is_twice_as_large():
    data = load("ring8")
    assert _score("diversity", 2 * data.x[:300], data) == pytest.approx(2 * _score("diversity", data.x[:300], data), rel=1e-5)


# Every metric on three kinds of data: a perfect generator, bad ones, members


@dataclass(frozen=True)
class World:
    """A data set, fresh real samples (E, N, ...) that it does not hold, and generators that fail: name -> (N, ...)."""

    data: Data
    judge: object
    perfect: torch.Tensor
    bad: dict

    @property
    def n(self):
        return self.perfect.shape[1]


def _points():
    data, n = load("ring8"), 400
    perfect = torch.stack([_perfect(data, n, seed) for seed in range(10)])
    one_mode = data.centres[0] + data.sigmas[0] * _normal(n, 2)
    return World(data, None, perfect, {"point": perfect[0, :1].expand(n, 2), "mode": one_mode, "far": perfect[0] + 50})


def _images(judge):
    """Half of the digits are the data; the others are as good as any, and noise is far from all."""
    every, n = load("digits"), 80
    order = torch.randperm(len(every.x), generator=torch.Generator().manual_seed(0))
    known, fresh = order[:900], order[900:]
    data = Data(every.x[known], every.labels[known] if judge else None)
    perfect = every.x[fresh[: 10 * n]].unflatten(0, (10, n))
    zeros = every.x[fresh[every.labels[fresh] == 0]]
    noise = 2 * torch.rand((n, 1, 8, 8), generator=torch.Generator().manual_seed(0)) - 1
    bad = {"point": perfect[0, :1].expand(n, 1, 8, 8), "mode": zeros[torch.arange(n) % len(zeros)], "far": noise}
    return World(data, judge, perfect, bad)


KINDS = {"points": load("ring8"), "judged": load("digits"), "images": Data(load("digits").x)}
CASES = [pytest.param(kind, name, id=f"{kind}-{name}") for kind, data in KINDS.items() for name in chosen(data, full=True)]
TALLIED = [pytest.param(kind, tally, id=f"{kind}-{tally}") for kind in ("points", "judged") for tally in TALLIES]
BLIND = {  # failures that a metric is not made to see
    "point": {"high_quality", "precision", "density", "copies"},  # one good sample over and over is good
    "mode": {"high_quality", "precision", "density", "copies", "support"},  # and so are many of one kind
    "far": {"diversity", "support", "reverse_kl"},  # two look at differences between samples, one at those near modes
}
FAILURES = [
    pytest.param(kind, name, failure, id=f"{kind}-{name}-{failure}")
    for kind, data in KINDS.items()
    for name in chosen(data, full=True)
    for failure, blind in BLIND.items()
    if name not in blind
]


def _few(data, n):
    return replace(data, x=data.x[:n], labels=None if data.labels is None else data.labels[:n])


@pytest.fixture(scope="module")
def world(digits_judge):
    """Kind of data -> World, with `found`, the metrics of its perfect samples, and `floor`."""

    @lru_cache
    def make(kind):
        made = _points() if kind == "points" else _images(digits_judge if kind == "judged" else None)
        found = measure(made.perfect, made.data, made.judge, full=True)
        return SimpleNamespace(world=made, found=found, floor=floors(made.data, made.n, made.judge, full=True))

    return make


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_perfect_generator_lies_at_the_floor(world, kind, name):
    """The floor could be one of ten perfect generators' scores: within five of their deviations."""
    found = world(kind).found[name]
    assert world(kind).floor[name] == pytest.approx(found.mean().item(), abs=5 * found.std().item() + 1e-6)


@pytest.mark.parametrize(("kind", "name", "failure"), FAILURES)
def test_failure_is_worse_than_the_floor(world, kind, name, failure):
    """By more than five deviations of perfect generators' scores, away from where `better` says."""
    this, better = world(kind), METRICS[name].better
    value = measure(this.world.bad[failure][None], this.world.data, this.world.judge, full=True)[name].item()
    worse = {"more": this.floor[name] - value, "less": value - this.floor[name], "": abs(value - this.floor[name])}[better]
    assert worse > 5 * this.found[name].std().item()


@pytest.mark.parametrize(("kind", "name"), [*CASES, *TALLIED])
def test_members_do_not_mix(world, kind, name):
    this = world(kind).world
    members = torch.stack([this.perfect[0], this.bad["mode"], this.bad["far"]])
    together = measure(members, this.data, this.judge, full=True)[name]
    alone = torch.cat([measure(member[None], this.data, this.judge, full=True)[name] for member in members])
    torch.testing.assert_close(together, alone, equal_nan=True)


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_a_member_that_has_diverged_spoils_no_other(world, kind, name):
    this = world(kind)
    members = torch.stack([this.world.perfect[0], torch.full_like(this.world.perfect[0], torch.nan), this.world.perfect[1]])
    found = measure(members, this.world.data, this.world.judge, full=True)[name]
    torch.testing.assert_close(found[[0, 2]], this.found[name][:2])


@pytest.mark.parametrize(("kind", "name"), [case for case in CASES if METRICS[case.values[1]].better])
def test_a_member_that_has_diverged_is_no_better_than_the_floor(world, kind, name):
    this = world(kind)
    samples = torch.full_like(this.world.perfect[:1], torch.nan)
    value = measure(samples, this.world.data, this.world.judge, full=True)[name].item()
    worse = {"more": this.floor[name] > value, "less": this.floor[name] < value}[METRICS[name].better]
    assert math.isnan(value) or worse


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_can_tell_a_member_that_has_diverged_from_real_data(world, kind):
    """Nor is it a copy of them, as an accuracy of 0 would say."""
    this = world(kind).world
    assert measure(torch.full_like(this.perfect[:1], torch.nan), this.data, this.judge, full=True)["two_sample"].isnan().all()


@pytest.mark.parametrize("kind", ["points", "judged"])
def test_samples_that_are_not_numbers_are_near_no_mode(world, kind):
    this = world(kind).world
    samples = this.perfect[:1].clone()
    samples[:, 10:] = torch.nan
    assert measure(samples, this.data, this.judge)["nearest"].sum() == 10


@pytest.mark.parametrize("factor", [1e15, 1e30])
@pytest.mark.parametrize("kind", KINDS)
def test_a_member_that_diverges_has_no_infinite_number(world, kind, factor):
    this = world(kind).world
    found = measure(factor * this.perfect[:1], this.data, this.judge, full=True)
    assert [name for name, value in found.items() if value.isinf().any()] == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("full", [False, True], ids=["live", "full"])
def test_every_metric_of_the_kind_is_measured(world, kind, full):
    this = world(kind).world
    found = measure(this.perfect[:1], this.data, this.judge, full)
    assert [name for name in found if name not in TALLIES] == chosen(KINDS[kind], full)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("full", [False, True], ids=["live", "full"])
def test_every_metric_has_a_floor(world, kind, full):
    this = world(kind).world
    assert list(floors(this.data, this.n, this.judge, full)) == chosen(KINDS[kind], full)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [3, 50])
def test_more_samples_than_data_have_numbers(world, kind, size):
    """The data are taken again and again; and three images are a data set."""
    this, data = world(kind).world, _few(world(kind).world.data, size)
    found = measure(data.x[torch.arange(this.n) % size][None], data, this.judge, full=True)
    assert [name for name, value in found.items() if not value.isfinite().all()] == []


@pytest.mark.parametrize("kind", KINDS)
def test_three_data_have_floors(world, kind):
    this, data = world(kind).world, _few(world(kind).world.data, 3)
    assert list(floors(data, samples_for(data), this.judge, full=True)) == chosen(KINDS[kind], full=True)


# Floors


def test_floor_of_high_quality_points_is_98_889_percent():
    assert floors(load("ring8"), 2500)["high_quality"] == pytest.approx(0.98889, abs=5e-6)


def test_floor_of_reverse_kl_of_points_is_k_minus_1_over_2n():
    assert floors(load("grid25"), 2500)["reverse_kl"] == pytest.approx(24 / 5000)


def test_floor_of_copies_looks_at_other_images_than_the_sample_itself():
    """The floor's images are in the data, at a distance of 0 from themselves."""
    assert floors(load("digits"), 100)["copies"] == pytest.approx(1, abs=0.25)  # two medians of 128 distances


def test_floors_are_those_of_a_sample_that_shares_nothing_with_the_reference():
    """At which the accuracy of telling copies would be 0."""
    data = load("ring8")
    assert floors(data, 1000, full=True)["two_sample"] == pytest.approx(0.5, abs=5 * 0.5 / 2000**0.5)


# The judge is not ready yet


def test_without_a_judge_what_needs_one_is_not_a_number():
    data = load("digits")
    found = measure(data.x[None, :50], data)
    nan = {name for name, value in found.items() if value.isnan().all()}
    assert nan == {name for name in chosen(data) if METRICS[name].looks in ("modes", "features")}


def test_without_a_judge_nothing_is_tallied():
    data = load("digits")
    assert not set(TALLIES) & set(measure(data.x[None, :50], data))


def test_without_a_judge_only_what_needs_none_has_a_floor():
    data = load("digits")
    assert set(floors(data, 50)) == {name for name in chosen(data) if METRICS[name].looks in ("samples", "pixels")}


def test_a_judge_that_still_learns_is_none_yet():
    data, judge = load("digits"), Reader(10)
    judge.ready = False
    assert measure(data.x[None, :50], data, judge)["frechet"].isnan().all()


# What is chosen, and how it is told


@pytest.mark.parametrize("name", METRICS)
def test_entry_has_title_text_and_source(name):
    assert all([METRICS[name].title, METRICS[name].text, METRICS[name].source])


@pytest.mark.parametrize("name", METRICS)
def test_entry_says_what_it_looks_at_and_which_way_is_better(name):
    assert METRICS[name].looks in ("modes", "features", "pixels", "samples")
    assert METRICS[name].better in ("more", "less", "")


MODES = {"modes", "held", "high_quality", "reverse_kl"}
ALWAYS = {"sliced_wasserstein", "diversity"}
LIVE = {
    "points": MODES | ALWAYS | {"js"},
    "judged": MODES | ALWAYS | {"frechet", "class_score", "precision", "recall", "copies"},
    "images": ALWAYS | {"precision", "recall", "copies"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_while_a_run_trains_the_cheap_metrics_are_measured(kind):
    assert set(chosen(KINDS[kind])) == LIVE[kind]


def test_metrics_of_modes_do_not_apply_where_there_are_none():
    found = chosen(load("swiss_roll"), full=True)
    assert not (MODES | {"class_score"}) & set(found)


def test_a_metric_looks_at_no_more_samples_than_it_says():
    """Of 2,100 samples the last hundred would make an accuracy of 1/2 into more."""
    data = load("two_moons")
    samples = torch.cat([data.x[:2000], data.x[:100] + 100])
    found = measure(samples[None], data, full=True)["two_sample"].item()
    assert found == pytest.approx(_score("two_sample", samples[:2000], data))


@pytest.mark.parametrize(
    ("data", "full", "expected"),
    [
        pytest.param(load("ring8"), False, 2500, id="points"),
        pytest.param(load("ring8"), True, 10_000, id="points in full"),
        pytest.param(load("digits"), True, 898, id="half of the digits"),
        pytest.param(Data(torch.zeros(60_000, 1, 1, 1)), False, 1000, id="images"),
        pytest.param(Data(torch.zeros(3, 1, 1, 1)), False, 64, id="three images"),
    ],
)
def test_samples_are_at_most_half_of_the_data_and_at_least_64(data, full, expected):
    assert samples_for(data, full) == expected


def test_shares_are_those_of_the_labels():
    assert shares(_labelled([0, 0, 0, 2], 3)).tolist() == [0.75, 0, 0.25]


def test_shares_of_modes_without_labels_are_even():
    assert shares(_unlabelled(load("disjoint3"))).tolist() == pytest.approx([1 / 3] * 3)


def test_counts_of_several_members_are_those_of_their_samples():
    data = load("disjoint3")
    samples = torch.stack([_on_modes(data, [0, 0, 2], each=1), _on_modes(data, [1, 1, 1], each=1)])
    assert measure(samples, data)["counts"].tolist() == [[2, 0, 1], [0, 3, 0]]


@pytest.mark.parametrize(
    ("name", "dataset", "expected"),
    [
        ("modes", "ring8", "centres of the modes"),
        ("frechet", "ring8", "coordinates"),
        ("frechet_pixels", "digits", "pixels"),
        ("sliced_wasserstein", "digits", "pixels"),
    ],
)
def test_what_a_metric_looks_at_is_told(name, dataset, expected):
    assert features_of(name, load(dataset)) == expected


def test_of_a_judge_it_is_told_how_often_it_is_right():
    judge = SimpleNamespace(source=Source("mnist"), accuracy=0.9871, tested=10_000)
    assert features_of("frechet", load("digits"), judge) == "classifier of mnist, 98.7% right on 10,000 images"


# Real samples


def test_real_rows_hold_none_twice():
    assert len(real_rows(load("ring8"), 5000, 0).unique()) == 5000


def test_real_rows_of_two_parts_share_none():
    data = load("ring8")
    assert len(torch.cat([real_rows(data, 5000, part) for part in (0, 1)]).unique()) == 10_000


def test_real_rows_of_more_than_there_are_have_the_size_asked_for():
    assert real_rows(Data(torch.zeros(3, 2)), 10, 1).shape == (10,)


def test_a_real_sample_is_made_of_the_data():
    data = load("digits")
    assert torch.equal(real_seen(data, 7, 1, None).samples[0], data.x[real_rows(data, 7, 1)])


def test_measuring_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    data = load("ring8")
    measure(data.x[None, :1200], data, full=True)
    assert torch.equal(torch.get_rng_state(), before)


# Anchors on the real data: /255, 784 dimensions


def _real(folder):
    there = all((REAL_DATA / folder / "raw" / f"{split}-images-idx3-ubyte.gz").is_file() for split in ("train", "t10k"))
    return pytest.mark.skipif(not there, reason=f"GAN_PLAYGROUND_DATA has not both splits of {folder}")


needs_mnist, needs_fashion = _real("MNIST"), _real("FashionMNIST")


def _pixels(data):
    """Between 0 and 1, as rows."""
    return (data.x.flatten(1) + 1) / 2


@pytest.mark.parametrize(
    ("name", "distance"),
    [pytest.param("mnist", 0.332176, marks=needs_mnist), pytest.param("fashion_mnist", 0.242546, marks=needs_fashion)],
)
def test_frechet_distance_of_the_real_training_and_test_images(name, distance):
    found = frechet_distance(gaussian(_pixels(load(name))), gaussian(_pixels(official_test_set(Source(name)))))
    assert found == pytest.approx(distance, abs=5e-7)


@pytest.mark.parametrize(
    ("name", "trace"),
    [pytest.param("mnist", 52.7259, marks=needs_mnist), pytest.param("fashion_mnist", 68.2174, marks=needs_fashion)],
)
def test_total_variance_of_the_real_training_images(name, trace):
    """Which a generator of the mean image scores, whatever features it collapses in."""
    pixels = _pixels(load(name))
    assert frechet_of(pixels.mean(0).expand(1000, -1), pixels) == pytest.approx(trace, abs=5e-5)


@pytest.mark.parametrize(
    ("name", "accuracy"),
    [pytest.param("mnist", 0.962, marks=needs_mnist), pytest.param("fashion_mnist", 0.844, marks=needs_fashion)],
)
def test_class_of_the_nearest_real_training_image(name, accuracy):
    train, test = load(name), official_test_set(Source(name))
    rows = torch.cat([nearest(part, train)[1][:, 0] for part in test.x[:1000].split(250)])
    assert (train.labels[rows] == test.labels[:1000]).float().mean().item() == pytest.approx(accuracy, abs=1e-6)
