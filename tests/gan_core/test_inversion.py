"""Descent from many starts, on functions whose minima are known."""

import pytest
import torch

from gan_core.inversion import descend

STARTS = torch.tensor([[3.0, -2.0], [-1.0, 0.5], [0.1, 0.2]])


def _bowl(z):
    return (z - 1).square().sum(1)


def test_every_start_finds_the_bottom_of_a_bowl():
    found, least, _ = descend(_bowl, STARTS, 200, 0.1)
    torch.testing.assert_close(found, torch.ones_like(STARTS), atol=1e-2, rtol=0)
    torch.testing.assert_close(least, _bowl(found))


def test_starts_do_not_mix():
    alone = torch.cat([descend(_bowl, STARTS[k : k + 1], 20, 0.1)[0] for k in range(len(STARTS))])
    torch.testing.assert_close(descend(_bowl, STARTS, 20, 0.1)[0], alone)


def test_each_start_finds_the_valley_that_it_is_in():
    found, _, _ = descend(lambda z: (z.square() - 1).square().sum(1), torch.tensor([[-0.8], [0.7]]), 200, 0.02)
    torch.testing.assert_close(found, torch.tensor([[-1.0], [1.0]]), atol=1e-2, rtol=0)


def test_the_best_that_was_passed_is_kept():
    """A rate so large that it leaves the minimum at which it starts."""
    found, least, _ = descend(lambda z: z.abs().sum(1).sqrt(), torch.full((1, 1), 1e-12), 5, 10.0)
    assert (float(found), float(least)) == (pytest.approx(1e-12), pytest.approx(1e-6))


def test_without_steps_the_starts_come_back_with_their_measures():
    found, least, taken = descend(_bowl, STARTS, 0, 0.1)
    assert torch.equal(found, STARTS) and torch.equal(least, _bowl(STARTS)) and taken == 0


def test_the_starts_are_left_as_they_are():
    starts = STARTS.clone()
    descend(_bowl, starts, 3, 0.1)
    assert torch.equal(starts, STARTS)


def test_progress_goes_evenly_to_one():
    shares = []
    descend(_bowl, STARTS, 4, 0.1, progress=lambda share, best: shares.append(share))
    assert shares == [0.25, 0.5, 0.75, 1.0]


def test_the_best_never_grows():
    told = []
    descend(lambda z: torch.sin(9 * z).sum(1), STARTS, 30, 0.3, progress=lambda share, best: told.append(best))
    assert told == sorted(told, reverse=True)


def test_it_stops_when_it_is_told_to():
    told = []
    _, _, taken = descend(_bowl, STARTS, 100, 0.1, progress=lambda share, best: told.append(share), stop=lambda: len(told) == 3)
    assert taken == len(told) == 3


def test_what_may_not_be_is_put_back():
    found, _, _ = descend(_bowl, STARTS.clamp(-0.5, 0.5), 100, 0.1, project=lambda z: z.clamp(-0.5, 0.5))
    torch.testing.assert_close(found, torch.full_like(STARTS, 0.5))


def test_a_measure_that_is_no_number_does_not_count():
    found, least, _ = descend(lambda z: z.sum(1).log(), torch.tensor([[1.0]]), 30, 0.5)
    assert torch.isfinite(least).all() and float(found) > 0
