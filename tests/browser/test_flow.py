"""What a person does, in a real browser."""

import re
import signal

import pytest
from driving import Server, choose, until
from playwright.sync_api import Page, expect

from gan_core import GANConfig, Runner
from ui import components, live
from ui.shell import PAGES

LONG = {"steps": 10_000_000}


def button(page: Page, name: str):
    return page.get_by_role("button", name=name, exact=True)


def step(page: Page) -> int:
    return int(page.locator(".monitor").first.get_attribute("data-step"))


def picture(page: Page) -> str:
    """What the 2-D stage shows, as a data address."""
    return page.locator("canvas.points").first.evaluate("c => c.toDataURL()")


def waiting_run(server: Server, **settings) -> str:
    """A run that a Resume button can take up."""
    run = server.store.create([GANConfig(**{**LONG, **settings})])
    server.store.update(run, status="interrupted")
    return run


def test_start_watch_pause_resume_refresh_second_tab_stop(server, tabs):
    page = tabs(server.url)
    page.get_by_label("Steps", exact=True).fill("1000000")
    page.get_by_label("Steps", exact=True).press("Enter")
    real_only = picture(page)
    button(page, "Start").click()
    until(lambda: step(page) > 0)
    before, first = picture(page), step(page)
    assert before != real_only
    until(lambda: step(page) > first)
    until(lambda: picture(page) != before)

    button(page, "Pause").click()
    expect(button(page, "Resume")).to_be_visible()
    run = server.store.runs()[0].id
    until(lambda: server.store.get(run).status == "paused")
    until(lambda: step(page) == server.store.get(run).step)
    still = step(page)
    page.wait_for_timeout(1500)  # three refreshes in which nothing may move
    assert step(page) == still
    assert server.store.get(run).step == still

    button(page, "Step").click()
    until(lambda: step(page) == still + 1)
    button(page, "Resume").click()
    until(lambda: step(page) > still + 1)

    page.reload()
    until(lambda: step(page) > still + 1)
    assert page.locator(".monitor").get_attribute("data-run") == run
    other = tabs(server.url)
    until(lambda: step(other) > still + 1)
    assert other.locator(".monitor").get_attribute("data-run") == run

    page.get_by_role("link", name="Runs").click()
    expect(page.locator(".list")).to_be_visible()
    page.get_by_role("link", name="Playground").click()
    expect(page.locator(".monitor")).to_have_attribute("data-run", run)
    button(page, "Stop").click()
    expect(button(page, "Reset")).to_be_enabled()
    until(lambda: server.store.get(run).status == "stopped")
    expect(button(other, "Resume")).to_be_visible()
    assert len(server.store.runs()) == 1


def test_the_live_view_keeps_its_node_and_its_zoom(server, tabs):
    page = tabs(f"{server.url}?run={waiting_run(server)}")
    button(page, "Resume").click()
    until(lambda: step(page) > 0)
    canvas = page.locator("canvas.points")
    canvas.evaluate("c => c.marked = true")
    canvas.hover()
    page.mouse.wheel(0, -400)
    zoom = until(lambda: (z := canvas.get_attribute("data-zoom")) != "1.000" and z)
    seen = step(page)
    until(lambda: step(page) > seen)
    assert canvas.evaluate("c => c.marked") is True
    assert canvas.get_attribute("data-zoom") == zoom
    button(page, "Stop").click()


@pytest.mark.parametrize("order", [[0, 1], [1, 0]], ids=["in_order", "the_newer_first"])
def test_a_message_that_is_overtaken_neither_ends_the_view_nor_is_shown(server, tabs, order):
    """Streamlit may hand on two messages in either order, and says farewell to the older one after both."""
    page = tabs(server.url)
    run = server.store.create([GANConfig(**LONG)])
    server.store.update(run, status="interrupted")
    runner, messages = Runner(server.store), []
    for step in (5, 6):
        server.store.report(run, step=step, rate=0, seconds=0, series={}, status="running", message="")
        messages.append(list(live.run_message(runner, server.store.get(run))))
    shown = page.evaluate(
        """async ([code, messages, order]) => {
            const module = await import(URL.createObjectURL(new Blob([code], { type: "text/javascript" })));
            const place = document.createElement("div");
            place.innerHTML = '<div class="host"></div>';
            place.id = "mounted";
            document.body.append(place);
            const farewells = [];
            for (const k of order) {
                const data = new Uint8Array(messages[k]);
                farewells[k] = module.default({ parentElement: place, data, setTriggerValue: () => {} });
            }
            await farewells[0]();
            return place.querySelector(".monitor").dataset.step;
        }""",
        [components.code("monitor"), messages, order],
    )
    assert shown == "6"
    server.store.report(run, step=77, rate=0, seconds=0, metrics={}, series={}, status="stopped", message="")
    until(lambda: page.locator("#mounted .monitor").get_attribute("data-step") == "77")


def test_start_pressed_twice_starts_one_run(server, tabs):
    page = tabs(server.url)
    button(page, "Start").dblclick()
    until(lambda: step(page) > 0)
    assert len(server.store.runs()) == 1


def test_a_learning_rate_changes_while_it_trains(server, tabs):
    run = waiting_run(server)
    page = tabs(f"{server.url}?run={run}")
    button(page, "Resume").click()
    until(lambda: step(page) > 0)
    field = page.get_by_label("Generator's learning rate", exact=True)
    field.fill("0.0005")
    field.press("Enter")
    until(lambda: any(e["kind"] == "set" for e in server.store.events(run)))
    (event,) = [e for e in server.store.events(run) if e["kind"] == "set"]
    assert (event["name"], event["value"]) == ("lr_g", 0.0005)
    assert event["step"] > 0
    button(page, "Stop").click()


def test_a_penalty_is_switched_on_while_it_trains(server, tabs):
    run = waiting_run(server)
    page = tabs(f"{server.url}?run={run}")
    button(page, "Resume").click()
    until(lambda: step(page) > 0)
    menu = page.get_by_role("combobox", name="Penalty", exact=True)
    option = page.get_by_text("DRAGAN", exact=True)
    choose(menu, option)
    until(lambda: server.store.get(run).config.penalty == "dragan")
    assert server.store.get(run).config.penalty_weight == 0.1  # the usual one for points
    at = step(page)
    until(lambda: step(page) > at)
    button(page, "Stop").click()


def test_a_conditional_run_shows_a_column_for_each_class(server, tabs):
    run = waiting_run(server, dataset="digits", network="dcgan", width=8, batch_size=16, conditional="projection")
    page = tabs(f"{server.url}?run={run}")
    button(page, "Resume").click()
    until(lambda: int(page.locator("canvas.images").get_attribute("data-step") or 0) > 0)
    expect(page.locator(".caption")).to_contain_text("A column for each class")
    shown = page.locator("canvas.images")
    assert (shown.get_attribute("data-columns"), shown.get_attribute("data-rows")) == ("10", "8")
    button(page, "Stop").click()


def test_a_likelihood_model_shows_its_bits(server, tabs):
    run = waiting_run(server, dataset="digits", network="pixelcnn", levels=2, width=8, depth=1, batch_size=16)
    page = tabs(f"{server.url}?run={run}")
    button(page, "Resume").click()
    expect(page.locator(".big b")).to_have_text(re.compile(r"^0\.\d+$"), timeout=60_000)
    expect(page.locator(".big span")).to_contain_text("bits for each pixel")
    button(page, "Stop").click()


def test_an_unknown_run_is_said(server, tabs):
    page = tabs(f"{server.url}?run=nonsense")
    expect(page.get_by_text("There is no run nonsense here")).to_be_visible()
    expect(button(page, "Start")).to_be_visible()


def test_digits_change_as_they_are_learnt(server, tabs):
    run = waiting_run(server, dataset="digits", network="dcgan", width=8, batch_size=16)
    page = tabs(f"{server.url}?run={run}")
    button(page, "Resume").click()
    image = page.locator("canvas.images")
    expect(image).to_be_visible()
    first = image.evaluate("c => c.toDataURL()")
    until(lambda: image.evaluate("c => c.toDataURL()") != first)
    button(page, "Stop").click()


@pytest.mark.parametrize("file", PAGES)
def test_a_deep_link_on_a_cold_server_shows_the_whole_shell(cold_server, tabs, file):
    name = "" if file == "playground.py" else file.removeprefix("pages/").removesuffix(".py")
    page = tabs(cold_server.url + name)
    for title, _ in PAGES.values():
        expect(page.get_by_test_id("stSidebar").get_by_role("link", name=title)).to_be_visible()
    expect(page.get_by_text("GAN Playground")).to_be_visible()
    assert page.title().endswith("GAN Playground")
    expect(page.get_by_test_id("stException")).to_have_count(0)


def test_the_settings_hold_from_another_folder(tmp_path, tabs):
    server = Server(tmp_path, cwd=tmp_path).ready()
    try:
        page = tabs(server.url)
        expect(button(page, "Start")).to_be_visible()
        expect(page.get_by_test_id("stSidebarNav")).to_have_count(0)  # client.showSidebarNavigation
        assert "mail" not in server.log.read_text().lower()
        until(lambda: page.locator("canvas.points").get_attribute("data-step") == "0")  # enableStaticServing
        page.goto("about:blank")
    finally:
        server.stop()


def test_a_walk_through_latent_space_plays(server, tabs):
    run = waiting_run(server, steps=200, width=16, batch_size=32)
    page = tabs(f"{server.url}?run={run}")
    button(page, "Resume").click()
    until(lambda: server.store.get(run).status == "finished")
    page.get_by_role("link", name="Latent space").click()
    player = page.locator(".player")
    expect(player).to_have_attribute("data-frames", "25")
    button(page, "Play").click()
    until(lambda: int(player.get_attribute("data-frame")) > 5)
    button(page, "Pause").click()
    page.get_by_role("radio", name="4", exact=True).click()
    expect(player).to_have_attribute("data-frames", "96")


def test_a_pair_trains_in_step_and_counts_modes(server, tabs):
    long = waiting_run(server, lr_d=1e-4, steps=10_000_000)  # so that it is not over before it is stopped
    page = tabs(f"{server.url}collapse?run={long}")
    page.get_by_label("What fails").click()
    page.get_by_role("option", name="The run in focus, as it is").click()
    expect(page.get_by_text("The settings of the run in focus.")).to_be_visible()
    button(page, "Start both").click()
    monitors = page.locator(".monitor")
    until(lambda: monitors.count() == 2 and all(int(monitors.nth(k).get_attribute("data-step")) > 0 for k in (0, 1)))
    one, two = server.store.pair(server.store.runs()[0].pair)
    until(lambda: min(server.store.get(r.id).step for r in (one, two)) > 100)
    for k in (0, 1):
        expect(monitors.nth(k).locator(".big")).to_contain_text("of 8 modes held")
    button(page, "Stop").click()
    until(lambda: all(server.store.get(r.id).status == "stopped" for r in (one, two)))
    stopped = [server.store.get(r.id).step for r in (one, two)]
    assert abs(stopped[0] - stopped[1]) <= 1
    button(page, "Resume").click()
    until(lambda: min(server.store.get(r.id).step for r in (one, two)) > max(stopped) + 100)
    assert [server.store.get(r.id).status for r in (one, two)] == ["running", "running"]
    button(page, "Stop").click()
    until(lambda: all(server.store.get(r.id).status == "stopped" for r in (one, two)))
    assert abs(server.store.get(one.id).step - server.store.get(two.id).step) <= 1


def test_the_latent_page_leaves_focus_and_form_alone(server, tabs):
    done = waiting_run(server, steps=20, width=8, batch_size=8)
    page = tabs(f"{server.url}?run={done}")
    button(page, "Resume").click()
    expect(button(page, "Start")).to_be_visible()  # the page knows that it is finished
    button(page, "Reset").click()
    page.get_by_label("Steps", exact=True).fill("1234")
    page.get_by_label("Steps", exact=True).press("Enter")
    expect(page.locator(".monitor .step")).to_have_text("1\u202f234 steps planned")  # it has arrived
    page.get_by_role("link", name="Latent space").click()
    expect(page.locator(".player")).to_have_attribute("data-frames", "25")
    page.get_by_role("link", name="Playground").click()
    expect(button(page, "Start")).to_be_visible()
    expect(page.get_by_label("Steps", exact=True)).to_have_value("1234")
    assert page.locator(".monitor").get_attribute("data-run") == ""


def test_runs_are_opened_and_deleted(server, tabs):
    keep, gone = waiting_run(server, seed=1), waiting_run(server, seed=2)
    page = tabs(f"{server.url}runs")
    newest = page.locator(".list tbody tr").first
    newest.click()
    expect(button(page, "Delete")).to_be_enabled()
    button(page, "Delete").click()
    expect(button(page, "Undo delete")).to_be_visible()
    assert [run.id for run in server.store.runs()] == [keep]
    expect(page.get_by_text("1 run ·")).to_be_visible()  # the list has come anew
    newest.click()
    button(page, "Open").and_(page.get_by_test_id("stBaseButton-primary")).click()  # a menu's arrow is called so too
    expect(page.locator(".monitor")).to_have_attribute("data-run", keep)
    assert gone not in page.url
    page.get_by_role("link", name="Mode collapse").click()
    expect(button(page, "Start both")).to_be_visible()
    page.get_by_role("link", name="Playground").click()
    expect(page.locator(f'.monitor[data-run="{keep}"]')).to_be_visible()  # the lab's two may still be there for a moment
    other = waiting_run(server, seed=3)  # newer, so that it would be shown were the address empty
    page.reload()
    expect(page.locator(".monitor")).to_have_attribute("data-run", keep)
    assert other not in page.url


def test_a_killed_server_leaves_its_run_to_be_resumed(tmp_path, tabs):
    server = Server(tmp_path).ready()
    run = waiting_run(server)
    page = tabs(f"{server.url}?run={run}")
    button(page, "Resume").click()
    until(lambda: len(server.store.checkpoint_steps(run)) > 1)
    page.goto("about:blank")  # a page that loses its server logs errors of its own
    server.stop(signal.SIGKILL)
    assert server.store.get(run).status == "running"
    server = Server(tmp_path).ready()
    try:
        page = tabs(f"{server.url}?run={run}")
        expect(button(page, "Resume")).to_be_visible()
        assert server.store.get(run).status == "interrupted"
        at = server.store.checkpoint_steps(run)[-1]
        button(page, "Resume").click()
        until(lambda: server.store.get(run).step > at)
        until(lambda: step(page) > at)
    finally:
        page.goto("about:blank")
        server.stop()


def test_stopping_the_server_keeps_a_last_checkpoint(tmp_path, tabs):
    server = Server(tmp_path).ready()
    run = waiting_run(server)
    page = tabs(f"{server.url}?run={run}")
    button(page, "Resume").click()
    until(lambda: step(page) > 0)
    page.goto("about:blank")
    assert server.stop() in (0, -signal.SIGTERM), server.log.read_text()[-2000:]
    row = server.store.get(run)
    assert row.status == "interrupted"
    assert server.store.checkpoint_steps(run)[-1] == row.step


def test_dark_and_narrow_work_too(server, tabs):
    page = tabs(server.url, width=420, height=900, scheme="dark")
    expect(button(page, "Start")).to_be_visible()
    button(page, "Start").click()
    until(lambda: step(page) > 0)
    assert page.evaluate("document.documentElement.scrollWidth") <= 420


def test_the_app_asks_no_other_host(server, browser):
    page = browser.new_context().new_page()
    asked = []
    page.on("request", lambda r: asked.append(r.url))
    page.goto(server.url)
    expect(button(page, "Start")).to_be_visible()
    until(lambda: page.locator("canvas.points").get_attribute("data-step") == "0")
    page.context.close()
    assert [url for url in asked if not url.startswith((server.url, "data:", "blob:", "ws://localhost"))] == []


def test_a_run_goes_out_as_a_file_and_comes_in_again(server, tabs):
    run = waiting_run(server)
    page = tabs(f"{server.url}runs")
    page.locator(".list tbody tr").click()
    button(page, "Save").click()
    with page.expect_download() as report:
        page.get_by_role("link", name="Report").click()
    assert run in report.value.path().read_text(encoding="utf-8")
    with page.expect_download() as bundle:
        page.get_by_role("link", name="Bundle").click()
    page.keyboard.press("Escape")
    button(page, "Import").click()
    place = page.get_by_test_id("stFileUploader").locator("input[type=file]")
    place.set_input_files([{"name": "bad.ganrun", "mimeType": "application/zip", "buffer": b"nothing"}])
    expect(page.get_by_text("bad.ganrun: The file cannot be imported")).to_be_visible()
    place.set_input_files(bundle.value.path())
    until(lambda: len(server.store.runs()) == 2)
    assert server.store.runs()[0].config == server.store.get(run).config
