"""Links that are opened, what Share hands on, and the keys, in a real browser."""

import json
import subprocess
import sys
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from driving import until
from playwright.sync_api import Page, expect

from gan_core import PRESETS, GANConfig
from gan_core.link import from_query, to_query
from gan_core.points import encode_points

SHORT = GANConfig(dataset="two_moons", width=16, batch_size=32, steps=300, seed=7, lr_g=5e-4)


def button(page: Page, name: str):
    return page.get_by_role("button", name=name, exact=True)


def query(page: Page) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(page.evaluate("location.href")).query))  # page.url lags behind


def link(server, config: GANConfig, short: bool = True) -> str:
    return f"{server.url}?{urlencode(to_query(config, short))}"


def field(page: Page, title: str):
    return page.get_by_label(title, exact=True)


def ready(tabs, address: str) -> Page:
    """A tab on which the stage shows the real data and listens to keys, and the buttons are there that these press."""
    page = tabs(address)
    expect(page.locator("canvas.points")).to_have_attribute("data-step", "0")
    expect(button(page, "Start")).to_be_enabled()
    return page


def step(page: Page) -> int:
    return int(page.locator(".monitor").get_attribute("data-step"))


@pytest.mark.parametrize("short", [True, False], ids=["short", "full"])
def test_a_link_opened_cold_shows_its_set_up_and_trains_it(server, tabs, short):
    page = tabs(link(server, SHORT, short))
    expect(field(page, "Steps")).to_have_value("300")
    expect(field(page, "Seed")).to_have_value("7")
    expect(field(page, "Generator's learning rate")).to_have_value("0.0005")
    assert server.store.runs() == []
    button(page, "Start").click()
    (run,) = until(server.store.runs)
    assert run.config == SHORT
    until(lambda: query(page) == {"run": run.id})


def test_a_link_counts_more_than_a_run_that_is_there(server, tabs):
    server.store.create([GANConfig(steps=5)])
    page = tabs(link(server, SHORT))
    expect(field(page, "Steps")).to_have_value("300")
    expect(page.locator(".monitor")).to_have_attribute("data-run", "")


def test_what_a_damaged_link_holds_is_named_and_the_rest_is_used(server, tabs):
    page = tabs(f"{server.url}?steps=300&lr_g=7&datset=grid25&network=dcgan&path=/etc/passwd")
    expect(field(page, "Steps")).to_have_value("300")
    said = page.get_by_text("Not all of the link was used.")
    for words in ("lr_g = '7' is out of range", "Did you mean dataset?", "network = dcgan does not go", "path is not taken"):
        expect(said).to_contain_text(words)
    until(lambda: query(page) == {"steps": "300"})
    page.reload()
    expect(field(page, "Steps")).to_have_value("300")
    expect(said).to_have_count(0)


def test_the_address_follows_the_form_through_refresh_second_tab_and_other_pages(server, tabs):
    wanted = to_query(PRESETS["ring"].config.but(steps=1234))
    page = tabs(server.url)
    field(page, "Steps").fill("1234")
    field(page, "Steps").press("Enter")
    until(lambda: query(page) == wanted)
    page.reload()
    expect(field(page, "Steps")).to_have_value("1234")
    other = tabs(page.url)
    expect(field(other, "Steps")).to_have_value("1234")
    page.get_by_role("link", name="Runs").click()
    expect(page).to_have_url(f"{server.url}runs?{urlencode(wanted)}")
    page.reload()
    page.get_by_role("link", name="Playground").click()
    expect(field(page, "Steps")).to_have_value("1234")
    until(lambda: query(page) == wanted)


def test_a_fresh_start_stays_one_beside_a_run(server, tabs):
    run = server.store.create([SHORT])
    server.store.update(run, status="stopped")
    page = tabs(f"{server.url}?run=new")
    until(lambda: query(page) == to_query(PRESETS["ring"].config))
    field(page, "Steps").fill("77")
    field(page, "Steps").press("Enter")
    until(lambda: query(page) == to_query(PRESETS["ring"].config.but(steps=77)))
    expect(button(page, "Start")).to_be_visible()


def test_quick_changes_are_not_lost_to_an_address_that_lags_behind(server, tabs):
    page = ready(tabs, link(server, SHORT))
    expect(field(page, "Steps")).to_have_value("300")
    for title, value in (("Steps", "400"), ("Seed", "8"), ("Noise dimensions", "5")):
        field(page, title).fill(value)
        field(page, title).press("Enter")
    until(lambda: query(page) == to_query(SHORT.but(steps=400, seed=8, latent_dim=5)))
    expect(field(page, "Steps")).to_have_value("400")


def test_a_large_drawing_travels_in_a_link(server, tabs):
    drawing = encode_points([[(k % 64) / 64, (k // 64) / 64] for k in range(4000)])
    page = tabs(link(server, GANConfig(dataset="drawn", points=drawing)))
    expect(button(page, "Start")).to_be_enabled()
    expect(page.get_by_text("Not all of the link was used.")).to_have_count(0)
    assert query(page)["points"] == drawing


def test_share_hands_on_a_link_code_and_a_file(server, tabs, tmp_path):
    page = tabs(link(server, SHORT))
    expect(field(page, "Steps")).to_have_value("300")
    button(page, "Share").click()
    shown = page.get_by_test_id("stPopoverBody")
    code = shown.get_by_test_id("stCode").locator("code")
    expect(code).to_have_text(link(server, SHORT))
    shown.get_by_text("Full form").click()
    expect(code).to_contain_text("beta1=0.5")
    assert from_query(dict(parse_qsl(urlsplit(code.inner_text()).query))) == (SHORT, [])
    for label, suffix in (("Python script", ".py"), ("Notebook", ".ipynb"), ("Config (JSON)", ".json")):
        with page.expect_download() as download:
            button(page, label).click()
        file = tmp_path / f"taken{suffix}"
        download.value.save_as(file)
        assert download.value.suggested_filename == f"gan_two_moons{suffix}"
    assert GANConfig.parse(json.loads((tmp_path / "taken.json").read_text())) == SHORT
    assert json.loads((tmp_path / "taken.ipynb").read_text())["nbformat"] == 4
    check = "import sys; compile(open(sys.argv[1]).read(), 'taken', 'exec')"
    assert subprocess.run([sys.executable, "-c", check, tmp_path / "taken.py"]).returncode == 0


def test_a_link_to_the_defaults_still_names_a_set_up(server, tabs):
    page = ready(tabs, f"{server.url}?dataset=ring8")
    button(page, "Share").click()
    expect(page.get_by_test_id("stPopoverBody").get_by_test_id("stCode").locator("code")).to_have_text(
        f"{server.url}?dataset=ring8"
    )


# Keys


def test_space_and_s_start_pause_step_and_resume(server, tabs):
    page = ready(tabs, link(server, SHORT.but(steps=10_000_000)))
    page.keyboard.press(" ")
    until(lambda: step(page) > 0)
    (run,) = server.store.runs()
    page.keyboard.press(" ")
    until(lambda: server.store.get(run.id).status == "paused")
    expect(button(page, "Resume")).to_be_visible()
    at = server.store.get(run.id).step
    page.keyboard.press("s")
    until(lambda: server.store.get(run.id).step == at + 1)
    page.keyboard.press(" ")
    until(lambda: server.store.get(run.id).step > at + 1)
    assert page.evaluate("window.scrollY") == 0
    expect(button(page, "Pause")).to_be_visible()
    button(page, "Stop").click()
    until(lambda: server.store.get(run.id).status == "stopped")


def test_arrows_go_back_and_forth_in_the_film(server, tabs):
    page = ready(tabs, link(server, SHORT))
    page.keyboard.press(" ")
    until(lambda: server.store.runs() and server.store.runs()[0].status == "finished")
    expect(page.locator('.monitor .square [data-step="300"]')).to_be_visible()
    film = page.locator(".film")
    last = len(server.store.film_steps(server.store.runs()[0].id)) - 1
    for key, place in (("ArrowLeft", last - 1), ("ArrowLeft", last - 2), ("ArrowRight", last - 1)):
        page.keyboard.press(key)
        until(lambda place=place: float(film.get_attribute("data-place") or -1) == place)


def test_keys_in_a_field_are_only_typed_and_a_held_key_acts_once(server, tabs):
    page = ready(tabs, link(server, SHORT.but(steps=10_000_000)))
    name = page.get_by_placeholder("Name of the run (optional)")
    name.click()
    page.keyboard.type("s s")
    expect(name).to_have_value("s s")
    page.keyboard.press("Tab")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.down(" ")
    until(lambda: step(page) > 0)
    for _ in range(5):
        page.keyboard.down(" ")  # as a held key repeats
    page.keyboard.up(" ")
    seen = step(page)
    until(lambda: step(page) > seen)
    (run,) = server.store.runs()
    assert run.status == "running"
    assert run.name == "s s"
    button(page, "Stop").click()
    until(lambda: server.store.get(run.id).status == "stopped")
