"""Runs beside each other on the Compare page, in a real browser."""

import csv
import re

import pytest
from driving import until
from playwright.sync_api import expect

from gan_core import GANConfig, Runner
from gan_core.store import SECONDS

CONFIG = GANConfig(dataset="ring8", width=16, batch_size=32, steps=120)


@pytest.fixture
def pair(server):
    """Two runs that differ in their seed and learning rate, and have ended."""
    runner, ids = Runner(server.store), []
    for name, config in (("First", CONFIG), ("Second", CONFIG.but(seed=1, lr_g=5e-3))):
        ids.append(runner.start(config, name))
        assert runner.wait(ids[-1], 120)
    runner.shutdown()
    return ids


def test_a_link_shows_curves_samples_differences_and_a_table_to_take_away(server, tabs, pair, tmp_path):
    page = tabs(f"{server.url}compare?runs={','.join(pair)}&y=loss_g,held&x=time&seeds=range")
    view = page.locator(".compare")
    expect(view).to_have_attribute("data-runs", ",".join(pair))
    for title in ("Generator's loss", "Modes held"):
        expect(view.get_by_role("img", name=f"{title} over time trained, s: First, Second.")).to_be_visible()
    expect(view.locator(".apart tr")).to_have_text(["FirstSecond", "Generator's learning rate0.0010.005", "Seed01"])
    expect(view.locator("figure")).to_have_count(2)
    for run, figure in zip(pair, view.locator("figure").all(), strict=True):
        expect(figure).to_have_attribute("data-step", "120")
        assert len(server.store.series(run, SECONDS)[0]) > 1
    canvas = view.locator(".plots canvas").first
    canvas.hover()
    expect(view.locator(".tip:visible").first).to_contain_text("s of training: First")
    canvas.press("+")
    expect(view).to_have_attribute("data-zoom", re.compile(r"^\d"))
    with page.expect_download() as download:
        view.get_by_role("link", name="Table (CSV)").click()
    file = tmp_path / "runs.csv"
    download.value.save_as(file)
    rows = list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))
    assert [(row["Name"], row["Seed"], row["Step"]) for row in rows] == [("First", "0", "120"), ("Second", "1", "120")]


def test_one_handle_moves_all_pictures_and_a_run_that_goes_on_leaves_it_where_it_is(server, tabs, pair):
    page = tabs(f"{server.url}compare?runs={','.join(pair)}")
    view, figures = page.locator(".compare"), page.locator(".compare figure")
    expect(figures.nth(1)).to_have_attribute("data-step", "120")
    page.get_by_label("Step of all pictures").focus()
    page.keyboard.press("ArrowLeft")
    until(lambda: view.locator(".way").get_attribute("data-step"))
    for _ in range(40):  # to the beginning
        page.keyboard.press("ArrowLeft")
    for figure in figures.all():
        expect(figure).to_have_attribute("data-step", "0")
    server.store.report(pair[1], step=130, rate=0, seconds=1, series={})  # as a run that trains does
    expect(view).to_have_attribute("data-steps", "120,130")
    assert [figure.get_attribute("data-step") for figure in figures.all()] == ["0", "0"]
    page.get_by_role("button", name="Back to now").click()
    expect(figures.nth(0)).to_have_attribute("data-step", "120")


def test_an_address_of_nonsense_is_a_sentence(server, tabs):
    page = tabs(f"{server.url}compare?runs=nowhere,%3Cscript%3E&smooth=nan&y=%3D1%2B1")
    expect(page.get_by_text("There is no run nowhere here")).to_be_visible()
    expect(page.get_by_text("Nothing to compare yet")).to_be_visible()
    expect(page.get_by_test_id("stException")).to_have_count(0)
