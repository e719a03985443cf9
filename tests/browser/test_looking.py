"""What can be looked at inside a run: layers of the picture, the sheet of images, the networks."""

import re

from driving import until
from playwright.sync_api import Locator, Page, expect

from gan_core import GANConfig


def trained(server, tabs, **settings) -> Page:
    """A page with a run that has finished."""
    run = server.store.create([GANConfig(**{"width": 16, "batch_size": 32, "steps": 300, **settings})])
    server.store.update(run, status="interrupted")
    page = tabs(f"{server.url}?run={run}")
    page.get_by_role("button", name="Resume", exact=True).click()
    until(lambda: server.store.get(run).status == "finished", 120)
    expect(page.locator('.monitor .square [data-step="300"]')).to_be_visible()
    return page


def layer(page: Page, name: str) -> Locator:
    return page.locator(f'.tools button[data-layer="{name}"]:visible')


def drawn(canvas: Locator) -> str:
    return canvas.evaluate("c => c.toDataURL()")


def test_each_layer_is_switched_on_and_off(server, tabs):
    page = trained(server, tabs)
    canvas = page.locator(".monitor canvas.points")
    before = drawn(canvas)
    for name in ("real", "fake", "heat", "border", "arrows", "grid"):
        pressed = layer(page, name).get_attribute("aria-pressed")
        layer(page, name).click()
        assert layer(page, name).get_attribute("aria-pressed") != pressed
        assert drawn(canvas) != before, name
        layer(page, name).click()
        assert drawn(canvas) == before, name


def test_layers_and_zoom_are_kept_while_a_run_goes_on(server, tabs):
    run = server.store.create([GANConfig(width=16, batch_size=32, steps=10_000_000)])
    server.store.update(run, status="interrupted")
    page = tabs(f"{server.url}?run={run}")
    page.get_by_role("button", name="Resume", exact=True).click()
    canvas = page.locator(".monitor canvas.points")
    until(lambda: int(canvas.get_attribute("data-step") or 0) > 0)
    layer(page, "grid").click()
    canvas.hover()
    page.mouse.wheel(0, -400)
    zoom, step = canvas.get_attribute("data-zoom"), int(canvas.get_attribute("data-step"))
    assert float(zoom) > 1.5
    until(lambda: int(canvas.get_attribute("data-step")) > step)
    assert canvas.get_attribute("data-zoom") == zoom
    assert layer(page, "grid").get_attribute("aria-pressed") == "true"
    page.get_by_role("button", name="Show all").click()
    until(lambda: canvas.get_attribute("data-zoom") == "1.000")
    page.get_by_role("button", name="Stop", exact=True).click()


def test_images_are_shown_beside_real_ones_with_their_scores(server, tabs):
    page = trained(server, tabs, dataset="digits", network="mlp")
    canvas = page.locator("canvas.images")
    generated = drawn(canvas)
    layer(page, "scored").click()
    scored = drawn(canvas)
    assert scored != generated
    layer(page, "sorted").click()
    assert drawn(canvas) != scored
    layer(page, "real").click()
    assert canvas.get_attribute("data-of") == "real"
    expect(page.locator(".caption")).to_contain_text("Images of the data")
    canvas.hover(position={"x": 40, "y": 100})
    expect(page.locator(".sheet-tip")).to_have_text(re.compile(r"The discriminator: \d+ of 100 real"))
    for name in ("fake", "sorted", "scored"):
        layer(page, name).click()
    assert drawn(canvas) == generated


def test_the_networks_are_looked_into_also_in_the_past(server, tabs):
    page = trained(server, tabs)
    page.get_by_role("button", name="Inside", exact=True).click()
    canvases = page.locator(".inside canvas")
    expect(canvases).to_have_count(3)
    stretch = canvases.nth(1).get_attribute("aria-label")
    assert stretch.count("generator layer") == 3
    assert stretch.count("discriminator layer") == 3
    now = [drawn(canvases.nth(k)) for k in range(3)]
    box = page.locator(".film input").bounding_box()
    page.mouse.click(box["x"] + 0.2 * box["width"], box["y"] + box["height"] / 2)
    for k in range(3):
        until(lambda k=k: drawn(canvases.nth(k)) != now[k])
    page.get_by_role("button", name="Curves", exact=True).click()
    expect(page.locator(".charts canvas").first).to_be_visible()


def test_a_model_that_is_no_game_has_no_inside_of_two_networks(server, tabs):
    page = trained(server, tabs, dataset="digits", network="pixelcnn", levels=2, width=8, depth=1)
    expect(page.get_by_role("button", name="Inside", exact=True)).to_be_hidden()
    expect(layer(page, "scored")).to_have_count(0)


def test_a_slow_step_tells_its_stages(server, tabs):
    run = server.store.create([GANConfig(width=16, batch_size=32, steps=10_000_000)])
    server.store.update(run, status="interrupted")
    page = tabs(f"{server.url}?run={run}")
    page.get_by_role("button", name="Resume", exact=True).click()
    until(lambda: server.store.get(run).step > 5)
    page.clock.install()  # the stages would take a minute
    page.get_by_role("button", name="Slow step").click()
    until(lambda: server.store.get(run).status == "paused")
    system, caption = page.locator("canvas.system"), page.locator(".caption")
    expect(system).to_be_visible()

    def later() -> None:
        """So long a time that a stage is over."""
        page.clock.fast_forward(1500)

    def told(begin: str) -> bool:
        later()
        return begin in caption.inner_text()

    expect(caption).to_contain_text("1 of 9. Draw noise: 32")
    for begin in ("3 of 9. Judge real", "6 of 9. Its update: real", "9 of 9. The generator's update"):
        until(lambda begin=begin: told(begin))
    step = server.store.get(run).step
    page.get_by_role("button", name="Slow step").click()
    until(lambda: server.store.get(run).step == step + 1)
    expect(caption).to_contain_text("2 of 9. Generate")
    page.get_by_role("button", name="Keep going").click()
    until(lambda: later() or server.store.get(run).step >= step + 3)  # by itself
    page.get_by_role("button", name="Keep going").click()
    page.get_by_role("button", name="System", exact=True).click()
    expect(system).to_be_hidden()
    expect(page.locator(".monitor canvas.points")).to_be_visible()
    page.get_by_role("button", name="Stop", exact=True).click()


def test_a_changed_status_waits_behind_what_a_person_did(server, tabs):
    page = tabs(server.url)
    said, has = page.evaluate("""async () => {
        const { views } = await import(new URL("app/static/feed.js", document.baseURI));
        const view = { take() {} }, said = [], place = document.createElement("div");
        const all = views(() => view), begun = performance.now();
        const setTriggerValue = (name, value) => said.push([name, value, performance.now() - begun]);
        all.render({ parentElement: place, data: [1], setTriggerValue });
        view.trigger("status", "running");
        view.trigger("member", 3);
        view.trigger("status", "finished");
        while (said.length < 3) await new Promise(requestAnimationFrame);
        return [said, Object.keys(view).sort()];
    }""")
    assert [(name, value) for name, value, _ in said] == [("status", "running"), ("member", 3), ("status", "finished")]
    assert said[2][2] - said[1][2] >= 999
    assert has == ["keep", "take", "trigger"]  # nothing that a view may have of its own
