import math

import pytest
import torch
from scipy.stats import entropy, wasserstein_distance

from gan_core import METRICS
from gan_core.data import Data, load
from gan_core.metrics import DIRECTIONS, floors, measure, mode_counts, real_sample, sliced_wasserstein

MIXTURES = ["ring8", "grid25", "two_gaussians", "disjoint3"]


def _perfect(data, n, seed=0):
    """n fresh samples of the mixture, (1, N, 2)."""
    generator = torch.Generator().manual_seed(seed)
    mode = torch.randint(len(data.centres), (n,), generator=generator)
    return (data.centres[mode] + data.sigmas[mode] * torch.randn((n, 2), generator=generator))[None]


def _on_modes(data, modes, each=10):
    """`each` samples exactly on each of some centres."""
    return data.centres[list(modes)].repeat(each, 1)[None]


# Modes, quality, reverse KL


@pytest.mark.parametrize("name", MIXTURES)
def test_perfect_generator_is_98_889_percent_high_quality(name):
    n, p = 200_000, 1 - math.exp(-4.5)
    found = METRICS["high_quality"].measure(_perfect(load(name), n), load(name)).item()
    wide = 0.003 if name == "two_gaussians" else 0.0  # its modes overlap, so a stray sample may count for the other
    assert found == pytest.approx(p, abs=5 * (p * (1 - p) / n) ** 0.5 + wide)


@pytest.mark.parametrize("name", ["ring8", "grid25", "disjoint3"])
def test_perfect_generator_has_a_reverse_kl_of_about_k_minus_1_over_2n(name):
    data, n = load(name), 2500
    k = len(data.centres)
    found = torch.cat([METRICS["reverse_kl"].measure(_perfect(data, n, seed), data) for seed in range(100)]).mean().item()
    expected = (k - 1) / (2 * n)
    error = 5 * math.sqrt(2 * (k - 1)) / (2 * n) / math.sqrt(100)  # 2 N KL is chi-squared with K - 1 degrees
    assert found == pytest.approx(expected, abs=error + 0.03 * expected)


@pytest.mark.parametrize("m", [1, 2, 5, 8])
def test_reverse_kl_of_m_modes_hit_evenly_is_ln_k_over_m(m):
    data = load("ring8")
    assert METRICS["reverse_kl"].measure(_on_modes(data, range(m)), data).item() == pytest.approx(math.log(8 / m), abs=1e-5)


def test_reverse_kl_of_uneven_counts_agrees_with_scipy():
    data, counts = load("disjoint3"), [7, 2, 1]
    samples = data.centres.repeat_interleave(torch.tensor(counts), 0)[None]
    expected = entropy(counts, [1, 1, 1])
    assert METRICS["reverse_kl"].measure(samples, data).item() == pytest.approx(expected, abs=1e-5)


def test_reverse_kl_without_a_high_quality_sample_is_not_a_number():
    data = load("ring8")
    assert METRICS["reverse_kl"].measure(torch.zeros(1, 10, 2), data).isnan().all()


def test_reverse_kl_looks_at_high_quality_samples_only():
    data = load("ring8")
    samples = torch.cat([_on_modes(data, range(8)), torch.zeros(1, 500, 2)], 1)
    assert METRICS["reverse_kl"].measure(samples, data).item() == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("m", [0, 1, 5, 8])
def test_modes_counts_the_modes_that_were_hit(m):
    data = load("ring8")
    samples = torch.cat([_on_modes(data, range(m)), torch.zeros(1, 5, 2)], 1)
    assert METRICS["modes"].measure(samples, data).item() == m


@pytest.mark.parametrize(("distance", "good"), [(2.99, 1), (3.01, 0)])
def test_high_quality_ends_at_three_sigma(distance, good):
    data = load("grid25")
    angle = torch.linspace(0, 2 * math.pi, 17)
    samples = data.centres[12] + distance * 0.05 * torch.stack([angle.cos(), angle.sin()], 1)
    assert METRICS["high_quality"].measure(samples[None], data).item() == good


def test_distance_is_measured_in_the_modes_own_deviations():
    """The tall Gaussian reaches 3 x 0.2 upwards, but only 3 x 0.05 sideways."""
    data = load("two_gaussians")
    centre = data.centres[1]
    up, side = centre + torch.tensor([0.0, -0.5]), centre + torch.tensor([0.2, 0.0])
    assert mode_counts(torch.stack([up, side])[None], data)[0].tolist() == [0, 1]


def test_mode_counts_add_up_to_the_high_quality_samples():
    data = load("grid25")
    samples = _perfect(data, 2500)
    share = METRICS["high_quality"].measure(samples, data).item()
    assert mode_counts(samples, data).sum().item() == round(share * 2500)


# Sliced Wasserstein


def test_in_one_dimension_sliced_wasserstein_is_scipys_distance():
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn((200, 1), generator=generator), 2 * torch.rand((200, 1), generator=generator)
    expected = wasserstein_distance(a[:, 0].numpy(), b[:, 0].numpy())
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


# Contract


CASES = [
    pytest.param(name, dataset, id=f"{name}-{dataset}")
    for dataset in (*MIXTURES, "swiss_roll", "digits")
    for name, metric in METRICS.items()
    if metric.applies(load(dataset))
]


@pytest.mark.parametrize(("name", "dataset"), CASES)
def test_one_number_for_each_member(name, dataset):
    data = load(dataset)
    samples = torch.stack([data.x[:300], data.x[300:600]])
    assert METRICS[name].measure(samples, data).shape == (2,)


@pytest.mark.parametrize(("name", "dataset"), CASES)
def test_a_members_number_does_not_depend_on_its_company(name, dataset):
    data = load(dataset)
    one, two = data.x[:300], data.x[300:600] / 2
    together = METRICS[name].measure(torch.stack([one, two]), data)
    alone = METRICS[name].measure(one[None], data)
    torch.testing.assert_close(together[:1], alone)


@pytest.mark.parametrize(("name", "dataset"), CASES)
def test_order_of_the_samples_does_not_matter(name, dataset):
    data = load(dataset)
    samples = data.x[None, :300]
    torch.testing.assert_close(METRICS[name].measure(samples.flip(1), data), METRICS[name].measure(samples, data))


@pytest.mark.parametrize(("name", "dataset"), CASES)
def test_real_samples_score_near_the_floor(name, dataset):
    """Real data are a perfect generator's samples: they must stand nearer to the floor than a dead generator's."""
    data, metric = load(dataset), METRICS[name]
    n = 1500
    order = torch.randperm(len(data.x), generator=torch.Generator().manual_seed(5))[:n]
    floor = metric.floor(data, n)
    real = metric.measure(data.x[order][None], data).item()
    dead = metric.measure(data.x[:1].expand(n, *data.shape)[None], data).item()
    if name == "high_quality":
        dead = 0.0  # a dead generator may well sit on a mode
    assert abs(real - floor) < 0.25 * abs(dead - floor)


@pytest.mark.parametrize(("name", "dataset"), CASES)
def test_floor_is_finite(name, dataset):
    assert math.isfinite(METRICS[name].floor(load(dataset), 1000))


def test_floor_of_high_quality_is_98_889_percent():
    assert METRICS["high_quality"].floor(load("ring8"), 2500) == pytest.approx(0.98889, abs=5e-6)


def test_floor_of_reverse_kl_is_k_minus_1_over_2n():
    assert METRICS["reverse_kl"].floor(load("grid25"), 2500) == pytest.approx(24 / 5000)


@pytest.mark.parametrize("name", METRICS)
def test_entry_has_title_text_and_source(name):
    assert all([METRICS[name].title, METRICS[name].text, METRICS[name].source])


@pytest.mark.parametrize("dataset", ["ring8", "swiss_roll", "digits"])
def test_measure_and_floors_name_the_same_metrics(dataset):
    data = load(dataset)
    assert measure(data.x[None, :100], data).keys() == floors(data, 100).keys()


def test_metrics_of_modes_do_not_apply_where_there_are_none():
    assert measure(load("digits").x[None, :100], load("digits")).keys() == {"sliced_wasserstein"}


# Reference samples


def test_real_sample_takes_no_row_twice():
    x = real_sample(load("ring8"), 5000, 0)
    assert len(x.unique(dim=0)) == len(load("ring8").x[:5000].unique(dim=0)) == 5000


def test_real_sample_of_more_than_there_are_has_the_size_asked_for():
    assert real_sample(Data(torch.arange(6.0).reshape(3, 2)), 10, 0).shape == (10, 2)


def test_real_sample_flattens_images():
    assert real_sample(load("digits"), 7, 0).shape == (7, 64)


def test_real_samples_of_two_seeds_differ():
    data = load("ring8")
    assert not torch.equal(real_sample(data, 100, 0), real_sample(data, 100, 1))
