"""The page of the list of runs."""

import pytest
from streamlit.proto.WidgetStates_pb2 import WidgetStates

from gan_core import GANConfig
from gan_core.frames import unpack
from ui.listed import KEY

TINY = GANConfig(dataset="ring8", width=8, batch_size=8, steps=20)
FILE = "pages/runs.py"


@pytest.fixture
def three(runner):
    """Three stopped runs, of which the newest has bad words in its name."""
    ids = [runner.store.create([config], name) for config, name in ((TINY, "amber"), (TINY.but(dataset="grid25"), "birch"))]
    ids.append(runner.store.create([TINY.but(loss="hinge")], "<img src=x onerror=alert(1)> [a](http://b)"))
    for run in ids:
        runner.store.update(run, status="stopped")
    return ids


def _names(test):
    return [row["name"] for view in test.get("bidi_component") if view.key == KEY for row in unpack(view.proto.bytes)[0]["rows"]]


def text(test):
    return " ".join(e.value for kind in ("markdown", "error", "warning", "subheader", "caption") for e in getattr(test, kind))


@pytest.mark.parametrize(
    ("link", "names"),
    [
        ({"q": "amber"}, ["amber"]),
        ({"data": "grid25"}, ["birch"]),
        ({"sort": "name", "q": "r"}, ["<img src=x onerror=alert(1)> [a](http://b)", "amber", "birch"]),
        ({"starred": "1"}, ["birch"]),
        ({"tag": "one"}, ["birch"]),
        ({"status": "finished"}, []),
    ],
)
def test_a_link_to_a_search_shows_it(opened, runner, three, link, names):
    runner.store.describe(three[1], tags=["one"], starred=True)
    assert _names(opened(FILE, arrived=link)) == names


def test_a_search_that_nothing_fits_can_be_cleared(opened, three):
    test = opened(FILE, arrived={"q": "nothing like it"})
    assert "No run fits this search." in text(test)
    next(button for button in test.button if button.label == "Clear the search").click().run()
    assert len(_names(test)) == 3
    assert not test.exception


def test_fields_of_before_that_are_reported_once_more_count_no_longer(opened, three):
    test = opened(FILE, arrived={"q": "nothing like it", "sort": "name"})
    fields = [state for state in test._tree.get_widget_states().widgets if not state.HasField("trigger_value")]
    next(button for button in test.button if button.label == "Clear the search").click().run()
    test._run(WidgetStates(widgets=fields))  # a browser says this that has not yet taken the old fields away
    assert _names(test)[-2:] == ["amber", "birch"]


def test_what_was_deleted_last_can_be_taken_back(opened, runner, three):
    runner.trash([three[2]])
    test = opened(FILE)
    assert _names(test) == ["birch", "amber"]
    assert r"“\<img src=x onerror=alert\(1\)\> \[a\]\(http\:" in test.button(key="undo").help
    test.button(key="undo").click().run()
    assert runner.store.lines(trashed=True) == []


def test_the_trash_is_emptied_only_after_a_question(opened, runner, three):
    runner.trash(three[:2])
    test = opened(FILE, arrived={"trash": "1"})
    assert _names(test) == ["birch", "amber"]
    test.button(key="empty").click().run()
    assert len(runner.store.lines(trashed=True)) == 2
    test.button(key="empty_yes").click().run()
    assert "The trash is empty" in text(test)
    assert [line.id for line in runner.store.lines()] == [three[2]]


def test_near_the_cap_the_page_says_what_to_do(opened, three, monkeypatch):
    monkeypatch.setenv("GAN_PLAYGROUND_DISK", "0.00001")
    assert "10.0 kB that they may" in text(opened(FILE)).replace("\\", "")


def test_a_setting_that_is_none_is_a_sentence(opened, three, monkeypatch):
    monkeypatch.setenv("GAN_PLAYGROUND_DISK", "much")
    test = opened(FILE)
    assert not test.exception
    assert "GAN_PLAYGROUND_DISK = much is not usable" in test.error[0].value.replace("\\", "")


def test_long_lists_come_in_pages(opened, runner):
    for k in range(51):
        runner.store.update(runner.store.create([TINY], f"run {k}"), status="stopped")
    test = opened(FILE)
    assert len(_names(test)) == 50
    next(button for button in test.button if button.label == "Next page").click().run()
    assert _names(test) == ["run 0"]


def test_a_run_in_the_trash_is_in_no_focus(opened, runner, three):
    runner.trash([three[0]])
    test = opened(FILE, focus=three[0])
    assert "lies in the trash" in text(test)
