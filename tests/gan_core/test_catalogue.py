import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gan_core.__main__ import main
from gan_core.catalogue import PARTS, REGISTRIES, catalogue
from gan_core.config import METAS, GANConfig

ROOT = Path(__file__).resolve().parents[2]
CATALOGUE = catalogue()
ENTRIES = [(section, k) for section in CATALOGUE for k in range(len(CATALOGUE[section]))]
IDS = [f"{section}: {CATALOGUE[section][k]['name']}" for section, k in ENTRIES]
NOTHING = ("none", "constant")  # what nobody invented

each = pytest.mark.parametrize(("section", "k"), ENTRIES, ids=IDS)


@pytest.fixture(scope="module")
def text():
    return subprocess.run(
        [sys.executable, "-m", "gan_core", "catalogue"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.parametrize("part", ["title", "text", "use", "cost"])
@each
def test_entry_says(section, k, part):
    assert CATALOGUE[section][k][part].strip()


@each
def test_entry_names_its_source(section, k):
    entry = CATALOGUE[section][k]
    assert entry["source"].strip() or entry["name"] in NOTHING


@each
def test_sentences_end_with_a_full_stop(section, k):
    entry = CATALOGUE[section][k]
    assert [part for part in ("text", "use", "cost") if not entry[part].rstrip().endswith((".", ")"))] == []


@each
def test_entry_can_be_chosen_by_its_field_and_name(section, k):
    entry = CATALOGUE[section][k]
    choices = METAS[entry["field"]].choices
    assert entry["name"] in choices if section != "remedies" else entry["name"] == entry["field"]


@pytest.mark.parametrize("section", REGISTRIES)
def test_section_lists_the_whole_registry(section):
    field, registry = REGISTRIES[section]
    assert [entry["name"] for entry in CATALOGUE[section]] == list(registry)


@pytest.mark.parametrize(
    "field",
    [
        name
        for name, meta in METAS.items()
        if meta.choices is not None and all(hasattr(entry, "cost") for entry in meta.choices.values())
    ],
)
def test_every_registry_that_describes_itself_is_listed(field):
    assert field in [field for field, _ in REGISTRIES.values()]


@pytest.mark.parametrize(
    "field",
    [name for name, meta in METAS.items() if meta.group == "Remedies" and GANConfig.model_fields[name].default in (0, "none")],
)
def test_every_remedy_that_is_off_by_default_is_listed_unless_it_belongs_to_another(field):
    listed = [entry["name"] for entry in CATALOGUE["remedies"]]
    assert field in listed or any(field.startswith(name) for name in listed)


def test_json_is_one_strict_object_with_all_sections(capsys):
    assert main(["catalogue", "--json"]) == 0
    out = capsys.readouterr().out
    assert json.loads(out) == CATALOGUE


@pytest.mark.parametrize("part", PARTS)
def test_json_has(capsys, part):
    main(["catalogue", "--json"])
    sections = json.loads(capsys.readouterr().out)
    assert all(isinstance(entry[part], str) for entries in sections.values() for entry in entries)


@each
def test_text_mentions(text, section, k):
    entry = CATALOGUE[section][k]
    named = f"({entry['field']}={entry['name']})" if section != "remedies" else f"({entry['name']})"
    assert any(line.strip().startswith(entry["title"]) and line.endswith(named) for line in text.splitlines())


@pytest.mark.parametrize("section", CATALOGUE)
def test_text_has_a_heading_for(text, section):
    assert section.upper() in text.splitlines()


@pytest.mark.parametrize("arguments", [["catalogue"], ["catalogue", "--json"], ["presets"]], ids=" ".join)
def test_a_reader_that_has_seen_enough_causes_no_noise(arguments):
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "gan_core", *arguments], cwd=ROOT, stdout=write, stderr=subprocess.PIPE, text=True
        )
    finally:
        os.close(write)
    assert (done.returncode, done.stderr) == (0, "")
