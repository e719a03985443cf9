"""Finding the latent of an image, neighbours, and picking samples, as a person does it."""

import io

import pytest
from driving import until
from PIL import Image
from playwright.sync_api import Page, expect

from gan_core import GANConfig

DIGITS = GANConfig(dataset="digits", network="dcgan", width=8, latent_dim=8, batch_size=16, steps=20, ema_decay=0.9)

LONG = DIGITS.but(network="resnet", width=64, steps=2)  # one step of a search takes its time


@pytest.fixture
def opened(server, tabs, trained):
    """The latent page on a short run, opened with a query."""

    def open_page(config: GANConfig, query: str, **look) -> Page:
        return tabs(f"{server.url}latent?run={trained(config)}&{query}", **look)

    return open_page


def button(page: Page, name: str):
    return page.get_by_role("button", name=name, exact=True)


def begin(page: Page) -> None:
    expect(button(page, "Find")).to_be_enabled()
    button(page, "Find").click()


def in_address(page: Page, part: str) -> None:
    until(lambda: part in page.evaluate("location.search"), what=f"{part} stands in the address")


def field(page: Page, name: str):
    return page.get_by_role("textbox", name=name, exact=True)


def test_an_image_of_the_data_is_found_and_used_as_a_place(opened):
    page = opened(DIGITS, "tool=find&item=17")
    expect(page.get_by_role("img", name="Looked for")).to_be_visible()
    expect(button(page, "A")).to_be_disabled()
    begin(page)
    expect(page.locator(".find")).to_have_attribute("data-state", "done")
    for name in ("The generator's", "Difference"):
        expect(page.get_by_role("img", name=name)).to_be_visible()
    expect(page.locator(".find .caption")).to_contain_text("as a root mean square (300 steps")
    button(page, "A").click()
    expect(page.get_by_text("A is now what was found.")).to_be_visible()
    in_address(page, "a=~")
    in_address(page, "item=17")
    page.get_by_role("radio", name="Walk").click()
    expect(page.locator(".player")).to_have_attribute("data-frames", "25")
    assert field(page, "A").input_value().startswith("~")
    page.reload()
    expect(page.locator(".player")).to_have_attribute("data-frames", "25")
    assert field(page, "A").input_value().startswith("~")


def test_a_long_search_is_stopped_and_keeps_what_it_has(opened):
    page = opened(LONG, "tool=find&starts=32&descent=1000")
    begin(page)
    until(lambda: int(page.locator(".find").get_attribute("data-share") or 0) > 0)
    expect(page.locator(".find")).to_have_attribute("data-state", "searching")
    button(page, "Stop").click()
    expect(page.locator(".find")).to_have_attribute("data-state", "stopped")
    assert int(page.locator(".find").get_attribute("data-share")) < 100
    expect(button(page, "B")).to_be_enabled()
    expect(button(page, "Find")).to_be_enabled()


def test_another_image_ends_the_search_for_the_last_one(opened):
    page = opened(LONG, "tool=find&starts=32&descent=1000")
    begin(page)
    until(lambda: int(page.locator(".find").get_attribute("data-share") or 0) > 0)
    index = page.get_by_role("spinbutton", name="Image of the data, 0 to 1796")
    index.fill("3")
    index.press("Enter")
    expect(page.locator(".find")).to_have_attribute("data-state", "none")
    in_address(page, "item=3")
    expect(button(page, "Find")).to_be_enabled()


def png(mode: str, size: tuple[int, int]) -> bytes:
    file = io.BytesIO()
    Image.new(mode, size).save(file, "PNG")
    return file.getvalue()


def test_a_file_is_taken_with_a_sentence_and_a_broken_one_is_refused_with_one(opened):
    page = opened(DIGITS, "tool=find&target=image")
    expect(button(page, "Find")).to_be_disabled()

    def hand_in(name: str, content: bytes) -> None:
        given = {"name": name, "mimeType": "image/png", "buffer": content}
        at_rest = page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]')
        expect(at_rest).to_have_count(1)  # Streamlit forgets a file that overtakes a run of the page
        page.get_by_test_id("stFileUploader").locator("input[type=file]").set_input_files(given)

    hand_in("torn.png", png("RGB", (40, 20))[:30])
    expect(page.get_by_text("torn.png: The file cannot be read as an image.")).to_be_visible()
    expect(page.get_by_test_id("stException")).to_have_count(0)
    expect(button(page, "Find")).to_be_disabled()
    hand_in("wide.png", png("RGBA", (40, 20)))
    expect(page.get_by_text("wide.png: Its middle square was taken. It was scaled from 20 to 8 pixels")).to_be_visible()
    expect(page.get_by_text("torn.png")).to_have_count(0)
    begin(page)
    expect(page.locator(".find")).to_have_attribute("data-state", "done")


def test_a_drawing_is_found_and_outlasts_a_look_at_another_tool(opened):
    page = opened(DIGITS, "tool=find&target=drawing")
    paper = page.locator(".paper")
    expect(paper).to_have_attribute("data-drawn", "0")
    box = page.locator(".paper canvas").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] - 20, steps=6)
    page.mouse.up()
    drawn = until(lambda: int(paper.get_attribute("data-drawn")))
    expect(page.get_by_role("img", name="Looked for")).to_be_visible()
    begin(page)
    expect(page.locator(".find")).to_have_attribute("data-state", "done")
    link = page.url
    page.get_by_role("radio", name="Walk").click()
    expect(page.locator(".player")).to_be_visible()
    page.get_by_role("radio", name="Find").click()
    expect(paper).to_have_attribute("data-drawn", str(drawn))
    expect(page.locator(".find")).to_have_attribute("data-state", "done")
    button(page, "Clear").click()
    expect(paper).to_have_attribute("data-drawn", "0")
    expect(button(page, "Find")).to_be_disabled()
    button(page, "Undo").click()
    expect(page.get_by_role("img", name="Looked for")).to_be_visible()
    assert {"drawing=", "sought="} <= {part.partition("=")[0] + "=" for part in link.partition("?")[2].split("&")}
    page.goto("about:blank")
    page.goto(link)  # what was drawn is kept with the run, and what was found is found again
    expect(paper).not_to_have_attribute("data-drawn", "0")
    expect(page.locator(".find")).to_have_attribute("data-state", "done")


def test_a_point_is_found(opened):
    page = opened(GANConfig(dataset="ring8", width=16, batch_size=16, steps=20), "tool=find&target=place&px=0.5&py=0.25")
    begin(page)
    expect(page.locator(".find")).to_have_attribute("data-state", "done")
    expect(page.locator(".find .caption")).to_contain_text("to the place")
    assert page.locator("canvas.stage").get_attribute("aria-label").startswith("Looked for 0.5, 0.25; the generator's ")


@pytest.mark.parametrize("dataset", ["digits", "ring8"])
def test_samples_are_picked_one_after_the_other(opened, dataset):
    config = DIGITS if dataset == "digits" else GANConfig(dataset="ring8", width=16, batch_size=16, steps=20)
    page = opened(config, "tool=walk")
    button(page, "Pick from samples").click()
    samples = page.locator(".picker button")
    expect(samples).to_have_count(48)
    samples.nth(5).click(force=True)  # points may lie on top of each other
    expect(field(page, "A")).not_to_have_value("0")
    expect(page.get_by_role("radio", name="B", exact=True)).to_be_checked()
    button(page, "Later").click()
    expect(page.locator(".picker")).to_have_attribute("data-first", "48")
    page.get_by_role("button", name="Seed 48", exact=True).focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(field(page, "B")).to_have_value("49")
    in_address(page, "b=49")
    expect(page.get_by_role("radio", name="A", exact=True)).to_be_checked()


def test_neighbours_are_shown_with_their_distances(opened):
    page = opened(DIGITS, "tool=near&ends=3", width=420, height=900)
    expect(page.locator(".near .row")).to_have_count(3)
    expect(page.locator(".near figure.real")).to_have_count(18)
    expect(page.locator(".near .words").first).to_contain_text("copy")
    expect(page.get_by_role("img", name="the usual distance")).to_have_count(18)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
