"""The list of runs in a browser: what is typed outlasts the refresh, choices stand in the address, and deleting can be undone."""

import pytest
from driving import until
from playwright.sync_api import expect

from gan_core import GANConfig


@pytest.fixture
def two(server):
    ids = [server.store.create([GANConfig(steps=50)], name) for name in ("amber", "birch")]
    for run in ids:
        server.store.update(run, status="stopped")
    return ids


@pytest.fixture
def page(server, two, tabs):
    page = tabs(f"{server.url}runs")
    expect(page.get_by_text("2 runs ·")).to_be_visible()
    return page


def choose_first(page):
    """Tick the box of the first line."""
    page.locator(".list tbody input").first.check()
    expect(page.get_by_role("button", name="Delete", exact=True)).to_be_enabled()


def test_a_note_that_is_being_typed_outlasts_the_lists_refreshes(server, two, page):
    choose_first(page)
    page.get_by_role("button", name="Edit").click()
    note = page.get_by_label("Note")
    note.press_sequentially("half of ")
    server.store.describe(two[0], name="changed elsewhere")  # the list comes anew, and is another one
    expect(page.locator(".list").get_by_text("changed elsewhere")).to_be_visible()
    note.press_sequentially("a note")
    note.press("Control+Enter")
    until(lambda: server.store.get(two[1]).note == "half of a note")
    expect(note).to_have_value("half of a note")


def test_a_search_stands_in_the_address_and_outlasts_a_refresh_and_a_walk(page):
    search = page.get_by_placeholder("Name, note, tag")
    search.press_sequentially("AMB")
    expect(page.get_by_text("1 run, of 2 in all")).to_be_visible()
    until(lambda: page.url.endswith("runs?q=AMB"))
    page.reload()
    expect(page.get_by_text("1 run, of 2 in all")).to_be_visible()
    page.get_by_role("link", name="Latent space").click()
    expect(page.get_by_text("Nothing to explore yet")).to_be_visible()
    page.get_by_role("link", name="Runs").click()
    expect(search).to_have_value("AMB")


def test_deleting_can_be_undone_after_a_refresh(server, two, page):
    choose_first(page)
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_text("1 run ·")).to_be_visible()
    page.reload()
    page.get_by_role("button", name="Undo delete").click()
    expect(page.get_by_text("2 runs ·")).to_be_visible()
    assert len(server.store.lines()) == 2


def test_a_name_that_cannot_be_kept_stays_in_its_field_with_a_sentence(server, two, page):
    choose_first(page)
    page.get_by_role("button", name="Edit").click()
    name = page.get_by_label("Name", exact=True)
    name.fill("turned \u202e around")
    name.press("Enter")
    expect(page.get_by_text("cannot hold the invisible letter U+202E")).to_be_visible()
    expect(name).to_have_value("turned \u202e around")
    assert server.store.get(two[1]).name == "birch"
    name.fill("mended")
    name.press("Enter")
    until(lambda: server.store.get(two[1]).name == "mended")
    expect(page.get_by_text("cannot hold the invisible letter")).to_have_count(0)


def test_back_leads_to_a_page_whose_address_says_nothing_more(page):
    page.get_by_role("link", name="Compare", exact=True).click()
    expect(page.get_by_text("Choose the runs above")).to_be_visible()
    page.go_back()
    expect(page.get_by_text("2 runs ·")).to_be_visible()


def test_lines_are_chosen_by_mouse_and_keyboard_and_stay_chosen_in_another_order(server, tabs):
    for name in ("amber", "birch", "cedar", "delta"):
        server.store.update(server.store.create([GANConfig(steps=50)], name), status="stopped")
    page = tabs(f"{server.url}runs")
    lines, chosen = page.locator(".list tbody tr"), page.locator(".list tr.chosen b")
    expect(lines.locator("b")).to_have_text(["delta", "cedar", "birch", "amber"])
    lines.nth(1).click()
    lines.nth(3).click(modifiers=["Shift"])
    expect(chosen).to_have_text(["cedar", "birch", "amber"])
    expect(page.get_by_role("button", name="Compare", exact=True)).to_be_enabled()
    lines.nth(1).locator("input").focus()
    for key in ("ArrowDown", "Space"):
        page.keyboard.press(key)
    expect(chosen).to_have_text(["cedar", "amber"])
    page.get_by_role("button", name="Name", exact=True).click()
    expect(lines.locator("b")).to_have_text(["amber", "birch", "cedar", "delta"])
    expect(chosen).to_have_text(["amber", "cedar"])
    until(lambda: "sort=name" in page.evaluate("location.search"))
    page.get_by_label("Choose all of this page").check()
    expect(chosen).to_have_count(4)
    page.get_by_role("radio", name="Trash", exact=True).click()
    expect(page.get_by_text("The trash is empty")).to_be_visible()


def test_what_was_chosen_is_still_chosen_after_a_search_and_a_walk(page):
    choose_first(page)
    page.get_by_placeholder("Name, note, tag").press_sequentially("amber")
    expect(page.locator(".list b")).to_have_text(["amber"])
    expect(page.get_by_role("button", name="Delete", exact=True)).to_be_disabled()  # what is not to be seen
    page.get_by_role("link", name="Compare", exact=True).click()
    page.get_by_role("link", name="Runs", exact=True).click()
    page.get_by_placeholder("Name, note, tag").fill("")
    expect(page.locator(".list tr.chosen b")).to_have_text(["birch"])
    expect(page.get_by_role("button", name="Delete", exact=True)).to_be_enabled()
