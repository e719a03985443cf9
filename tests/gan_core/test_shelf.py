import numpy as np
import pytest

from gan_core import RunError
from gan_core.shelf import NOTE, RUN_NAME, TAG, TAGS


@pytest.fixture
def run(store, tiny):
    run = store.create([tiny(loss="hinge")], "first")
    store.update(run, status="stopped", metrics={"held": [3.0]})
    return run


# What is said about a run


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ({"name": "  two  words "}, "two words"),
        ({"name": "x" * RUN_NAME}, "x" * RUN_NAME),
        ({"note": " one\n\ttwo \n"}, "one\n two"),
        ({"note": ""}, ""),
        ({"tags": ["b", " a  a ", "b"]}, ("b", "a a")),
        ({"tags": []}, ()),
        ({"starred": True}, True),
        ({"starred": False}, False),
    ],
)
def test_what_is_said_is_kept(store, run, said, kept):
    store.describe(run, note="before", tags=["before"], starred=True)
    store.describe(run, **said)
    (name,) = said
    assert getattr(store.get(run), name) == kept


@pytest.mark.parametrize("text", ["=1+1", "<img src=x onerror=alert(1)>", "[a](http://b)", "'; DROP TABLE runs; --", "größer 🙂"])
def test_any_text_that_can_be_printed_is_kept_as_it_is(store, run, text):
    store.describe(run, name=text, note=text)
    assert (store.get(run).name, store.get(run).note) == (text, text)


@pytest.mark.parametrize(
    "said",
    [
        {"name": " "},
        {"name": "x" * (RUN_NAME + 1)},
        {"name": "a\u202eb"},
        {"note": "x" * (NOTE + 1)},
        {"note": "a\x1b[2Jb"},
        {"tags": [""]},
        {"tags": ["x" * (TAG + 1)]},
        {"tags": ["a,b"]},
        {"tags": ["\u200bhidden"]},
        {"tags": [str(k) for k in range(TAGS + 1)]},
    ],
)
def test_what_cannot_be_kept_is_refused_and_changes_nothing(store, run, said):
    before = store.get(run)
    with pytest.raises(RunError, match=r"Choose another|Leave it out|Remove some"):
        store.describe(run, **said, starred=True)
    assert store.get(run) == before


def test_a_new_run_loses_the_marks_in_its_name_that_turn_text_around(store, tiny):
    assert store.get(store.create([tiny()], "abc\u202egnp")).name == "abc gnp"


def test_a_new_run_has_a_name_no_longer_than_one_that_is_given_later(store, tiny):
    assert len(store.get(store.create([tiny()], "x" * 1000)).name) == RUN_NAME


FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"  # one emoji of three people


def test_an_emoji_of_several_parts_stays_whole(store, tiny):
    run = store.create([tiny()], f"{FAMILY} at home")
    assert store.get(run).name == f"{FAMILY} at home"
    store.describe(run, name=f"{FAMILY} again", tags=[FAMILY])
    assert (store.get(run).name, store.get(run).tags) == (f"{FAMILY} again", (FAMILY,))


def test_a_name_of_joiners_alone_is_none(store, run):
    with pytest.raises(RunError, match="1 to 80 letters"):
        store.describe(run, name="\u200d \u200c")


# The trash


def test_a_run_in_the_trash_vanishes_from_all_lists(store, run, tiny):
    other = store.create([tiny()], pair="p")
    store.update(other, status="stopped")
    store.trash([other])
    assert [row.id for row in store.runs(kind=None)] == [line.id for line in store.lines()] == [run]
    assert store.pair("p") == []


def test_a_run_in_the_trash_is_listed_there(store, run):
    store.trash([run])
    assert [row.id for row in store.runs(trashed=True)] == [line.id for line in store.lines(trashed=True)] == [run]


def test_a_run_is_present_unless_it_is_in_the_trash(store, run):
    assert store.present(run) == store.get(run)
    store.trash([run])
    assert store.present(run) is store.present("123") is None


def test_a_restored_run_is_as_it_was(store, run):
    before = store.get(run)
    store.trash([run])
    store.restore([run])
    assert store.get(run) == before


def test_all_or_none_go_into_the_trash(store, run, tiny):
    live = store.create([tiny()])
    with pytest.raises(RunError, match="Stop it first"):
        store.trash([run, live])
    assert store.lines(trashed=True) == []


def test_a_run_in_the_trash_is_not_claimed(store, run):
    store.trash([run])
    assert not store.claim(run, "me", ("stopped",))


@pytest.mark.parametrize("act", ["resume", "fork"])
def test_a_run_in_the_trash_neither_goes_on_nor_is_forked(runner, store, run, act):
    store.trash([run])
    with pytest.raises(RunError, match="in the trash. Restore it first"):
        getattr(runner, act)(run)


def test_only_what_is_in_the_trash_is_deleted_for_good(runner, store, run):
    with pytest.raises(RunError, match="not in the trash"):
        runner.delete(run)
    store.trash([run])
    runner.delete(run)
    assert store.runs(trashed=None) == []


@pytest.mark.parametrize("act", ["trash", "restore", "delete"])
def test_what_does_not_exist_is_refused(runner, act):
    with pytest.raises(RunError, match="no run 123"):
        getattr(runner, act)("123" if act == "delete" else ["123"])


# Lines


def test_a_line_says_what_the_run_says(store, run):
    store.describe(run, note="n", tags=["t"], starred=True)
    (line,), row = store.lines(), store.get(run)
    for name in ("id", "name", "status", "kind", "created", "step", "steps", "metrics", "note", "tags", "starred", "verdict"):
        assert getattr(line, name) == getattr(row, name)
    assert (line.dataset, line.network, line.loss, line.members) == ("ring8", "mlp", "hinge", 1)


def test_a_line_counts_the_bytes_of_its_own_checkpoints(store, run, tiny):
    other = store.create([tiny()])
    store.save_checkpoint(run, {"step": 1, "configs": [], "cursors": {}, "tensors": {}})
    assert {line.id: line.bytes for line in store.lines()} == {run: store.checkpoint_path(run, 1).stat().st_size, other: 0}


def test_a_metric_of_a_line_is_the_mean_of_the_members_that_have_it(store, run):
    store.update(run, metrics={"held": [1.0, float("nan"), 4.0]})
    (line,) = store.lines()
    assert line.metric("held") == 2.5
    assert np.isnan(line.metric("kid"))


def test_a_run_of_another_version_has_a_line_so_that_it_can_be_deleted(store, run):
    with store._write() as db:
        db.execute("UPDATE runs SET configs = '[{\"future\": 1}]'")
    (line,) = store.lines()
    assert (line.id, line.dataset, line.loss) == (run, "", "")
    store.delete(run)
    assert store.lines() == []


# The verdict


@pytest.mark.parametrize(
    "change",
    [
        lambda store, run: store.update(run, status="interrupted"),
        lambda store, run: store.update(run, step=3),
        lambda store, run: store.report(run, step=3, rate=1.0, seconds=1.0, series={}),
        lambda store, run: store.set_values(run, 1, store.get(run).configs, {"lr_g": 0.5}),
        lambda store, run: store.claim(run, "me", ("stopped",)),
    ],
    ids=["status", "step", "report", "setting", "claim"],
)
def test_a_verdict_is_forgotten_when_the_run_goes_on_or_changes(store, run, change):
    store.update(run, verdict="healthy")
    change(store, run)
    assert store.get(run).verdict is None


def test_a_verdict_stays_when_something_is_said_about_the_run(store, run):
    store.update(run, verdict="healthy")
    store.describe(run, name="other")
    store.trash([run])
    assert store.get(run).verdict == "healthy"


def test_a_verdict_on_what_the_run_was_before_is_not_kept(store, run):
    before = store.get(run).updated
    store.update(run, step=5)
    store.keep_verdict(run, "healthy", before)
    assert store.get(run).verdict is None


def test_a_run_that_ends_keeps_its_verdict(runner, store, tiny):
    run = runner.start(tiny())
    assert runner.wait(run, 60)
    assert store.get(run).verdict == "learning"  # 20 steps are too early to tell


@pytest.mark.parametrize("members", [2, 3])
def test_several_members_have_no_verdict_as_a_whole(runner, store, tiny, members):
    run = runner.start([tiny(seed=k) for k in range(members)])
    assert runner.wait(run, 60)
    assert store.get(run).verdict == ""
