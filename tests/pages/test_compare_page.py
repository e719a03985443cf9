"""What the Compare page says where there is nothing to draw, and what it takes from its address."""

import numpy as np
import pytest

from gan_core import GANConfig
from gan_core.data import load
from gan_core.frames import real_frame, unpack
from ui import compare_message
from ui.latent.choice import read

PAGE = "pages/compare.py"


def text(test) -> str:
    words = " ".join(e.value for kind in ("markdown", "error", "warning", "subheader", "caption") for e in getattr(test, kind))
    return words.replace("\\", "")


@pytest.fixture
def made(runner):
    """Makes runs that have ended at once, and returns their ids."""

    def make(count: int, **changes) -> list[str]:
        ids = [runner.store.create([GANConfig(seed=k).but(**changes)], f"Run {k}") for k in range(count)]
        for run in ids:
            runner.store.update(run, status="stopped")
        return ids

    return make


def chosen(test) -> list[str]:
    return test.multiselect[0].value


def test_without_runs_it_says_what_would_stand_here(opened):
    test = opened(PAGE)
    assert "Nothing to compare yet" in text(test)
    assert chosen(test) == []


def test_one_run_is_not_enough(opened, made):
    (run, _) = made(2)
    test = opened(PAGE, compare=[run])
    assert not test.exception
    assert chosen(test) == [run]
    assert "Choose one more run" in text(test)


def test_what_the_runs_page_hands_over_counts_more_than_the_link(opened, made):
    ids = made(3)
    test = opened(PAGE, compare=ids[:2], arrived={"runs": ids[2]})
    assert chosen(test) == ids[:2]


def test_a_link_is_read_once_and_followed_from_then_on(opened, made):
    ids = made(3)
    test = opened(PAGE, arrived={"runs": ",".join(ids[:2]), "smooth": "0.5", "scale": "log"})
    assert (chosen(test), test.slider[0].value) == (ids[:2], 0.5)
    test.multiselect[0].set_value(ids).run()
    assert test.query_params["runs"] == ",".join(ids)
    assert test.query_params["scale"] == "log"


@pytest.mark.parametrize("nonsense", ["nowhere", "../../etc", "<script>alert(1)</script>", "=1+1", ",,,"])
def test_what_is_no_run_is_named_and_left_out(opened, made, nonsense):
    ids = made(2)
    test = opened(PAGE, arrived={"runs": f"{ids[0]},{nonsense},{ids[1]}", "y": "nothing", "smooth": "7", "x": "miles"})
    assert not test.exception
    assert chosen(test) == ids
    if nonsense.strip(","):
        assert f"There is no run {nonsense}" in text(test)
    for words in ("“nothing” is no curve", "7.0 is out of range", "“miles” is unknown"):
        assert words in text(test)


def test_of_more_than_eight_the_first_eight_are_shown(opened, made):
    ids = made(10)
    test = opened(PAGE, arrived={"runs": ",".join(ids)})
    assert chosen(test) == ids[:8]
    assert "10 runs are too many" in text(test)


def test_runs_with_the_same_name_and_minute_are_told_apart(opened, made):
    one, two = made(1) + made(1)
    options = opened(PAGE).multiselect[0].options
    assert len(options) == len(set(options)) == 2
    assert {option[-6:] for option in options} == {one[-6:], two[-6:]}


# The message


def told(runner, ids, **query):
    runs = [runner.store.get(run) for run in ids]
    values, wrong = read(query, compare_message.FIELDS)
    assert wrong == []
    return unpack(compare_message.message(runner, runs, values))


def with_losses(runner, run, values) -> None:
    """A run whose generator's loss had some values, at steps 1, 2, …"""
    rows = [(k + 1, np.full((7, 1), v, np.float32)) for k, v in enumerate(values)]
    runner.store.report(run, step=len(rows), rate=0, seconds=10, series={"train": rows})


def test_seeds_together_are_one_line_with_their_mean_and_range(runner, made):
    ids = made(2) + made(1, lr_g=0.5)
    for run, value in zip(ids, (1.0, 3.0, 7.0), strict=True):
        with_losses(runner, run, [value] * 4)
    header, arrays = told(runner, ids, seeds="range", y="loss_g")
    assert [(e["run"], e["n"]) for e in header["legend"]] == [(0, 2), (2, 1)]
    assert [arrays[f"{part}0_0"].tolist() for part in ("y", "low", "high", "count")] == [[2] * 4, [1] * 4, [3] * 4, [2] * 4]
    assert arrays["y0_1"].tolist() == [7] * 4


@pytest.mark.parametrize(("values", "log"), [([1.0, 2.0], True), ([1.0, 0.0], False), ([1.0, -2.0], False)])
def test_a_logarithm_of_what_has_none_is_refused_in_words(runner, made, values, log):
    ids = made(2)
    for run in ids:
        with_losses(runner, run, values)
    (chart,) = told(runner, ids, scale="log", y="loss_g")[0]["charts"]
    assert (chart["log"], bool(chart["note"])) == (log, not log)


def test_times_without_a_record_are_even_and_said_to_be(runner, made):
    ids = made(2)
    with_losses(runner, ids[0], [1.0] * 5)
    header, arrays = told(runner, ids, x="time", y="loss_g")
    assert arrays["x0_0"].tolist() == [2, 4, 6, 8, 10]
    assert "“Run 0” was taken is not on record" in header["caption"]


def test_pictures_that_the_asker_has_are_left_out(runner, made):
    ids = made(2)
    for run in ids:
        runner.store.report(run, step=1, rate=0, seconds=1, series={}, frame=real_frame(load(GANConfig().source)))
    runs = [runner.store.get(run) for run in ids]
    values, _ = read({}, compare_message.FIELDS)
    known = compare_message.version(runner, runs)
    runner.store.update(ids[1], message="changed")
    runs = [runner.store.get(run) for run in ids]
    arrays = unpack(compare_message.message(runner, runs, values, known))[1]
    assert [name for name in arrays if name.startswith("frame")] == ["frame1"]
