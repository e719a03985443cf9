import math
from dataclasses import replace

import pytest

from gan_core.listing import SORTS, Wanted, pick
from gan_core.shelf import Line

PLAIN = Line(
    "0", "plain", "finished", "run", 0.0, 0.0, 10, 10, 1.0, {}, "", (), False, None, "", "ring8", "mlp", "hinge", "none", 1, 0
)


def _ids(lines, **wanted):
    return [line.id for line in pick(lines, Wanted(**wanted))]


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "A Needle here"},
        {"note": "some needle"},
        {"tags": ("other", "needle")},
        {"id": "needle"},
    ],
)
def test_a_search_looks_at_what_is_said(changes):
    assert len(pick([PLAIN, replace(PLAIN, **changes)], Wanted(text="NEEDLE"))) == 1


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"dataset": "grid25"}, "grid25"),
        ({"network": "dcgan"}, "dcgan"),
        ({"loss": "wasserstein"}, "wasserstein"),
        ({"penalty": "wgan_gp"}, "wgan_gp"),
        ({"status": "interrupted"}, "interrupted"),
        ({"verdict": "partial_collapse"}, "partial collapse"),
    ],
)
def test_a_search_looks_at_the_recipe_the_status_and_the_verdict(changes, text):
    assert len(pick([PLAIN, replace(PLAIN, **changes)], Wanted(text=text))) == 1


def test_all_words_of_a_search_must_occur():
    lines = [replace(PLAIN, id=name, name=name) for name in ("amber one", "amber two", "birch one")]
    assert _ids(lines, text=" one  amber ") == ["amber one"]


def test_what_looks_like_a_pattern_is_text():
    lines = [replace(PLAIN, id="a", name="50% (.*)"), replace(PLAIN, id="b")]
    assert _ids(lines, text="(.*)") == ["a"]


@pytest.mark.parametrize(
    ("wanted", "changes"),
    [
        ({"status": "failed"}, {"status": "failed"}),
        ({"data": "grid25"}, {"dataset": "grid25"}),
        ({"tag": "one"}, {"tags": ("one", "two")}),
        ({"starred": True}, {"starred": True}),
    ],
)
def test_a_filter_leaves_the_others_out(wanted, changes):
    assert _ids([PLAIN, replace(PLAIN, id="it", **changes)], **wanted) == ["it"]


@pytest.mark.parametrize(
    ("sort", "low", "high"),
    [
        ("newest", {"created": 2.0}, {"created": 1.0}),
        ("oldest", {"created": 1.0}, {"created": 2.0}),
        ("name", {"name": "amber"}, {"name": "Birch"}),
        ("longest", {"seconds": 9.0}, {"seconds": 2.0}),
        ("held", {"metrics": {"held": [8.0]}}, {"metrics": {"held": [2.0]}}),
        ("quality", {"metrics": {"high_quality": [0.9]}}, {"metrics": {"high_quality": [0.1]}}),
        ("distance", {"metrics": {"sliced_wasserstein": [0.1]}}, {"metrics": {"sliced_wasserstein": [0.9]}}),
        ("disk", {"bytes": 100}, {"bytes": 5}),
    ],
)
def test_an_order(sort, low, high):
    lines = [replace(PLAIN, id="second", **high), replace(PLAIN, id="first", **low)]
    assert _ids(lines, sort=sort) == ["first", "second"]


@pytest.mark.parametrize("sort", SORTS)
def test_every_order_keeps_all_and_puts_what_was_not_measured_last(sort):
    measured = {name: [1.0] for name in ("held", "high_quality", "sliced_wasserstein")}
    unknown = {name: [math.nan] for name in measured}
    lines = [replace(PLAIN, id="a"), replace(PLAIN, id="b", metrics=unknown), replace(PLAIN, id="c", metrics=measured)]
    found = _ids(lines, sort=sort)
    assert sorted(found) == ["a", "b", "c"]
    assert found == (["c", "a", "b"] if sort in ("held", "quality", "distance") else ["a", "b", "c"])
