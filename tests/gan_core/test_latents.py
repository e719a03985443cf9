import math

import pytest
import torch

from gan_core.draws import Draws, Once, seeded
from gan_core.latents import LATENTS, MIXTURE_RADIUS, MIXTURE_SIGMA, mixture_centres, mixture_sigma

N = 40_000
SOURCES = {"once": lambda seed: Once(seeded(seed, "latent")), "draws": lambda seed: Draws([seed], "latent")}


def _numbers(name, source="once", n=N, dim=3, modes=8, seed=0):
    z = LATENTS[name].draw(SOURCES[source](seed), n, dim, modes)
    return z if source == "once" else z[0]


def _moments(name, dim=3, modes=8):
    """Mean and variance of each number, by hand."""
    if name == "normal":
        return torch.zeros(dim), torch.ones(dim)
    if name == "uniform":
        return torch.zeros(dim), torch.full((dim,), 1 / 3)
    if name == "coins":
        return torch.zeros(dim), torch.ones(dim)
    variance = torch.ones(dim)
    variance[:2] = MIXTURE_SIGMA**2 + MIXTURE_RADIUS**2 / 2  # two or more points evenly on a circle have the mean of cos²
    return torch.zeros(dim), variance


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("name", LATENTS)
def test_mean(name, source):
    mean, variance = _moments(name)
    z = _numbers(name, source)
    assert ((z.mean(0) - mean).abs() <= 4.5 * (variance / N).sqrt()).all()


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("name", LATENTS)
def test_variance(name, source):
    z = _numbers(name, source)
    torch.testing.assert_close(z.var(0), _moments(name)[1], rtol=0.04, atol=0)


@pytest.mark.parametrize("name", LATENTS)
def test_numbers_of_a_sample_are_uncorrelated(name):
    correlation = torch.corrcoef(_numbers(name, dim=4).T) - torch.eye(4)
    assert correlation.abs().max() < 5 / math.sqrt(N)


@pytest.mark.parametrize("dim", [1, 2, 7])
@pytest.mark.parametrize("name", LATENTS)
def test_shape_without_members(name, dim):
    assert _numbers(name, n=5, dim=dim).shape == (5, dim)


@pytest.mark.parametrize("dim", [1, 2, 7])
@pytest.mark.parametrize("name", LATENTS)
def test_shape_with_members(name, dim):
    assert LATENTS[name].draw(Draws([0, 1, 2], "latent"), 5, dim, 4).shape == (3, 5, dim)


def test_uniform_reaches_both_ends_and_never_leaves():
    z = _numbers("uniform")
    assert [-1 <= z.min() < -0.999, 0.999 < z.max() <= 1] == [True, True]


def test_uniform_is_even():
    counts = torch.histc(_numbers("uniform", dim=1), 20, -1, 1) / N
    assert ((counts - 0.05).abs() < 4.5 * math.sqrt(0.05 * 0.95 / N)).all()


def test_normal_has_the_tails_of_a_normal_distribution():
    share = (_numbers("normal", dim=1).abs() > 1.959964).float().mean().item()
    assert share == pytest.approx(0.05, abs=4.5 * math.sqrt(0.05 * 0.95 / N))


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("name", LATENTS)
def test_the_same_stream_gives_the_same_numbers(name, source):
    assert torch.equal(_numbers(name, source, n=50), _numbers(name, source, n=50))


@pytest.mark.parametrize("name", LATENTS)
def test_a_stream_goes_on_with_other_numbers(name):
    draws = Draws([0], "latent")
    one, two = (LATENTS[name].draw(draws, 50, 3, 8) for _ in range(2))
    assert not torch.equal(one, two)


@pytest.mark.parametrize("name", LATENTS)
def test_members_draw_what_they_would_alone(name):
    together = LATENTS[name].draw(Draws([4, 9], "latent"), 50, 3, 8)
    assert torch.equal(together[1], LATENTS[name].draw(Draws([9], "latent"), 50, 3, 8)[0])


@pytest.mark.parametrize("name", LATENTS)
def test_a_resumed_stream_goes_on(name):
    draws = Draws([0, 1], "latent")
    LATENTS[name].draw(draws, 6, 3, 8)
    state = draws.state()
    expected = LATENTS[name].draw(draws, 6, 3, 8)
    again = Draws([0, 1], "latent")
    again.load(*state)
    assert torch.equal(LATENTS[name].draw(again, 6, 3, 8), expected)


@pytest.mark.parametrize("place", [0, 2])
@pytest.mark.parametrize("name", LATENTS)
def test_both_sources_agree_in_law(name, place):
    """The Kolmogorov-Smirnov distance of two samples of one law is below 1.95 sqrt(2 / n) but once in a thousand."""
    a, b = (_numbers(name, source, seed=seed)[:, place].sort().values for source, seed in (("once", 1), ("draws", 2)))
    every = torch.cat([a, b]).sort().values
    distance = (torch.searchsorted(a, every, right=True) - torch.searchsorted(b, every, right=True)).abs().max() / N
    assert distance < 1.95 * math.sqrt(2 / N)


# The mixture


@pytest.mark.parametrize("modes", [2, 3, 8, 25, 64])
def test_centres_stand_evenly_on_a_circle(modes):
    centres = mixture_centres(2, modes)
    expected = [
        [MIXTURE_RADIUS * math.cos(2 * math.pi * k / modes), MIXTURE_RADIUS * math.sin(2 * math.pi * k / modes)]
        for k in range(modes)
    ]
    torch.testing.assert_close(centres, torch.tensor(expected), rtol=0, atol=1e-5)


@pytest.mark.parametrize("modes", [2, 8, 64])
def test_no_two_centres_are_one(modes):
    distance = torch.pdist(mixture_centres(3, modes))
    assert distance.min() > 1e-3


def test_centres_are_zero_beyond_the_plane():
    assert not mixture_centres(5, 8)[:, 2:].any()


def test_centres_in_one_dimension_stand_evenly_on_a_line():
    torch.testing.assert_close(mixture_centres(1, 4)[:, 0], torch.tensor([-3.0, -1.0, 1.0, 3.0]))


def _island(z, dim, modes):
    return torch.cdist(z, mixture_centres(dim, modes)).argmin(1)


@pytest.mark.parametrize("modes", [2, 3, 8])
def test_islands_are_hit_evenly(modes):
    counts = torch.bincount(_island(_numbers("mixture", dim=2, modes=modes), 2, modes), minlength=modes) / N
    assert ((counts - 1 / modes).abs() < 4.5 * math.sqrt(1 / modes / N)).all()


@pytest.mark.parametrize("place", [0, 1])
def test_an_island_is_as_wide_as_stated(place):
    z = _numbers("mixture", dim=2)
    off = z - mixture_centres(2, 8)[_island(z, 2, 8)]
    assert off[:, place].std().item() == pytest.approx(MIXTURE_SIGMA, rel=0.02)


@pytest.mark.parametrize("modes", [2, 8, 25, 64])
@pytest.mark.parametrize("dim", [1, 2])
def test_islands_stand_apart(dim, modes):
    centres = mixture_centres(dim, modes)
    gap = (torch.cdist(centres, centres) + 100 * torch.eye(modes)).min().item()
    assert gap >= 6.99 * mixture_sigma(dim, modes)


@pytest.mark.parametrize("coins", [1, 3, 9])
def test_the_first_numbers_are_coins_and_the_others_are_not(coins):
    z = _numbers("coins", dim=5, modes=coins)
    assert (z[:, :coins].abs() == 1).all()
    assert not (z[:, coins:].abs() == 1).any()


def test_the_place_in_an_island_does_not_depend_on_which():
    """Component and place are drawn by one call; they must be independent all the same."""
    z = _numbers("mixture", dim=4)
    island = _island(z[:, :2], 2, 8)
    off = z - mixture_centres(4, 8)[island]
    means = torch.stack([off[island == k].mean(0) for k in range(8)])
    assert means.abs().max() < 4.5 / math.sqrt(N / 8)


def test_other_dimensions_of_the_mixture_are_standard_normal():
    share = (_numbers("mixture")[:, 2].abs() > 1.959964).float().mean().item()
    assert share == pytest.approx(0.05, abs=4.5 * math.sqrt(0.05 * 0.95 / N))


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_the_most_islands_leave_all_numbers_finite(dim):
    assert _numbers("mixture", dim=dim, modes=64).isfinite().all()


@pytest.mark.parametrize("name", LATENTS)
def test_entry_says_what_it_is(name):
    assert all([LATENTS[name].title, LATENTS[name].text, LATENTS[name].formula, LATENTS[name].source])


@pytest.mark.parametrize("name", [name for name, latent in LATENTS.items() if latent.project])
def test_what_can_be_drawn_stays_where_it_is(name):
    z = _numbers(name, n=100)
    assert torch.equal(LATENTS[name].project(z, 8), z)


def test_uniform_noise_is_put_back_to_the_nearest():
    assert LATENTS["uniform"].project(torch.tensor([[-3.0, 0.5, 1.5]]), 0).tolist() == [[-1, 0.5, 1]]


def test_coins_are_put_back_to_the_nearer_side():
    assert LATENTS["coins"].project(torch.tensor([[-0.2, 0.1, 0.3, -4.0]]), 2).tolist() == [pytest.approx([-1, 1, 0.3, -4])]
