"""The lab's tables."""

import csv
import io

import pytest

from gan_core import GANConfig, RunStore
from ui import pairing


@pytest.mark.parametrize("name", ["=1+1", "@SUM(A1)", "＝1+1"])
def test_no_name_is_a_formula_in_the_table(tmp_path, name):
    store = RunStore(tmp_path)
    run = store.create([GANConfig(seed=3), GANConfig(seed=4)], name)
    store.update(run, metrics={"held": [8.0, float("nan")]})
    head, *rows = csv.reader(io.StringIO(pairing.table([store.get(run)])))
    assert head == ["run", "seed", "step", "held"]
    assert rows == [[f"'{name}", "3", "0", "8.0"], [f"'{name}", "4", "0", ""]]
