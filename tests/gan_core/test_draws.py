import pytest
import torch

from gan_core.draws import CHUNK_BATCHES, Draws, seeded

KINDS = {
    "normal": lambda draws, *shape: draws.normal(*shape),
    "uniform": lambda draws, *shape: draws.uniform(*shape),
    "integers": lambda draws, *shape: draws.integers(1000, *shape),
}


def _take(draws, count, kind="normal", shape=(3, 2)):
    return torch.stack([KINDS[kind](draws, *shape).clone() for _ in range(count)])


@pytest.mark.parametrize("kind", KINDS)
def test_member_axis_comes_first(kind):
    assert KINDS[kind](Draws([1, 2, 3, 4], "x"), 5, 2).shape == (4, 5, 2)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_and_purpose_give_the_same_numbers(kind):
    one, two = (_take(Draws([7], "x"), 100, kind) for _ in range(2))
    assert torch.equal(one, two)


@pytest.mark.parametrize("kind", KINDS)
def test_another_purpose_gives_other_numbers(kind):
    one, two = (_take(Draws([7], purpose), 5, kind) for purpose in ("data", "latent"))
    assert not torch.equal(one, two)


@pytest.mark.parametrize("kind", KINDS)
def test_a_member_draws_what_it_would_draw_alone(kind):
    together = _take(Draws([7, 8, 9], "x"), 100, kind)
    alone = _take(Draws([8], "x"), 100, kind)
    assert torch.equal(together[:, 1], alone[:, 0])


@pytest.mark.parametrize("kind", KINDS)
def test_no_batch_comes_twice(kind):
    batches = _take(Draws([7], "x"), 2 * CHUNK_BATCHES + 10, kind).flatten(1)
    assert len(batches.unique(dim=0)) == len(batches)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("taken", [0, 1, 37, CHUNK_BATCHES, CHUNK_BATCHES + 1, 200])
def test_a_loaded_stream_goes_on_exactly(kind, taken):
    draws = Draws([7, 8], "x")
    if taken:
        _take(draws, taken, kind)
    states, cursor = draws.state()
    expected = _take(draws, 100, kind)
    again = Draws([0, 0], "x")
    again.load(states, cursor)
    assert torch.equal(_take(again, 100, kind), expected)


def test_taking_the_state_moves_nothing():
    looked, left = Draws([7], "x"), Draws([7], "x")
    for _ in range(100):
        looked.state()
        assert torch.equal(looked.normal(4), left.normal(4))


def test_batches_larger_than_a_chunk_can_be_drawn():
    assert Draws([7], "x").normal(300, 300).shape == (1, 300, 300)


def test_normal_numbers_are_standard_normal():
    x = _take(Draws([3], "x"), 64, shape=(40, 40)).flatten()
    n = len(x)
    assert x.mean().item() == pytest.approx(0, abs=5 / n**0.5)
    assert x.std().item() == pytest.approx(1, abs=5 / (2 * n) ** 0.5)


def test_uniform_numbers_lie_in_zero_to_one():
    x = _take(Draws([3], "x"), 64, "uniform", (40, 40)).flatten()
    assert x.min() >= 0
    assert x.max() < 1
    assert x.mean().item() == pytest.approx(0.5, abs=5 / (12 * len(x)) ** 0.5)


def test_integers_reach_both_ends():
    x = torch.stack([Draws([3], "x").integers(5, 1000)])
    assert x.unique().tolist() == [0, 1, 2, 3, 4]


def test_seeded_gives_generators_that_do_not_share_a_state():
    one, two = seeded(1, "x"), seeded(1, "x")
    first = torch.rand(3, generator=one)
    assert torch.equal(torch.rand(3, generator=two), first)


@pytest.mark.parametrize("seed", [0, 2**31 - 1])
def test_the_ends_of_the_seeds_range_work(seed):
    assert Draws([seed], "x").normal(2).isfinite().all()
