"""Directions and arithmetic in latent space, as a person uses them."""

from urllib.parse import parse_qs, urlsplit

import pytest
from driving import choose, until
from playwright.sync_api import Page, expect

from gan_core import GANConfig, Trainer

DIGITS = GANConfig(dataset="digits", network="mlp", width=16, latent_dim=8, batch_size=16, steps=30)
POINTS = GANConfig(width=16, latent_dim=8, batch_size=16, steps=30)


@pytest.fixture
def latent(server, tabs):
    """Opens the latent page on a run with a checkpoint; returns the page and the run."""

    def go(query: str, config: GANConfig = DIGITS) -> tuple[Page, str]:
        run = server.store.create([config])
        server.store.save_checkpoint(run, Trainer(config).train().state_dict())
        server.store.update(run, status="finished", step=config.steps)
        return tabs(f"{server.url}latent?run={run}&{query}"), run

    return go


def address(page: Page) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(page.evaluate("location.href")).query).items()}


def drawn(page: Page, canvas: str = "canvas.large") -> str:
    return page.locator(canvas).evaluate("(canvas) => canvas.toDataURL()")


def test_a_slider_moves_the_sample_and_the_address_follows_after_the_release(latent):
    page, _ = latent("tool=directions")
    view, slider = page.locator(".directions"), page.get_by_role("slider", name="component 2, in standard deviations")
    expect(view).to_have_attribute("data-shown", "")
    base, box = drawn(page), slider.bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 2, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 2, middle, steps=5)
    expect(view).to_have_attribute("data-shown", "0,3")
    assert drawn(page) != base
    page.wait_for_timeout(500)
    assert "moves" not in address(page)  # the hand is still on the slider
    page.mouse.up()
    until(lambda: address(page).get("moves") == "0,3")
    moved = drawn(page)
    page.reload()
    expect(view).to_have_attribute("data-shown", "0,3")
    assert drawn(page) == moved
    strip = page.locator("canvas.strip").first
    strip.click(position={"x": 3, "y": 10})
    until(lambda: address(page).get("moves") == "-3,3")
    page.get_by_role("button", name="Reset", exact=True).click()
    until(lambda: "moves" not in address(page))
    expect(view).to_have_attribute("data-shown", "")
    assert drawn(page) == base
    choose_kind(page, "First layer's weights (SeFa)")
    expect(page.get_by_role("slider", name="direction 1, in standard deviations")).to_have_value("0")


def choose_kind(page: Page, title: str) -> None:
    choose(page.get_by_role("combobox", name="Directions"), page.get_by_role("option", name=title))


def test_what_was_just_moved_is_not_lost_when_another_tool_is_chosen(latent):
    page, _ = latent("tool=directions")
    expect(page.locator(".directions")).to_have_attribute("data-shown", "")
    page.get_by_role("slider", name="component 1, in standard deviations").focus()
    box = page.get_by_text("Walk", exact=True).bounding_box()
    page.keyboard.press("End")
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)  # at once: a locator's click takes its time
    expect(page.locator(".player")).to_be_visible()
    until(lambda: address(page).get("moves") == "3", 20)


def test_a_combination_is_kept_by_its_name_and_removed(latent, server):
    page, run = latent("tool=directions&moves=1,-2")
    name = page.get_by_label("Keep this combination as")
    name.fill("bolder")
    name.press("Enter")
    (kept,) = until(lambda: server.store.directions(run))
    assert kept.name == "bolder"
    choose_kind(page, "Kept with this run")
    slider = page.get_by_role("slider", name="bolder, in standard deviations")
    expect(slider).to_have_value("0")
    slider.press("ArrowRight")
    until(lambda: address(page).get("moves") == "0.1")
    page.get_by_role("button", name="Remove bolder").click()
    until(lambda: not server.store.directions(run))
    expect(page.get_by_role("slider", name="component 1, in standard deviations")).to_have_value("0")
    expect(page.get_by_test_id("stException")).to_have_count(0)


def test_points_move_along_numbered_ways(latent):
    page, _ = latent("tool=directions", POINTS)
    canvas = page.locator("canvas.points")
    before = until(lambda: canvas.get_attribute("aria-label"))
    page.get_by_role("slider", name="component 1, in standard deviations").press("End")
    until(lambda: "component 1 +3" in canvas.get_attribute("aria-label"))
    until(lambda: canvas.get_attribute("aria-label").split(":")[0] != before.split(":")[0])  # the answer has come
    until(lambda: address(page).get("moves") == "3")


def test_samples_are_added_and_subtracted_by_clicks(latent):
    page, _ = latent("tool=sums")
    view = page.locator(".sums")
    expect(view).to_have_attribute("data-shown", "")
    for seed, name in ((1, "A"), (2, "B"), (3, "C")):
        page.get_by_role("button", name=name, exact=True).click()
        page.get_by_role("button", name=f"Sample of seed {seed}", exact=True).click()
    expect(view).to_have_attribute("data-shown", "1-2+3")
    result = page.get_by_role("img", name="Generated image: A − B + C")
    expect(result).to_be_visible()
    until(lambda: address(page).get("sum") == "1-2+3")
    page.get_by_role("button", name="Take seed 2 out of B").click()
    expect(view).to_have_attribute("data-shown", "1+3")
    page.get_by_role("button", name="More samples").click()
    expect(view).to_have_attribute("data-first", "48")
    until(lambda: address(page).get("first") == "48")
    page.get_by_role("button", name="Use as A", exact=True).click()
    until(lambda: address(page).get("a") == "1+3")
    expect(page.get_by_role("button", name="Used as A")).to_be_disabled()
    page.get_by_role("radio", name="Walk", exact=True).click()
    expect(page.get_by_role("textbox", name="A", exact=True)).to_have_value("1+3")
