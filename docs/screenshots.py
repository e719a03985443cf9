"""Takes the README's pictures anew, from the app as it is: python docs/screenshots.py

Starts the app with an empty folder of runs, trains what the pictures show, and writes docs/*.png.
"""

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "browser")]
from conftest import FLAGS  # noqa: E402
from driving import Server, until  # noqa: E402

from gan_core import PRESETS  # noqa: E402


def step(page: Page) -> int:
    return int(page.locator(".monitor").first.get_attribute("data-step"))


def take(page: Page, server: Server) -> None:
    """One picture a page, each at its telling moment."""
    page.goto(server.url)
    page.get_by_role("button", name="Start", exact=True).click()
    until(lambda: step(page) > 2500)
    page.screenshot(path=ROOT / "docs" / "playground.png")
    until(lambda: server.store.runs()[0].status == "finished")

    page.goto(f"{server.url}collapse")
    page.get_by_role("button", name="Start both").click()
    until(lambda: step(page) > 1800)
    page.screenshot(path=ROOT / "docs" / "collapse.png", full_page=True)
    until(lambda: all(r.status == "finished" for r in server.store.runs()))

    page.goto(f"{server.url}?run=new")
    page.get_by_role("button", name="Choose").nth(list(PRESETS).index("digits")).click()
    until(lambda: page.locator("img.images").is_visible())
    page.get_by_role("button", name="Start", exact=True).click()
    until(lambda: server.store.runs()[0].config.dataset == "digits" and server.store.runs()[0].status == "finished", 300)
    page.goto(f"{server.url}latent")
    page.get_by_role("radio", name="4", exact=True).click()
    until(lambda: page.locator(".player").get_attribute("data-frames") == "96")
    page.locator(".player input").fill("30")
    page.screenshot(path=ROOT / "docs" / "latent.png")

    page.goto(f"{server.url}runs")
    page.get_by_test_id("stDataFrame").wait_for()
    page.wait_for_timeout(2000)
    page.screenshot(path=ROOT / "docs" / "runs.png")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = Server(Path(folder))
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        try:
            take(browser.new_page(viewport={"width": 1280, "height": 800}), server)
        finally:
            browser.close()
            server.stop()


if __name__ == "__main__":
    main()
