"""The verdict on the histories of real runs that are kept beside the benchmark."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import verdict

ROOT = Path(verdict.__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def result():
    return verdict.judged(verdict.kept())


def test_there_are_enough_histories_of_enough_recipes(result):
    assert result["histories"] >= 60
    assert result["recipes"] >= 12


def test_each_recipe_is_known_to_the_benchmark():
    assert {recipe for recipe, _, _ in verdict.kept()} == set(verdict.recipes("album"))


def test_at_least_nine_of_ten_verdicts_are_right(result):
    assert result["accuracy"] >= 0.9


def test_no_healthy_run_is_called_collapsed(result):
    assert result["healthy_called_collapsed"] == 0


def test_the_benchmark_prints_its_confusion_matrix_as_json():
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.verdict", "--json"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout)
    assert sum(sum(row.values()) for row in found["matrix"].values()) == found["histories"]
