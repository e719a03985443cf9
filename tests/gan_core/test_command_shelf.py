import json

import pytest

from gan_core import RunStore
from gan_core.__main__ import main


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "runs"


@pytest.fixture
def call(folder, capsys):
    """Runs a command with --json: (exit code, its object, what stands on standard error)."""

    def run(*args):
        code = main([*args, "--runs", str(folder), "--json"])
        out = capsys.readouterr()
        return code, json.loads(out.out) if out.out else None, out.err

    return run


@pytest.fixture
def ids(folder, tiny):
    """Two stopped runs, the older one first."""
    store = RunStore(folder)
    made = [store.create([tiny()], name) for name in ("amber", "birch")]
    for run in made:
        store.update(run, status="stopped")
    return made


def _listed(call, *args):
    return [row["run"] for row in call("runs", *args)[1]["runs"]]


@pytest.mark.parametrize(
    ("args", "field", "value"),
    [
        (("rename", "RUN", "other"), "name", "other"),
        (("note", "RUN", "two\nlines"), "note", "two\nlines"),
        (("tag", "RUN", "one", "two"), "tags", ["one", "two"]),
        (("star", "RUN"), "starred", True),
    ],
)
def test_what_is_said_is_printed_and_listed(call, ids, args, field, value):
    code, found, _ = call(*(ids[0] if arg == "RUN" else arg for arg in args))
    assert (code, found[field]) == (0, value)
    assert call("runs")[1]["runs"][1][field] == value


def test_a_tag_and_a_star_are_taken_away(call, ids):
    call("tag", ids[0], "one", "two")
    call("star", ids[0])
    assert call("tag", ids[0], "--remove", "one")[1]["tags"] == ["two"]
    assert call("star", ids[0], "--off")[1]["starred"] is False


@pytest.mark.parametrize("args", [("--search", "AMB"), ("--tag", "one"), ("--starred",)])
def test_runs_can_be_asked_for(call, ids, args):
    call("tag", ids[0], "one")
    call("star", ids[0])
    assert _listed(call, *args) == [ids[0]]


def test_the_way_through_the_trash(call, ids):
    assert call("trash", *ids)[:2] == (0, {"trashed": ids})
    assert _listed(call) == []
    assert call("restore", ids[0])[:2] == (0, {"restored": [ids[0]]})
    assert (_listed(call), _listed(call, "--trash")) == ([ids[0]], [ids[1]])
    assert call("delete", ids[1])[:2] == (0, {"deleted": [ids[1]]})
    assert _listed(call, "--trash") == []


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (("rename", "RUN", " "), "has 1 to 80 letters"),
        (("tag", "RUN", "a,b"), "holds a comma"),
        (("tag", "RUN", "--remove", "none"), "has no tag none"),
        (("delete", "RUN"), "not in the trash"),
        (("star", "123"), "There is no run 123"),
    ],
)
def test_a_mistake_is_one_line_on_standard_error(call, ids, args, sentence):
    code, found, said = call(*(ids[0] if arg == "RUN" else arg for arg in args))
    assert (code, found) == (1, None)
    assert sentence in said
    assert len(said.strip().splitlines()) == 1


def test_no_name_commands_the_terminal(folder, ids, capsys):
    store = RunStore(folder)
    store.update(ids[0], name="red\x1b[31m\u202e")  # as an older version may have kept it
    main(["runs", "--runs", str(folder)])
    assert not {"\x1b", "\u202e"} & set(capsys.readouterr().out)
