"""Searches in threads of their own: one for each tab, ended by whoever asks for another, forgotten at no cost."""

import sqlite3
import time
from types import SimpleNamespace

import pytest
import torch

from gan_core import RunError
from gan_core.explorer import Inversion
from ui.latent import searches
from ui.latent.searches import MOST, Gentle, Searches

FOUND = Inversion(torch.zeros(1), torch.zeros(2), None, 0.0, torch.zeros(1, 1), torch.zeros(1), 1)


def until(condition) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end, "what was waited for did not happen"
        time.sleep(0.005)


@pytest.fixture
def every():
    every = Searches()
    yield every
    every.shutdown()


def at_once(progress, stop) -> Inversion:
    progress(1.0, 0.5)
    return FOUND


def endless(progress, stop) -> Inversion:
    while not stop():
        progress(0.1, 1.0)
        time.sleep(0.002)
    return FOUND


def test_a_search_finds(every):
    search = every.start("tab", "key", at_once)
    until(lambda: not search.is_live)
    assert (search.state, search.found, search.course) == ("done", FOUND, [0.5])
    assert every.get("tab", "key") is search


def test_a_stopped_search_keeps_what_it_has(every):
    search = every.start("tab", "key", endless)
    until(lambda: search.course)
    search.stop()
    until(lambda: not search.is_live)
    assert (search.state, search.found) == ("stopped", FOUND)


def test_another_search_of_the_tab_ends_the_first_and_that_of_another_tab_does_not(every):
    mine, other = every.start("mine", "one", endless), every.start("other", "one", endless)
    until(lambda: mine.course and other.course)
    every.start("mine", "two", at_once)
    until(lambda: not mine.is_live)
    assert other.is_live


def test_asking_for_something_else_ends_a_search(every):
    search = every.start("tab", "one", endless)
    assert every.get("tab", "two") is None
    until(lambda: not search.is_live)
    assert every.get("tab", "one") is None


def test_a_search_that_waits_is_stopped_before_it_begins(every):
    running = [every.start(f"tab {k}", "key", endless) for k in range(searches.AT_ONCE)]
    waiting = every.start("last", "key", at_once)
    assert waiting.state == "waiting"
    waiting.stop()
    for search in running:
        search.stop()
    until(lambda: not waiting.is_live)
    assert (waiting.state, waiting.found) == ("stopped", None)


def test_a_search_that_nobody_looks_at_ends(every, monkeypatch):
    monkeypatch.setattr(searches, "PATIENCE", 0.1)
    search = every.start("tab", "key", endless)
    until(lambda: search.state == "stopped")


def test_too_many_searches_are_refused_with_a_sentence_and_those_that_ended_make_room(every):
    going = [every.start(f"tab {k}", "key", endless) for k in range(MOST)]
    with pytest.raises(RunError, match="under way"):
        every.start("one more", "key", at_once)
    going[0].stop()
    until(lambda: not going[0].is_live)
    assert every.start("one more", "key", at_once).key == "key"
    assert every.get("tab 0", "key") is None


@pytest.mark.parametrize(
    ("error", "words"), [(RunError("No such class."), "No such class."), (RuntimeError("no memory"), "no mem")]
)
def test_what_goes_wrong_is_a_sentence(every, error, words):
    def work(progress, stop):
        raise error

    search = every.start("tab", "key", work)
    until(lambda: not search.is_live)
    assert search.state == "failed"
    assert words in search.problem


def test_all_end_with_the_server():
    every = Searches()
    going = [every.start(f"tab {k}", "key", endless) for k in range(4)]
    every.shutdown()
    assert not any(search.is_live for search in going)


@pytest.mark.parametrize(
    ("trains", "step", "rests"), [(False, 0.01, []), (True, 0.01, [0.02]), (True, 5.0, [searches.LONGEST_REST])]
)
def test_a_search_rests_twice_as_long_as_a_step_took_while_a_run_trains(monkeypatch, trains, step, rests):
    clock, slept = iter([100.0, 100.0 + step, 200.0]), []
    monkeypatch.setattr(searches, "time", SimpleNamespace(perf_counter=lambda: next(clock), sleep=slept.append))
    Gentle(lambda: trains).rest()
    assert slept == pytest.approx(rests)


def test_a_store_that_cannot_be_read_does_not_end_a_search():
    def trains() -> bool:
        raise sqlite3.OperationalError("disk I/O error")

    assert Gentle(trains).rest() is None
