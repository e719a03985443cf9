import pytest

from gan_core.session import Pacer


def test_a_pacer_is_due_at_once():
    assert Pacer(0.02, 0.4).due(0.0)


@pytest.mark.parametrize(("later", "due"), [(0.39, False), (0.41, True)])
def test_a_cheap_activity_comes_at_most_so_often(later, due):
    pacer = Pacer(0.02, 0.4)
    pacer.used(10.0, 10.001)
    assert pacer.due(10.001 + later) == due


@pytest.mark.parametrize(("later", "due"), [(99.0, False), (101.0, True)])
def test_a_dear_activity_waits_until_it_is_paid(later, due):
    """One second at a share of one per cent takes a hundred."""
    pacer = Pacer(0.01, 0.4)
    pacer.used(0.0, 1.0)
    pacer.used(10.0, 11.0)
    assert pacer.due(11.0 + later) == due


def test_the_first_time_is_not_counted():
    """It also pays for imports and caches."""
    pacer = Pacer(0.01, 0.4)
    pacer.used(10.0, 15.0)
    assert pacer.due(15.5)


def test_one_slow_time_among_cheap_ones_is_forgiven():
    pacer = Pacer(0.01, 0.4)
    pacer.used(0.0, 0.001)
    pacer.used(10.0, 15.0)
    assert pacer.due(15.5)


@pytest.mark.parametrize("cost", [0.001, 0.02, 0.5, 3.0])
def test_an_activity_of_steady_cost_keeps_its_share(cost):
    pacer, now, times = Pacer(0.05, 0.1), 0.0, 100
    pacer.used(now, now + cost)
    begun = now = now + cost
    for _ in range(times):
        while not pacer.due(now):
            now += 0.01
        pacer.used(now, now + cost)
        now += cost
    assert times * cost / (now - begun) < 0.05 * times / (times - 1)
