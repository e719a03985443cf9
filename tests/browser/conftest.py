import os
import shutil
from pathlib import Path

import pytest
from driving import Server

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def pytest_collection_modifyitems(items):
    for item in items:
        if "browser" in Path(item.fspath).parts:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def browser():
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        message = "no Chromium on this machine: install your system's package chromium"
        if os.environ.get("GAN_PLAYGROUND_NEEDS_BROWSER"):
            pytest.fail(message)
        pytest.skip(message)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def server(tmp_path):
    """A server of this test's own, cold and with no runs."""
    server = Server(tmp_path)
    yield server
    server.stop()


def _streamlits_own(url: str) -> bool:
    """On a deep link Streamlit's front end first tries the link as a base path: two 404s of its own."""
    return url.endswith(("/_stcore/health", "/_stcore/host-config"))


@pytest.fixture
def tabs(browser):
    """Opens tabs; the test fails if any of them meets a page error, a console error or an answer of 400 and above."""
    wrong, contexts = [], []

    def open_tab(url: str, width: int = 1280, height: int = 800, scheme: str = "light"):
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.on("pageerror", lambda e: wrong.append(f"page error: {e}"))
        page.on("console", lambda m: _console(m, wrong))
        page.on("response", lambda r: _response(r, wrong))
        page.goto(url)
        return page

    yield open_tab
    for context in contexts:
        context.close()
    assert not wrong, wrong


def _console(message, wrong: list[str]) -> None:
    if message.type == "error" and not _streamlits_own(message.location.get("url", "")):
        wrong.append(f"console: {message.text}")


def _response(response, wrong: list[str]) -> None:
    if response.status >= 400 and not _streamlits_own(response.url):
        wrong.append(f"{response.status} {response.url}")
