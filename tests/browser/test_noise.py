"""The latent page's noise plane, classes and style mixing as a person uses them."""

import pytest
from driving import until
from playwright.sync_api import Page, expect

from gan_core import GANConfig

POINTS = GANConfig(dataset="ring8", latent_dim=2, width=8, batch_size=16, steps=20)
DIGITS = GANConfig(dataset="digits", network="dcgan", width=8, latent_dim=8, batch_size=16, steps=10, conditional="projection")
STYLE = GANConfig(dataset="digits", network="style", width=4, latent_dim=8, batch_size=16, steps=5)


@pytest.fixture
def opened(server, tabs, trained):
    """The latent page on a short run of a config, opened with a query."""

    def open_page(config: GANConfig, query: str, **how) -> Page:
        return tabs(f"{server.url}latent?run={trained(config)}{query}", **how)

    return open_page


def point(page: Page, name: str, across: float, down: float) -> None:
    box = page.locator(f"canvas.{name}").bounding_box()
    page.mouse.move(box["x"] + across * box["width"], box["y"] + down * box["height"])


def test_noise_and_where_it_lands_follow_each_other(opened):
    page = opened(POINTS, "&tool=noise")
    sheet = page.locator(".sheet")
    expect(sheet).to_have_attribute("data-place", "16.00 16.00")
    landing = sheet.get_attribute("data-landing")
    point(page, "noise", 0.99, 0.01)  # up and to the right
    expect(sheet).to_have_attribute("data-place", "31.00 31.00")
    assert sheet.get_attribute("data-landing") != landing
    point(page, "data", 0.5, 0.5)  # a point of the lattice is the nearest
    until(lambda: sheet.get_attribute("data-place") != "31.00 31.00")
    assert all(float(v).is_integer() for v in sheet.get_attribute("data-place").split())
    page.locator("canvas.noise").focus()
    before = [float(v) for v in sheet.get_attribute("data-place").split()]
    page.keyboard.press("ArrowLeft" if before[0] else "ArrowRight")
    moved = before[0] - 1 if before[0] else 1
    expect(sheet).to_have_attribute("data-place", f"{moved:.2f} {before[1]:.2f}")
    expect(page.locator(".where")).to_contain_text("lands at")


def test_the_colour_is_chosen_and_in_the_address(opened):
    page = opened(POINTS, "&tool=noise")
    sheet, legend = page.locator(".sheet"), page.locator(".legend")
    expect(legend).to_contain_text("turned over")
    painted = page.locator("canvas.noise").evaluate("(canvas) => canvas.toDataURL()")
    page.get_by_role("radio", name="Density", exact=True).click()
    expect(sheet).to_have_attribute("data-tint", "density")
    expect(legend).not_to_contain_text("turned over")
    until(lambda: "tint=density" in page.url)
    assert page.locator("canvas.noise").evaluate("(canvas) => canvas.toDataURL()") != painted


def test_the_mark_and_both_views_come_back(opened):
    page = opened(POINTS, "&tool=noise")
    sheet, noise, data = (page.locator(name) for name in (".sheet", "canvas.noise", "canvas.data"))
    point(page, "noise", 0.3, 0.4)
    page.mouse.wheel(0, -300)
    until(lambda: noise.get_attribute("data-zoom") != "1.000")
    point(page, "data", 0.5, 0.5)
    page.mouse.wheel(0, 200)
    until(lambda: data.get_attribute("data-zoom") != "1.000")

    def stands() -> list[str]:
        return [sheet.get_attribute("data-place"), noise.get_attribute("data-zoom"), data.get_attribute("data-zoom")]

    before = stands()
    until(lambda: all(name in page.evaluate("location.search") for name in ("mark=", "sheet=", "landing=")))
    page.reload()
    expect(sheet).to_have_attribute("data-place", before[0])
    assert stands() == before


@pytest.mark.parametrize("nonsense", ["1e6,0,6e-11", "0,0,-1", "1,0,1e-16", "x", "1,2", "0,0,1e300"])
def test_a_view_that_shows_nothing_is_left_out(opened, nonsense):
    page = opened(POINTS, f"&tool=noise&landing={nonsense}")
    expect(page.locator("canvas.data")).to_have_attribute("data-zoom", "1.000")


def test_the_cell_of_a_table_comes_back(opened):
    page = opened(DIGITS, "&tool=classes&spot=3,2")
    expect(page.locator(".where")).to_have_text("Class 3, seed 2")
    page.locator("canvas.cells").focus()
    page.keyboard.press("ArrowRight")
    until(lambda: "spot=4%2C2" in page.evaluate("location.search"))
    page.reload()
    expect(page.locator(".where")).to_have_text("Class 4, seed 2")


def test_of_much_noise_two_directions_are_shown_or_two_of_its_numbers(opened):
    page = opened(POINTS.but(latent_dim=6), "&tool=noise")
    expect(page.locator(".where")).to_contain_text("Component 1 at")
    expect(page.locator(".told")).to_contain_text("in the 4 other directions stays as in seed 0")
    page.get_by_role("radio", name="Two numbers", exact=True).click()
    expect(page.locator(".where")).to_contain_text("Noise 0 at")


def test_islands_are_a_sentence(opened):
    page = opened(POINTS.but(latent="mixture"), "&tool=noise")
    expect(page.get_by_text("noise in islands")).to_be_visible()
    expect(page.get_by_test_id("stException")).to_have_count(0)


def test_classes_in_columns_and_the_way_between_two(opened):
    page = opened(DIGITS, "&tool=classes", width=420)
    table = page.locator(".table")
    expect(table).to_have_attribute("data-columns", "10")
    page.locator("canvas.cells").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    expect(table).to_have_attribute("data-cell", "11")
    expect(page.locator(".where")).to_have_text("Class 1, seed 1")
    page.get_by_role("radio", name="Between two", exact=True).click()
    expect(table).to_have_attribute("data-columns", "9")
    expect(page.locator(".where")).to_contain_text("from class 0 to class 1, seed 1")


def test_styles_are_mixed_at_the_chosen_layer(opened):
    page = opened(STYLE, "&tool=mix")
    table = page.locator(".table")
    expect(table).to_have_attribute("data-rows", "6")
    expect(page.locator(".caption")).to_contain_text("The style of layers 1 to 2 is")
    point(page, "cells", 0.99, 0.99)
    expect(page.locator(".where")).to_have_text("Coarse styles of seed 5, fine styles of seed 105")
    crossover = page.get_by_role("spinbutton", name="Layers from the left")
    crossover.fill("1")
    crossover.press("Enter")
    expect(page.locator(".caption")).to_contain_text("The style of layer 1 is")
    until(lambda: "crossover=1" in page.url)
