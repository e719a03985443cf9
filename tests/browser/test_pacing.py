"""Single steps, speed and pauses in a real browser."""

import pytest
from driving import until
from playwright.sync_api import Page, expect

from gan_core import GANConfig

LONG = {"steps": 10_000_000}


def button(page: Page, name: str):
    return page.get_by_role("button", name=name, exact=True)


def opened(page: Page) -> None:
    """The popover with pace and pause."""
    button(page, "Pace").click()
    expect(page.get_by_text("Steps a second")).to_be_visible()


def closed(page: Page) -> None:
    page.keyboard.press("Escape")
    expect(page.get_by_text("Steps a second")).to_be_hidden()


def waiting_run(server, **settings) -> str:
    """A run that a Resume button can take up."""
    run = server.store.create([GANConfig(**{**LONG, **settings})])
    server.store.update(run, status="interrupted")
    return run


def test_a_slow_run_pauses_by_itself_and_each_network_steps_alone(server, tabs):
    run = waiting_run(server)
    page, other = tabs(f"{server.url}?run={run}"), tabs(f"{server.url}?run={run}")
    opened(page)
    page.get_by_role("radio", name="10/s", exact=True).click()
    until(lambda: server.store.get(run).pace == 10)
    page.get_by_label("Pause by itself").click()
    page.get_by_role("option", name="At a step").click()
    field = page.get_by_role("spinbutton", name="Step", exact=True)
    field.fill("80")
    field.press("Enter")
    button(page, "Apply").click()
    until(lambda: server.store.get(run).until == {"step": 80})
    closed(page)
    button(page, "Resume").click()
    expect(other.locator(".monitor .left")).to_have_text("at most 10 steps/s, pauses at step 80")
    for tab in (page, other):
        expect(tab.locator(".monitor .left")).to_have_text("Paused: step 80 is reached.")
        expect(tab.locator(".monitor")).to_have_attribute("data-step", "80")
        expect(button(tab, "Resume")).to_be_visible()

    canvas = page.locator("canvas.points")
    for name, part in (("D step", "discriminator"), ("G step", "generator")):
        before = canvas.evaluate("c => c.toDataURL()")
        button(page, name).click()
        until(lambda part=part: server.store.events(run) and server.store.events(run)[-1]["part"] == part)
        until(lambda before=before: canvas.evaluate("c => c.toDataURL()") != before)
        expect(button(page, name)).to_be_enabled()
    assert server.store.get(run).step == 80
    assert server.store.get(run).status == "paused"


def test_a_slow_run_is_sped_up_while_it_trains(server, tabs):
    run = waiting_run(server)
    server.store.update(run, pace=1.0)
    page = tabs(f"{server.url}?run={run}")
    button(page, "Resume").click()
    until(lambda: server.store.get(run).step >= 2)
    assert server.store.get(run).step < 50
    opened(page)
    expect(page.get_by_role("radio", name="1/s", exact=True)).to_be_checked()
    page.get_by_role("radio", name="Full", exact=True).click()
    until(lambda: server.store.get(run).step > 200)
    closed(page)
    button(page, "Stop").click()
    until(lambda: server.store.get(run).status == "stopped")


@pytest.mark.parametrize(("width", "lines"), [(1280, 1), (480, 2)])
def test_the_transport_stands_in_few_lines(server, tabs, width, lines):
    run = waiting_run(server, loss="relativistic", penalty="r1_r2", dataset="two_gaussians")
    page = tabs(f"{server.url}?run={run}", width=width)
    expect(button(page, "Resume")).to_be_visible()
    name = page.get_by_test_id("stMain").get_by_text(server.store.get(run).name, exact=True)
    places = [button(page, label) for label in ("Resume", "Step", "D step", "G step", "Pace", "Stop", "Reset")]

    def taken() -> int:
        centres = [(box := each.bounding_box())["y"] + box["height"] / 2 for each in [*places, name]]
        return len({round(y / 20) for y in centres})

    until(lambda: taken() == lines, what="fonts and styles are there")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
