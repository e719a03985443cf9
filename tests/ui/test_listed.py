import csv
import io
from dataclasses import replace

import pytest

from gan_core import GANConfig, RunStore
from gan_core.shelf import Line
from ui import listed
from ui.latent.choice import read
from ui.shelf import FIELDS, wanted

LINE = Line(
    "0", "plain", "finished", "run", 0.0, 0.0, 10, 10, 1.0, {}, "", (), False, None, "", "ring8", "mlp", "hinge", "none", 1, 0
)


def _csv(*lines):
    return list(csv.DictReader(io.StringIO(listed.table_csv(lines))))


@pytest.mark.parametrize("text", ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "＝1+1"])
@pytest.mark.parametrize("field", ["name", "note", "tags"])
def test_no_text_is_a_formula_in_the_csv(text, field):
    (row,) = _csv(replace(LINE, **{field: (text,) if field == "tags" else text}))
    assert row[field] == f"'{text}"


def test_other_texts_stand_in_the_csv_as_they_are():
    (row,) = _csv(replace(LINE, name='<b>"two"\nlines</b>, a=b'))
    assert row["name"] == '<b>"two"\nlines</b>, a=b'


def test_negative_numbers_stay_numbers_in_the_csv():
    (row,) = _csv(replace(LINE, metrics={"kid": [-0.5]}))
    assert row["kid"] == "-0.5"


def test_what_one_run_has_and_another_not_is_empty_in_the_csv():
    one, two = _csv(replace(LINE, metrics={"held": [3.0]}), LINE)
    assert (one["held"], two["held"]) == ("3", "")


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "hinge"),
        ({"network": "dcgan"}, "hinge"),
        ({"network": "resnet"}, "resnet, hinge"),
        ({"penalty": "r1"}, "hinge + r1"),
        ({"members": 4}, "hinge, 4 members"),
        ({"network": "pixelcnn"}, "pixelcnn"),
        ({"network": "of another version"}, "of another version, hinge"),
        ({"kind": "map"}, "map"),
    ],
)
def test_a_recipe_in_words(changes, text):
    assert listed.recipe(replace(LINE, **changes)) == text


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, ""),
        ({"metrics": {"js": [0.5], "held": [8.0]}}, "8 modes held"),
        ({"metrics": {"held": [1.0]}}, "1 mode held"),
        ({"metrics": {"held": [8.0, 4.0]}, "members": 2}, "6 modes held (mean)"),
        ({"metrics": {"of another version": [1.0]}}, "1 of another version"),
        ({"metrics": {"held": [float("nan")], "diversity": [0.5]}}, "0.5 diversity"),  # a judge may still have to learn
    ],
)
def test_what_was_measured_in_words(changes, text):
    assert listed.measured(replace(LINE, **changes)) == text


def test_a_verdict_that_is_not_known_is_found_out_and_kept(tmp_path):
    store = RunStore(tmp_path)
    run = store.create([GANConfig(steps=20)])
    store.update(run, status="stopped")
    assert listed.verdicts(store, store.lines()) == ["learning"]
    assert store.get(run).verdict == "learning"


def test_a_verdict_on_a_live_run_is_not_kept(tmp_path):
    store = RunStore(tmp_path)
    run = store.create([GANConfig(steps=20)])
    assert listed.verdicts(store, store.lines()) == ["learning"]
    assert store.get(run).verdict is None


@pytest.mark.parametrize(
    ("name", "text"), [("sort", "none"), ("status", "good"), ("page", "0"), ("page", "x"), ("starred", "yes"), ("trash", "2")]
)
def test_what_the_address_cannot_mean_is_the_default(name, text):
    assert read({name: text}, FIELDS)[0][name] == FIELDS[name].default


def test_values_mean_what_is_wanted():
    values = {name: field.default for name, field in FIELDS.items()} | {"q": "a", "starred": True, "sort": "disk"}
    found = wanted(values)
    assert (found.text, found.status, found.starred, found.sort) == ("a", "", True, "disk")
