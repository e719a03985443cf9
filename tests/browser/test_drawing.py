"""Data of one's own, painted and handed in, in a real browser."""

import io
import math
import zipfile

import numpy as np
import pytest
from driving import Server, choose, until
from PIL import Image
from playwright.sync_api import Page, expect

from gan_core import GANConfig
from gan_core.points import decode_points, encode_points
from gan_core.uploads import read_table


@pytest.fixture
def own_data(tmp_path, monkeypatch):
    """A folder of data of this test's own, for a server that is started after it."""
    monkeypatch.setenv("GAN_PLAYGROUND_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def button(page: Page, name: str):
    return page.get_by_role("button", name=name, exact=True)


def choose_data(page: Page, data_set: str) -> None:
    menu = page.get_by_role("combobox", name="Data set", exact=True)
    choose(menu, page.get_by_role("option", name=data_set, exact=True))


def board(server: Server, tabs, **look) -> Page:
    page = tabs(f"{server.url}?run=new", **look)
    expect(page.locator(".monitor")).to_be_visible()
    choose_data(page, "Your own points")
    expect(page.locator("canvas.paper")).to_be_visible()
    expect(page.locator(".board .count")).to_contain_text("of 4\u202f096 points")
    return page


def stroke(page: Page, *places: tuple[float, float]) -> None:
    """Drag from place to place, in the drawing's coordinates."""
    box = page.locator("canvas.paper").bounding_box()
    at = [(box["x"] + box["width"] * (1 + x / 1.06) / 2, box["y"] + box["height"] * (1 - y / 1.06) / 2) for x, y in places]
    page.mouse.move(*at[0])
    page.mouse.down()
    for place in at[1:]:
        page.mouse.move(*place, steps=5)
    page.mouse.up()


def painted(page: Page) -> int:
    return int(page.locator(".board").get_attribute("data-points"))


def hand_in(page: Page, *files: tuple[str, bytes]) -> None:
    given = [{"name": name, "mimeType": "application/octet-stream", "buffer": content} for name, content in files]
    page.get_by_test_id("stFileUploader").locator("input[type=file]").set_input_files(given)


def start(server: Server, page: Page) -> GANConfig:
    """Start and stop again; what was trained."""
    expect(button(page, "Start")).to_be_enabled()
    button(page, "Start").click()
    until(lambda: int(page.locator(".monitor").get_attribute("data-step") or 0) > 0)
    button(page, "Stop").click()
    run = server.store.runs()[0]
    until(lambda: server.store.get(run.id).status == "stopped")
    return run.config


def test_a_drawing_is_painted_erased_taken_back_and_trained_on(server, tabs):
    page = board(server, tabs)
    expect(button(page, "Start")).to_be_disabled()
    expect(page.get_by_test_id("stAlert")).to_have_count(0)
    stroke(page, (-0.6, 0.5), (0.6, 0.5))
    upper = until(lambda: painted(page))
    expect(button(page, "Start")).to_be_enabled()
    stroke(page, (-0.6, -0.5), (0.6, -0.5))
    both = until(lambda: (n := painted(page)) > upper and n)
    button(page, "Eraser").click()
    page.get_by_role("slider", name="Brush size").fill("0.2")
    stroke(page, (-0.8, 0.5), (0.8, 0.5))
    until(lambda: painted(page) == both - upper)
    button(page, "Undo").click()
    until(lambda: painted(page) == both)
    button(page, "Undo").click()
    until(lambda: painted(page) == upper)
    points = decode_points(start(server, page).points)
    assert len(points) == upper
    assert points[:, 0].abs().max() < 0.6 + 0.1 + 0.01  # the stroke and the brush around it, to within a cell
    assert (points[:, 1] - 0.5).abs().max() < 0.1 + 0.01
    assert points[:, 0].max() - points[:, 0].min() > 1


def test_a_runs_drawing_is_shown_after_a_refresh_and_in_another_tab(server, tabs):
    page = board(server, tabs)
    button(page, "Five blobs").click()
    until(lambda: painted(page) == 1200)
    start(server, page)
    page.reload()
    for tab in (page, tabs(server.url)):
        expect(tab.get_by_text("1\u202f200 points were drawn.")).to_be_visible()
        until(lambda tab=tab: tab.locator("canvas.points").get_attribute("data-step") not in (None, ""))
    button(page, "Reset").click()
    until(lambda: page.locator(".board").count() and painted(page) == 1200)


def test_strokes_that_follow_at_once_are_all_kept(server, tabs):
    """While the page still runs for one stroke, the next ones are painted."""
    page = board(server, tabs)
    for k in range(8):
        y = -0.7 + 0.2 * k
        stroke(page, (-0.5, y), (0.5, y))
    seen = painted(page)
    points = decode_points(start(server, page).points)
    assert len(points) == seen
    rows = ((points[:, 1] + 0.8) / 0.2).long().clamp(0, 7)
    assert (rows.bincount(minlength=8) > 0).all()


def test_a_drawing_outlasts_a_change_of_settings_and_a_walk_to_another_page(server, tabs):
    page = board(server, tabs)
    button(page, "Spiral").click()
    until(lambda: painted(page) == 1200)
    expect(button(page, "Start")).to_be_enabled()
    choose_data(page, "Ring of 8 Gaussians")
    expect(page.locator(".monitor")).to_be_visible()
    choose_data(page, "Your own points")
    until(lambda: page.locator(".board").count() and painted(page) == 1200)
    page.get_by_role("link", name="Runs").click()
    expect(page.locator(".board")).to_have_count(0)
    page.get_by_role("link", name="Playground").click()
    until(lambda: page.locator(".board").count() and painted(page) == 1200)


def test_a_full_drawing_takes_no_more_and_is_cleared(server, tabs):
    page = board(server, tabs)
    grid = [(i / 32 - 1, j / 32 - 1) for i in range(64) for j in range(64)]
    hand_in(page, ("grid.csv", "\n".join(f"{x},{y}" for x, y in grid).encode()))
    expect(page.locator(".board .count")).to_contain_text("the drawing is full")
    stroke(page, (-0.5, 0), (0.5, 0))
    assert painted(page) == 4096
    button(page, "Clear").click()
    until(lambda: painted(page) == 0)
    expect(button(page, "Start")).to_be_disabled()
    button(page, "Undo").click()
    until(lambda: painted(page) == 4096)


def test_the_keyboard_paints_too(server, tabs):
    page = board(server, tabs)
    canvas = page.locator("canvas.paper")
    canvas.focus()
    for _ in range(10):
        canvas.press("ArrowRight")
    canvas.press(" ")
    count = until(lambda: painted(page))
    canvas.press("Control+z")
    until(lambda: painted(page) == 0)
    canvas.press(" ")
    until(lambda: painted(page) == count)
    points = decode_points(start(server, page).points)
    assert (points[:, 0] - 0.5).abs().max() < 0.11
    assert points[:, 1].abs().max() < 0.11


def test_a_table_of_points_is_trained_on(server, tabs):
    page = board(server, tabs)
    content = "x;y\n" + "\n".join(f"{k};{40 * math.sin(k / 15):.3f}".replace(".", ",") for k in range(300))
    hand_in(page, ("wave.csv", content.encode()))
    expect(page.get_by_text("wave.csv: 300 points read.")).to_be_visible()
    until(lambda: painted(page) == 300)
    assert start(server, page).points == encode_points(read_table(content).points)


def test_a_table_that_cannot_be_used_is_a_sentence_and_changes_nothing(server, tabs):
    page = board(server, tabs)
    button(page, "Heart").click()
    expect(button(page, "Start")).to_be_enabled()  # the drawing has arrived: Streamlit forgets a file that overtakes it
    hand_in(page, ("bad.csv", b"x,y\n1,2\n3,four\n"))
    expect(page.get_by_text("bad.csv: Line 3: y “four” is no number.")).to_be_visible()
    expect(page.get_by_test_id("stException")).to_have_count(0)
    assert painted(page) == 1200
    stroke(page, (-0.9, 0.9), (-0.8, 0.9))
    expect(page.get_by_text("bad.csv")).to_have_count(0)


def png(value: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((16, 16, 3), value, np.uint8)).save(file, "PNG")
    return file.getvalue()


def album() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for k in range(6):
            archive.writestr(f"{k}.png", png(40 * k))
    return file.getvalue()


@pytest.mark.parametrize(
    "files", [[("My cats.zip", album())], [(f"{k}.png", png(40 * k)) for k in range(6)]], ids=["zip", "images"]
)
def test_images_are_handed_in_and_trained_on(own_data, cold_server, tabs, files):
    page = tabs(f"{cold_server.url}?run=new")
    choose_data(page, "Your own images")
    expect(page.get_by_text("needs path")).to_be_visible()
    hand_in(page, *files)
    expect(page.get_by_text("6 images were taken.")).to_be_visible()
    expect(page.locator("canvas.images")).to_be_visible()
    (kept,) = (own_data / "uploads").iterdir()
    expect(page.get_by_label("Folder or zip", exact=True)).to_have_value(str(kept))
    assert start(cold_server, page).path == str(kept)


def test_images_that_cannot_be_used_are_a_sentence_and_leave_no_file(own_data, cold_server, tabs):
    page = tabs(f"{cold_server.url}?run=new")
    choose_data(page, "Your own images")
    hand_in(page, ("cats.zip", b"not a zip"))
    expect(page.get_by_text("cats.zip cannot be read")).to_be_visible()
    expect(page.get_by_test_id("stException")).to_have_count(0)
    assert list(own_data.rglob("*.*")) == []
    path = page.get_by_label("Folder or zip", exact=True)
    path.fill("/nowhere/at/all")
    path.press("Enter")
    expect(page.locator(".empty")).to_contain_text("/nowhere/at/all cannot be read")


def test_the_board_works_with_a_finger_on_a_narrow_dark_screen(server, browser):
    context = browser.new_context(viewport={"width": 420, "height": 900}, color_scheme="dark", has_touch=True)
    page = context.new_page()
    page.set_default_timeout(30_000)
    page.goto(f"{server.url}?run=new")
    expect(page.locator(".monitor")).to_be_visible()
    choose_data(page, "Your own points")
    canvas = page.locator("canvas.paper")
    expect(canvas).to_be_visible()
    canvas.scroll_into_view_if_needed()
    canvas.tap()
    until(lambda: painted(page) > 0)
    assert page.evaluate("document.documentElement.scrollWidth") <= 420
    assert canvas.evaluate("c => getComputedStyle(c).touchAction") == "none"
    context.close()
