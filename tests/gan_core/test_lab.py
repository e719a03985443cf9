import json
import math
from math import comb

import pytest

from gan_core import CURES, PROBLEMS, Trainer, lab
from gan_core.lab import LAB_CURES, MAPS, Rate, arms, chance, difference, measured, rate
from gan_core.trainer import check_members

PAIRS = [(problem, cure) for problem in PROBLEMS for cure in LAB_CURES if arms(problem, cure)]


# Problems and pairs


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_problem_has_title_and_text(name):
    assert PROBLEMS[name].title
    assert PROBLEMS[name].text.endswith(".")


def test_the_labs_cures_exist():
    assert set(LAB_CURES) <= CURES.keys()


@pytest.mark.parametrize("problem", PROBLEMS)
def test_every_problem_can_be_treated_with_most_cures(problem):
    assert len([cure for cure in LAB_CURES if arms(problem, cure)]) >= len(LAB_CURES) - 1


@pytest.mark.parametrize(("problem", "cure"), PAIRS)
def test_the_first_arm_is_the_problem_untreated(problem, cure):
    assert arms(problem, cure)[0] == PROBLEMS[problem].config


@pytest.mark.parametrize(("problem", "cure"), PAIRS)
def test_arms_differ_in_what_the_difference_says_and_in_nothing_else(problem, cure):
    one, two = arms(problem, cure)
    found = difference(one, two)
    assert found
    assert one.but(**{name: after for name, (_, after) in found.items()}) == two
    assert two.but(**{name: before for name, (before, _) in found.items()}) == one


@pytest.mark.parametrize(("problem", "cure"), PAIRS)
def test_arms_share_seed_length_and_data(problem, cure):
    one, two = arms(problem, cure)
    assert (one.seed, one.steps, one.source) == (two.seed, two.steps, two.source)


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize(("problem", "cure"), PAIRS)
def test_both_arms_train(problem, cure, side):
    config = arms(problem, cure)[side].but(width=8)
    assert Trainer(config).train(2).sample(4).isfinite().all()


@pytest.mark.parametrize(("problem", "cure"), PAIRS)
def test_the_seeds_of_an_arm_can_be_members_of_one_trainer(problem, cure):
    assert {check_members([config.but(seed=seed) for seed in range(20)]) for config in arms(problem, cure)} == {None}


def test_a_cure_that_means_nothing_makes_no_arms(monkeypatch):
    cured = PROBLEMS["ring"].config.but(pack=2)
    monkeypatch.setitem(PROBLEMS, "cured", lab.Problem("", "", cured))
    assert arms("cured", "pacgan") is None


def test_a_difference_leaves_the_seed_out():
    config = PROBLEMS["ring"].config
    assert difference(config, config.but(seed=9, lr_g=0.5)) == {"lr_g": (config.lr_g, 0.5)}


# Maps


@pytest.mark.parametrize("name", MAPS)
def test_a_map_has_a_title_and_trains_every_cell_once(name):
    title, spec = MAPS[name]
    assert title
    assert sorted(cell for chunk in spec.chunks() for cell in chunk) == list(range(len(spec)))


@pytest.mark.parametrize("name", MAPS)
def test_the_chunks_of_a_map_fit_into_trainers(name):
    _, spec = MAPS[name]
    assert {check_members([spec.config(cell) for cell in chunk]) for chunk in spec.chunks()} == {None}


@pytest.mark.parametrize("name", MAPS)
def test_the_first_seed_of_a_map_is_trained_first(name):
    _, spec = MAPS[name]
    first = {cell for chunk in spec.chunks() if spec.place(chunk[0])[2] == 0 for cell in chunk}
    assert {spec.place(cell)[:2] for cell in first} == {
        (row, column) for row in range(len(spec.y.values)) for column in range(len(spec.x.values))
    }


@pytest.mark.parametrize("name", MAPS)
def test_the_corners_of_a_map_can_be_trained(name):
    _, spec = MAPS[name]
    columns, last = len(spec.x.values), len(spec) // spec.seeds - 1
    for place in (0, columns - 1, last - columns + 1, last):
        config = spec.config(place * spec.seeds).but(batch_size=8, width=8)
        assert Trainer(config).train(2).sample(4).isfinite().all()


# Rates


def _wilson(k, n):
    """Wilson 1927, with the normal distribution's 97.5 % point."""
    z = 1.959963984540054
    p = k / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return centre - half, centre + half


@pytest.mark.parametrize(("k", "n"), [(0, 1), (1, 1), (0, 10), (3, 10), (10, 10), (7, 20), (1, 100), (50, 100)])
def test_the_interval_of_a_rate_is_wilsons(k, n):
    found = rate([True] * k + [False] * (n - k))
    assert (found.successes, found.n) == (k, n)
    assert (found.low, found.high) == pytest.approx(_wilson(k, n), abs=1e-9)


def test_nothing_is_known_without_trials():
    assert rate([]) == Rate(0, 0, 0.0, 1.0)


@pytest.mark.parametrize(("k", "n", "share"), [(0, 0, 0.0), (1, 4, 0.25), (3, 3, 1.0)])
def test_the_share_of_a_rate(k, n, share):
    assert Rate(k, n, 0, 1).share == share


def _fisher(a, n, b, m):
    """Sum of the hypergeometric probabilities that are not larger than the one observed."""
    total = comb(n + m, a + b)
    each = [comb(n, k) * comb(m, a + b - k) for k in range(max(0, a + b - m), min(n, a + b) + 1)]
    observed = comb(n, a) * comb(m, b)
    return sum(count for count in each if count <= observed) / total


@pytest.mark.parametrize(
    ("a", "n", "b", "m"), [(0, 10, 10, 10), (2, 10, 9, 10), (5, 10, 5, 10), (3, 20, 8, 12), (0, 1, 1, 1), (7, 7, 0, 3)]
)
def test_a_chance_is_fishers(a, n, b, m):
    assert chance(Rate(a, n, 0, 1), Rate(b, m, 0, 1)) == pytest.approx(_fisher(a, n, b, m), rel=1e-6)


@pytest.mark.parametrize("n", [0, 5])
def test_nothing_can_be_said_against_no_trials(n):
    assert chance(Rate(0, 0, 0, 1), Rate(n, n, 0, 1)) == 1.0


# What was measured


@pytest.fixture
def file(tmp_path, monkeypatch):
    path = tmp_path / "measured.json"
    monkeypatch.setattr(lab, "MEASURED", path)
    measured.cache_clear()
    yield path
    measured.cache_clear()


def test_nothing_was_measured_where_there_is_no_file(file):
    assert measured() == {}


@pytest.mark.parametrize("content", [b"", b"{", b"no json", b"\xff\xfe\x00"])
def test_a_broken_file_is_as_none(file, content):
    file.write_bytes(content)
    assert measured() == {}


def test_what_was_measured_is_read(file):
    file.write_text(json.dumps({"seeds": 20, "pairs": {"ring/ttur": {"n": 20}}}), encoding="utf-8")
    assert measured()["pairs"]["ring/ttur"]["n"] == 20
