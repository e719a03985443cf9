"""The film of a run in a real browser: back and forth, forked, saved."""

import io

import pytest
from driving import until
from PIL import Image
from playwright.sync_api import Page, expect

from gan_core import GANConfig

# every picture that was asked of the server while a film was dragged
ASKED = "() => performance.getEntriesByType('resource').filter((e) => e.name.includes('/film/')).length"


def button(page: Page, name: str):
    return page.get_by_role("button", name=name, exact=True)


def finished(server, tabs, **settings) -> tuple[Page, str]:
    """A finished run on the stage."""
    run = server.store.create([GANConfig(**{"width": 16, "batch_size": 32, "steps": 1500, **settings})])
    server.store.update(run, status="interrupted")
    page = tabs(f"{server.url}?run={run}")
    button(page, "Resume").click()
    until(lambda: server.store.get(run).status == "finished", 120)
    last = server.store.get(run).steps
    expect(page.locator(f'.monitor .square [data-step="{last}"]')).to_be_visible()  # the last picture has arrived
    return page, run


def drag(page: Page, share: float) -> None:
    box = page.locator(".film input").bounding_box()
    page.mouse.click(box["x"] + share * box["width"], box["y"] + box["height"] / 2)


def test_all_views_go_back_together_without_asking_for_each_picture(server, tabs):
    page, run = finished(server, tabs)
    monitor, canvas = page.locator(".monitor"), page.locator(".monitor canvas.points")
    now = canvas.evaluate("c => c.toDataURL()"), page.locator(".bars canvas").evaluate("c => c.toDataURL()")
    numbers = page.locator(".monitor .small").inner_text()
    drag(page, 0.02)
    until(lambda: monitor.get_attribute("data-shown") not in (None, ""))
    until(lambda: canvas.evaluate("c => c.toDataURL()") != now[0])
    assert page.locator(".bars canvas").evaluate("c => c.toDataURL()") != now[1]
    assert page.locator(".monitor .small").inner_text() != numbers
    page.wait_for_function("() => true")
    asked = page.evaluate(ASKED)
    steps = set()
    for share in (0.2, 0.4, 0.6, 0.8):
        before = monitor.get_attribute("data-shown")
        drag(page, share)
        until(lambda before=before: monitor.get_attribute("data-shown") != before)
        steps.add(int(monitor.get_attribute("data-shown")))
    assert len(steps) == 4
    assert page.evaluate(ASKED) - asked <= 4  # at most one look each for what is new
    button(page, "Back to now").click()
    until(lambda: canvas.evaluate("c => c.toDataURL()") == now[0])
    assert page.locator(".monitor .small").inner_text() == numbers


@pytest.mark.parametrize(("dataset", "canvas"), [("digits", "images"), ("ring8", "points")])
def test_a_replay_plays_to_its_end(server, tabs, dataset, canvas):
    page, run = finished(server, tabs, dataset=dataset, network="mlp", steps=200)
    film, images = page.locator(".film"), page.locator(f".monitor canvas.{canvas}")
    now = images.evaluate("c => c.toDataURL()")
    page.get_by_role("button", name="Replay").click()
    until(lambda: images.evaluate("c => c.toDataURL()") != now)
    last = len(server.store.film_steps(run)) - 1
    until(lambda: float(film.get_attribute("data-place") or -1) == last)
    assert page.locator(".monitor").get_attribute("data-shown") == "200"
    until(lambda: images.evaluate("c => c.toDataURL()") == now)


def test_a_fork_goes_on_from_the_kept_step_with_what_was_changed(server, tabs):
    page, run = finished(server, tabs)
    drag(page, 0.9)
    until(lambda: page.locator(".film").get_attribute("data-kept"))
    kept = int(page.locator(".film").get_attribute("data-kept"))
    page.locator(".film .fork").click()
    until(lambda: len(server.store.runs()) == 2)
    fork = server.store.runs()[0]
    assert (fork.parent, fork.parent_step, fork.status) == (run, kept, "stopped")
    expect(page.locator(".monitor")).to_have_attribute("data-run", fork.id)
    field = page.get_by_label("Discriminator's learning rate", exact=True)
    field.fill("0.0002")
    field.press("Enter")
    button(page, "Resume").click()
    until(lambda: server.store.get(fork.id).status == "finished", 120)
    assert server.store.get(fork.id).config.lr_d == 0.0002
    assert server.store.get(run).config.lr_d == GANConfig().lr_d


def test_a_film_is_saved(server, tabs):
    page, run = finished(server, tabs, steps=300)
    page.locator(".film summary").click()
    for kind, size in (("gif", (360, 384)), ("webp", (360, 384)), ("png", None)):
        with page.expect_download() as download:
            page.locator(f'.film a[data-kind="{kind}"]').click()
        picture = Image.open(io.BytesIO(download.value.path().read_bytes()))
        assert picture.format == kind.upper()
        if size:
            assert picture.size == size
            assert picture.n_frames == len(server.store.film_steps(run))
