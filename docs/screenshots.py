"""Takes the README's pictures anew, from the app as it is: python docs/screenshots.py [PART ...]

Starts the app with an empty folder of runs, trains what the pictures show, and writes docs/*.png; all of them, or some PARTS.
"""

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "browser")]
from driving import Server, until  # noqa: E402

from benchmarks.serving import CHROMIUM_FLAGS  # noqa: E402
from gan_core import PRESETS, Runner  # noqa: E402

TELLING = {  # the step of each story's picture
    "ring": 5000,
    "saturating": 1500,
    "nonsaturating": 1500,
    "slow_discriminator": 3000,
    "collapse_cured": 2500,
    "strong_discriminator": 500,
    "clipped_critic": 3000,
    "digits": 700,
    "conditional_digits": 700,
}


def step(page: Page) -> int:
    return int(page.locator(".monitor").first.get_attribute("data-step"))


def start_preset(page: Page, server: Server, name: str) -> None:
    page.goto(f"{server.url}?run=new")
    page.locator(f".st-key-preset_{name} button").click()
    page.wait_for_timeout(1000)
    page.get_by_role("button", name="Start", exact=True).click()
    until(lambda: [run.config for run in server.store.runs()[:1]] == [PRESETS[name].config])


def compare(page: Page, server: Server) -> None:
    """Two recipes over some seeds, beside each other."""
    held, fails = (PRESETS[name].config.but(width=64, batch_size=128, steps=1500) for name in ("ring", "slow_discriminator"))
    runner, ids = Runner(server.store), []
    for name, config, seeds in (("Ring of eight", held, 3), ("Slow discriminator", fails, 2)):
        for seed in range(seeds):
            ids.append(runner.start(config.but(seed=seed), name))
            runner.wait(ids[-1], 600)
    runner.shutdown()
    page.goto(f"{server.url}compare?runs={','.join(ids)}&seeds=deviation&smooth=0.5")
    until(lambda: page.locator(".compare figure[data-step='1500']").count() == len(ids))
    page.wait_for_timeout(1500)
    page.screenshot(path=ROOT / "docs" / "compare.png")


def tell_stories(page: Page, server: Server) -> None:
    """Each story at the moment of which it tells."""
    (ROOT / "docs" / "stories").mkdir(exist_ok=True)
    for name, at in TELLING.items():
        tell_story(page, server, name, at)


def tell_story(page: Page, server: Server, name: str, at: int) -> None:
    preset = PRESETS[name]
    run = server.store.create([preset.config], name=preset.title)
    server.store.update(run, status="interrupted", until={"step": at} if at < preset.config.steps else {})
    page.goto(f"{server.url}?run={run}")
    page.get_by_role("button", name="Resume", exact=True).click()
    until(lambda: server.store.get(run).status in ("paused", "finished"), 600)
    page.wait_for_timeout(2500)  # the page notices, and the picture of the end is there
    assert server.store.get(run).step == at
    page.locator(".monitor").screenshot(path=ROOT / "docs" / "stories" / f"{name}.png")
    if server.store.get(run).is_live:
        page.get_by_role("button", name="Stop", exact=True).click()
        until(lambda: server.store.get(run).status == "stopped")


def playground(page: Page, server: Server) -> None:
    """A first run, from outside and inside."""
    page.goto(server.url)
    page.get_by_role("button", name="Start", exact=True).click()
    until(lambda: step(page) > 2500)
    page.screenshot(path=ROOT / "docs" / "playground.png")
    for layer in ("border", "arrows", "grid"):
        page.locator(f'.tools button[data-layer="{layer}"]:visible').click()
    page.get_by_role("button", name="Inside", exact=True).click()
    page.wait_for_timeout(800)
    page.screenshot(path=ROOT / "docs" / "inside.png")
    until(lambda: server.store.runs()[0].status == "finished", 600)


def verdict(page: Page, server: Server) -> None:
    """A run that fails, and why."""
    start_preset(page, server, "slow_discriminator")
    until(lambda: server.store.runs()[0].status == "finished", 600)
    page.locator(".verdict summary").click()
    page.wait_for_timeout(500)
    page.screenshot(path=ROOT / "docs" / "verdict.png")


def seeds(page: Page, server: Server) -> None:
    """Many seeds as they fail, and with a change."""
    page.goto(f"{server.url}collapse?view=seeds")
    cure = page.get_by_role("combobox", name="What may help")
    cure.fill("Unrolled")
    cure.press("Enter")
    page.get_by_text("The generator learns against").wait_for()
    page.get_by_role("button", name="Start both").click()
    until(lambda: [len(run.configs) for run in server.store.runs()[:1]] == [16])
    until(lambda: all(run.status == "finished" for run in server.store.runs()), 600)
    page.wait_for_timeout(1500)
    page.screenshot(path=ROOT / "docs" / "collapse.png", full_page=True)


def collapse_map(page: Page, server: Server) -> None:
    """576 GANs."""
    page.goto(f"{server.url}collapse?view=map")
    page.get_by_role("button", name="Start the map").click()
    until(lambda: page.locator(".map").get_attribute("data-done") == "576", 1200)
    page.locator("rect.cell").nth(12 * 9 + 6).click()
    page.locator(".tiles figure").first.wait_for()
    page.wait_for_timeout(1500)
    page.screenshot(path=ROOT / "docs" / "map.png", full_page=True)


def latent(page: Page, server: Server) -> None:
    """From one digit to another."""
    page.goto(f"{server.url}?run=new")
    page.locator(".st-key-preset_digits button").click()
    until(lambda: page.locator("canvas.images").is_visible())
    page.get_by_role("button", name="Start", exact=True).click()
    until(lambda: any(run.config.dataset == "digits" and run.status == "finished" for run in server.store.runs()), 600)
    page.goto(f"{server.url}latent")
    page.get_by_role("radio", name="4", exact=True).click()
    until(lambda: page.locator(".player").get_attribute("data-frames") == "96")
    page.get_by_label("Frame", exact=True).fill("30")
    page.screenshot(path=ROOT / "docs" / "latent.png")


def listing(page: Page, server: Server) -> None:
    """The list of what there is by now."""
    page.goto(f"{server.url}runs")
    page.locator(".list tbody tr").first.wait_for()
    page.wait_for_timeout(2000)
    page.screenshot(path=ROOT / "docs" / "runs.png")


PARTS = {
    "playground": playground,
    "verdict": verdict,
    "seeds": seeds,
    "map": collapse_map,
    "latent": latent,
    "compare": compare,
    "stories": tell_stories,
    "runs": listing,
}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = Server(Path(folder)).ready()
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM_FLAGS)
        try:
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            for part in sys.argv[1:] or PARTS:
                PARTS[part](page, server)
        finally:
            browser.close()
            server.stop()


if __name__ == "__main__":
    main()
