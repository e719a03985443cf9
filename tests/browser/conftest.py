import os
import shutil
from pathlib import Path

import pytest
from driving import Server

from benchmarks.serving import CHROMIUM_FLAGS

# What to know of a page on which something did not happen.
HOW_IT_STANDS = """() => ({
    visibility: document.visibilityState,
    monitors: [...document.querySelectorAll(".monitor")].map((m) => [m.dataset.run, m.dataset.step, m.innerText.slice(0, 200)]),
    feed: performance.getEntriesByType("resource").filter((e) => e.name.includes("/live/")).slice(-5)
        .map((e) => [e.name, Math.round(e.startTime), Math.round(e.duration), e.responseStatus]),
    now: Math.round(performance.now()),
    text: document.body.innerText.slice(0, 600),
})"""


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
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=30_000)  # a cold server on a busy machine takes more than Playwright's 5 s
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.when == "call":
        item.failed = report.failed
    return report


@pytest.fixture(scope="session")
def spare(tmp_path_factory):
    """Gives a server that nobody has used, and starts the next one meanwhile, which takes seconds."""
    usual, waiting = os.environ.get("GAN_PLAYGROUND_DATA"), []

    def take() -> Server:
        if os.environ.get("GAN_PLAYGROUND_DATA") != usual:  # a test with data of its own
            return Server(tmp_path_factory.mktemp("server")).ready()
        server = waiting.pop() if waiting else Server(tmp_path_factory.mktemp("server"))
        server.ready()
        waiting.append(Server(tmp_path_factory.mktemp("server")))
        return server

    yield take
    for server in waiting:
        server.ready().stop()


@pytest.fixture
def server(spare, request):
    """A server of this test's own, cold and with no runs."""
    server = spare()
    yield server
    if getattr(request.node, "failed", False):
        for run in server.store.runs():
            print("run", run.id, run.status, run.step, run.message, server.store.events(run.id))
        print(server.log.read_text()[-2000:])
    server.stop()


def _streamlits_own(url: str) -> bool:
    """On a deep link Streamlit's front end first tries the link as a base path: two 404s of its own."""
    return url.endswith(("/_stcore/health", "/_stcore/host-config"))


@pytest.fixture
def tabs(browser, request):
    """Opens tabs; the test fails if any of them meets a page error, a console error or an answer of 400 and above."""
    wrong, contexts, pages = [], [], []

    def open_tab(url: str, width: int = 1280, height: int = 800, scheme: str = "light"):
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        pages.append(page)
        page.set_default_timeout(30_000)
        page.on("pageerror", lambda e: wrong.append(f"page error: {e}"))
        page.on("console", lambda m: _console(m, wrong))
        page.on("response", lambda r: _response(r, wrong))
        page.goto(url)
        return page

    yield open_tab
    if getattr(request.node, "failed", False):
        for page in pages:
            print("tab", page.url, page.evaluate(HOW_IT_STANDS))
    for context in contexts:
        context.close()
    assert not wrong, wrong


def _console(message, wrong: list[str]) -> None:
    if message.type == "error" and not _streamlits_own(message.location.get("url", "")):
        wrong.append(f"console: {message.text}")


def _response(response, wrong: list[str]) -> None:
    if response.status >= 400 and not _streamlits_own(response.url):
        wrong.append(f"{response.status} {response.url}")
