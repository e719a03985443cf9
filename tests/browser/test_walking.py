"""The latent page as a person uses it: walk, plane, and the address that says it all."""

import io

import pytest
from driving import until
from PIL import Image
from playwright.sync_api import Page, expect

from gan_core import GANConfig

DIGITS = GANConfig(dataset="digits", network="dcgan", width=8, latent_dim=8, batch_size=16, steps=20, ema_decay=0.9)


@pytest.fixture
def digits(server, tabs, trained):
    """A tab, and the latent page on a short run on digits, opened in it with a query."""
    page, run = tabs("about:blank"), trained(DIGITS)

    def go(query: str = "") -> Page:
        page.goto(f"{server.url}latent?run={run}{query}")
        return page

    return go


def field(page: Page, name: str):
    return page.get_by_role("textbox", name=name, exact=True)


def choose(page: Page, name: str) -> None:
    page.get_by_role("radio", name=name, exact=True).click()


def test_both_ways_play_side_by_side_and_are_saved(digits):
    page = digits("&way=both&frames=8&ends=3")
    player = page.locator(".player")
    expect(player).to_have_attribute("data-ways", "2")
    expect(player).to_have_attribute("data-frames", "24")  # three legs of eight, round
    page.locator("canvas.lengths").click(position={"x": 5, "y": 40})
    expect(player).to_have_attribute("data-frame", "0")
    player.get_by_role("button", name="Play", exact=True).click()
    seen = set()
    until(lambda: seen.add(player.get_attribute("data-frame")) or len(seen) > 3)
    player.get_by_role("button", name="Pause", exact=True).click()
    player.get_by_label("Speed").select_option("8")
    player.get_by_text("Save", exact=True).click()
    with page.expect_download() as download:
        player.get_by_text("GIF", exact=True).click()
    film = Image.open(io.BytesIO(download.value.path().read_bytes()))
    assert (film.format, film.n_frames, film.info["duration"]) == ("GIF", 24, 120)  # a GIF counts in hundredths of a second


def drawn(page: Page) -> str:
    return page.locator("canvas.large").evaluate("(canvas) => canvas.toDataURL()")


def test_the_plane_follows_a_drag_and_the_keys(digits):
    page = digits("&tool=plane&cells=8")
    plane, chart = page.locator(".plane"), page.locator("canvas.map")
    expect(plane).to_have_attribute("data-cell", "36")  # the middle
    box = chart.bounding_box()
    cell, top = box["width"] / 8, box["y"] + 2
    page.mouse.move(box["x"] + 2, top)
    page.mouse.down()
    expect(plane).to_have_attribute("data-cell", "0")
    corner = drawn(page)
    page.mouse.move(box["x"] + 0.9 * cell, top, steps=5)
    expect(plane).to_have_attribute("data-cell", "0")
    assert drawn(page) != corner  # on the way to the next sample
    page.mouse.move(box["x"] + 40, top - 100)  # the drag holds on to the map outside of it
    expect(plane).to_have_attribute("data-cell", str(int(40 / cell)))
    page.mouse.move(box["x"] + 0.9 * cell, top)
    page.mouse.up()
    expect(plane).to_have_attribute("data-cell", "0")
    assert drawn(page) == corner  # at rest it is a sample again
    chart.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    expect(plane).to_have_attribute("data-cell", "9")
    expect(page.locator(".where")).to_contain_text("Column 2, row 2. Score")


def test_what_is_on_the_screen_is_in_the_address_and_comes_back(digits):
    page = digits()
    expect(page.locator(".player")).to_be_visible()
    choose(page, "Plane")
    expect(page.locator(".plane")).to_be_visible()
    choose(page, "Straight")
    field(page, "A, top left").fill("5-6")
    field(page, "A, top left").press("Enter")
    until(lambda: {"a=5-6", "bend=lerp", "tool=plane"} <= set(page.evaluate("location.search").lstrip("?").split("&")))
    page.wait_for_timeout(500)  # the new plane has come
    shown = drawn(page)
    page.reload()
    expect(field(page, "A, top left")).to_have_value("5-6")
    expect(page.locator(".plane")).to_have_attribute("data-cell", "136")
    assert drawn(page) == shown


def asked(page: Page) -> dict[str, str]:
    """What the address says."""
    return page.evaluate("Object.fromEntries(new URLSearchParams(location.search))")


def test_the_frame_and_the_speed_of_a_walk_come_back(digits):
    page = digits()
    player = page.locator(".player")
    page.get_by_label("Frame", exact=True).fill("7")
    player.get_by_label("Speed").select_option("30")
    until(lambda: (asked(page).get("frame"), asked(page).get("speed")) == ("7", "30"))
    choose(page, "Straight")  # a run of the page, which leaves alone what it does not know
    until(lambda: asked(page).get("way") == "lerp")
    assert (asked(page)["frame"], asked(page)["speed"]) == ("7", "30")
    page.reload()
    expect(player).to_have_attribute("data-frame", "7")
    expect(player.get_by_label("Speed")).to_have_value("30")
    choose(page, "Plane")
    until(lambda: asked(page).get("tool") == "plane")
    until(lambda: {"frame", "speed"}.isdisjoint(asked(page)))
    choose(page, "Nothing")  # another run of the page does not bring them back
    until(lambda: asked(page).get("ground") == "none")
    assert {"frame", "speed"}.isdisjoint(asked(page))


def test_more_frames_come_while_the_slider_moves_and_the_address_follows(digits):
    page = digits("&frame=12")
    player = page.locator(".player")
    expect(player).to_have_attribute("data-frames", "25")
    page.get_by_role("slider", name="Frames for each leg").focus()
    page.keyboard.press("End")
    expect(player).to_have_attribute("data-frames", "65")
    expect(player).to_have_attribute("data-frame", "32")  # still in the middle
    until(lambda: (asked(page).get("frames"), asked(page).get("frame")) == ("64", "32"))
    page.get_by_role("radio", name="3", exact=True).click()
    expect(player).to_have_attribute("data-frames", str(3 * 64))


def test_where_the_pointer_rested_on_a_plane_comes_back(digits):
    page = digits("&tool=plane&cells=8&cell=1,2")
    plane = page.locator(".plane")
    expect(plane).to_have_attribute("data-cell", "17")
    page.locator("canvas.map").focus()
    page.keyboard.press("ArrowDown")
    until(lambda: asked(page).get("cell") == "1,3")
    shown = drawn(page)
    page.reload()
    expect(plane).to_have_attribute("data-cell", "25")
    assert drawn(page) == shown


@pytest.mark.parametrize("nonsense", ["cell=x", "cell=1,2,3", "cell=99,-5", "cell=1e99,1"])
def test_nonsense_where_the_pointer_rests_is_left_out(digits, nonsense):
    page = digits(f"&tool=plane&cells=8&{nonsense}")
    expect(page.locator(".where")).to_contain_text("Column")


def test_nonsense_in_the_address_and_in_a_field_is_a_sentence(digits):
    page = digits("&a=what&cells=1000")
    expect(page.locator(".player")).to_be_visible()
    expect(page.get_by_text("Not all of the link was used")).to_be_visible()
    field(page, "A").fill("seven")
    field(page, "A").press("Enter")
    expect(page.get_by_text("is no spot")).to_be_visible()
    expect(field(page, "A")).to_have_value("0")
    expect(page.get_by_test_id("stException")).to_have_count(0)


def test_back_and_forward_go_through_what_was_on_the_screen(digits):
    page = digits()
    expect(page.locator(".player")).to_be_visible()
    choose(page, "Plane")
    until(lambda: "tool=plane" in page.evaluate("location.search"))
    expect(page.locator(".plane")).to_be_visible()
    page.go_back()
    expect(page.locator(".player")).to_be_visible()
    assert "tool=plane" not in page.url
    page.go_forward()
    expect(page.locator(".plane")).to_be_visible()
    page.get_by_role("link", name="Runs", exact=True).click()
    expect(page.locator(".list")).to_be_visible()
    page.go_back()
    expect(page.get_by_text("Look at it as")).to_be_visible()
