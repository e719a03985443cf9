"""The verdict and the lab of mode collapse, in a real browser."""

import csv
import io
import xml.etree.ElementTree as ElementTree

from driving import until
from PIL import Image
from playwright.sync_api import Page, expect

from gan_core import GANConfig
from gan_core.cures import CURES
from gan_core.lab import LAB_CURES, PROBLEMS

COLLAPSING = GANConfig(dataset="ring8", width=64, batch_size=64, lr_d=1e-4, steps=10_000_000)


def button(page: Page, name: str):
    return page.get_by_role("button", name=name, exact=True)


def view(page: Page, name: str) -> None:
    page.get_by_role("radio", name=name, exact=True).click()


def number(page: Page, label: str, value: object, which: int = 0) -> None:
    field = page.get_by_label(label, exact=True).nth(which)
    field.fill(str(value))
    field.press("Enter")


def figure(page: Page) -> ElementTree.Element:
    """The figure on the page as SVG, after a look at the PNG."""
    with page.expect_download() as download:
        button(page, "Save PNG").click()
    with Image.open(download.value.path()) as picture:
        assert len(picture.convert("L").resize((64, 64)).getcolors()) > 8  # something is on it
    with page.expect_download() as download:
        button(page, "Save SVG").click()
    return ElementTree.fromstring(download.value.path().read_bytes())


def collapsing_run(server, page_of) -> tuple[Page, str]:
    run = server.store.create([COLLAPSING])
    server.store.update(run, status="interrupted")
    page = page_of(f"{server.url}?run={run}")
    button(page, "Resume").click()
    return page, run


def test_the_verdict_is_told_with_its_evidence_and_its_advice_is_taken_in_the_run(server, tabs):
    page, run = collapsing_run(server, tabs)
    verdict = page.locator(".verdict")
    until(lambda: verdict.get_attribute("data-name") in ("oscillating", "total_collapse"), 120)
    verdict.get_by_text("Why, and what to change").click()
    expect(verdict.locator("dt").first).to_be_visible()
    apply = verdict.locator('button[data-key="apply:r1_r2"]')
    expect(apply).to_have_text("Apply")
    apply.click()
    until(lambda: server.store.get(run).config.penalty == "r1_r2")
    assert server.store.get(run).status == "running"
    assert [e["name"] for e in server.store.events(run) if e["kind"] == "set"][:1] == ["penalty"]
    button(page, "Stop").click()
    until(lambda: server.store.get(run).status == "stopped")


def test_advice_is_proved_over_many_seeds(server, tabs):
    page, run = collapsing_run(server, tabs)
    verdict = page.locator(".verdict")
    until(lambda: verdict.get_attribute("data-name") in ("oscillating", "total_collapse"), 120)
    button(page, "Stop").click()
    until(lambda: server.store.get(run).status == "stopped")
    verdict.get_by_text("Why, and what to change").click()
    verdict.locator('button[data-key="prove:r1_r2"]').click()
    expect(page.locator(".seeds")).to_be_visible()
    expect(page.get_by_text("The settings of the run in focus.")).to_be_visible()
    expect(page.locator(".seeds .arm").nth(1)).to_contain_text(CURES["r1_r2"].title)


def test_both_sides_are_one_figure(server, tabs):
    page = tabs(f"{server.url}collapse")
    button(page, "Start both").click()
    until(lambda: all(int(m.get_attribute("data-step") or 0) > 50 for m in page.locator(".monitor").all()), 120)
    words = [e.text for e in figure(page).iter("{http://www.w3.org/2000/svg}text")]
    assert words[0] == "Samples in a pack (PacGAN): 1 → 2"
    assert {"Without", CURES["pacgan"].title} <= set(words)
    assert words.count("Samples by mode: good ones solid, others pale") == 2
    button(page, "Stop").click()


def test_a_seed_is_chosen_with_the_keyboard(server, tabs):
    page = tabs(f"{server.url}collapse")
    view(page, "Many seeds")
    seeds = page.locator(".seeds")
    button(page, "Start both").click()
    until(lambda: int(seeds.get_attribute("data-step") or 0) > 10, 120)
    seeds.locator(".arm canvas").nth(0).focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown", "Enter"):  # the first press begins at seed 0
        page.keyboard.press(key)
    expect(page.get_by_text("Seed 5, without:")).to_be_visible()
    button(page, "Stop").click()


def test_many_seeds_train_side_by_side_and_one_goes_to_the_playground(server, tabs):
    page = tabs(f"{server.url}collapse")
    view(page, "Many seeds")
    seeds = page.locator(".seeds")
    expect(seeds.locator(".arm")).to_have_count(2)
    button(page, "Start both").click()
    until(lambda: int(seeds.get_attribute("data-step") or 0) > 50, 120)
    one, two = server.store.pair(server.store.runs()[0].pair)
    assert [len(run.configs) for run in (one, two)] == [16, 16]
    assert one.config == PROBLEMS["ring"].config
    assert two.config == CURES[LAB_CURES[0]].apply(PROBLEMS["ring"].config)
    until(lambda: "of 16" in seeds.locator(".rate").nth(1).inner_text())
    assert seeds.locator(".track u").nth(1).bounding_box()["width"] > 10  # the interval of 0 of 16 reaches to 19 %
    drawn = seeds.locator("canvas").nth(1).evaluate("c => c.toDataURL()")
    until(lambda: seeds.locator("canvas").nth(1).evaluate("c => c.toDataURL()") != drawn)  # it moves
    button(page, "Stop").click()
    until(lambda: all(server.store.get(run.id).status == "stopped" for run in (one, two)))
    assert len(list(figure(page).iter("{http://www.w3.org/2000/svg}g"))) > 4
    seeds.locator(".arm canvas").nth(1).click(position={"x": 150, "y": 30})
    button(page, "Train it in the Playground").click()
    until(lambda: any(len(run.configs) == 1 for run in server.store.runs()))
    (alone,) = [run for run in server.store.runs() if len(run.configs) == 1]
    assert alone.config in two.configs
    expect(page.locator(".monitor")).to_have_attribute("data-run", alone.id)


def test_a_map_fills_and_gives_its_figure_table_and_cells(server, tabs):
    page = tabs(f"{server.url}collapse")
    view(page, "Map")
    for which in (0, 1):
        number(page, "Values", 2, which)
    number(page, "Steps of each", 200)
    drawing = page.locator(".map")
    expect(drawing.locator(".step")).to_have_text("16 GANs of 200 steps")
    button(page, "Start the map").click()
    until(lambda: drawing.get_attribute("data-done") == "16", 120)
    (run,) = server.store.runs(kind="map")
    until(lambda: server.store.get(run.id).status == "finished")
    expect(drawing.locator("rect.cell")).to_have_count(4)
    assert len([e for e in figure(page).iter() if e.get("class") == "cell"]) == 4
    with page.expect_download() as download:
        button(page, "Table (CSV)").click()
    rows = list(csv.DictReader(io.StringIO(download.value.path().read_text())))
    assert len(rows) == 16
    assert {row["step"] for row in rows} == {"200"}
    drawing.locator("rect.cell").nth(3).click()
    expect(page.locator(".tiles figure")).to_have_count(4)
    page.get_by_role("button", name="Seed 1").click()
    until(lambda: len(server.store.runs()) == 1)
    lr = max(float(row["lr_g"]) for row in rows)
    opened = server.store.runs()[0].config
    assert (opened.lr_g, opened.lr_d, opened.seed) == (lr, max(float(row["lr_d"]) for row in rows), 1)


def test_a_map_is_paused_and_goes_on(server, tabs):
    page = tabs(f"{server.url}collapse")
    view(page, "Map")
    button(page, "Start the map").click()
    until(lambda: server.store.runs(kind="map") and server.store.runs(kind="map")[0].step > 20, 120)
    button(page, "Pause").click()
    until(lambda: server.store.runs(kind="map")[0].status == "paused")
    before = server.store.runs(kind="map")[0].step
    button(page, "Resume").click()
    until(lambda: server.store.runs(kind="map")[0].step > before)
    button(page, "Stop").click()
    until(lambda: server.store.runs(kind="map")[0].status == "stopped")
