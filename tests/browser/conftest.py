import io
import os
import shutil
from urllib.parse import urlsplit

import pytest
from driving import Server, until

from benchmarks.serving import CHROMIUM_FLAGS
from gan_core import GANConfig, Runner, RunStore, bundle

# What to know of a page on which something did not happen.
HOW_IT_STANDS = """() => ({
    visibility: document.visibilityState,
    monitors: [...document.querySelectorAll(".monitor")].map((m) => [m.dataset.run, m.dataset.step, m.innerText.slice(0, 200)]),
    feed: performance.getEntriesByType("resource").filter((e) => e.name.includes("/live/")).slice(-5)
        .map((e) => [e.name, Math.round(e.startTime), Math.round(e.duration), e.responseStatus]),
    now: Math.round(performance.now()),
    text: document.body.innerText.slice(0, 600),
})"""


def pytest_itemcollected(item):
    item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def chromium():
    """What starts a browser, and with which arguments it starts this machine's Chromium."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        message = "no Chromium on this machine: install your system's package chromium"
        if os.environ.get("GAN_PLAYGROUND_NEEDS_BROWSER"):
            pytest.fail(message)
        pytest.skip(message)
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=30_000)  # a cold server on a busy machine takes more than Playwright's 5 s
    with sync_playwright() as playwright:
        yield playwright.chromium, {"executable_path": path, "args": CHROMIUM_FLAGS}


@pytest.fixture(scope="session")
def browser(chromium):
    """For contexts of one's own, which keep nothing of what others have loaded."""
    kind, how = chromium
    browser = kind.launch(**how)
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def profile(chromium, tmp_path_factory):
    """The context that most tabs share: what Streamlit's scripts were compiled to is kept, a third of each page's time."""
    kind, how = chromium
    context = kind.launch_persistent_context(tmp_path_factory.mktemp("profile"), **how)
    yield context
    context.close()


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


def _told(server: Server) -> None:
    """What to know of a server on which a test failed."""
    for run in server.store.runs(kind=None):
        print("run", run.id, run.status, run.step, run.message, server.store.events(run.id))
    print(server.log.read_text()[-2000:])


def _emptied(server: Server) -> bool:
    """Whether the server lives and has no runs any more."""
    store = server.store

    def at_rest() -> bool:
        live = [run for run in store.runs(kind=None) if run.is_live]
        for run in live:
            store.add_command(run.id, "stop")
        return not live

    if server.process.poll() is not None:
        return False
    try:
        until(at_rest, 20)
    except AssertionError:
        return False
    for run in store.runs(kind=None, trashed=None):
        store.delete(run.id)
    return True


@pytest.fixture
def cold_server(spare, request):
    """A server of this test's own that nobody has used."""
    server = spare()
    yield server
    if getattr(request.node, "failed", False):
        _told(server)
    server.stop()


@pytest.fixture(scope="session")
def common(spare):
    """Where the server stands that one test hands to the next."""
    servers: list[Server] = []
    yield servers
    for server in servers:
        server.stop()


@pytest.fixture
def server(common, spare, request):
    """A server without runs. A test that fails, or leaves a run that does not stop, takes it away with it."""
    if not common:
        common.append(spare())
    yield common[0]
    failed = getattr(request.node, "failed", False)
    if failed:
        _told(common[0])
    if failed or not _emptied(common[0]):
        common.pop().stop()


def _streamlits_own(url: str) -> bool:
    """On a deep link Streamlit's front end first tries the link as a base path: two 404s of its own."""
    return url.endswith(("/_stcore/health", "/_stcore/host-config"))


@pytest.fixture(scope="session")
def bundles() -> dict[str, bytes]:
    """Runs that were trained already, by their configs."""
    return {}


@pytest.fixture
def trained(server, bundles, tmp_path_factory):
    """Gives the server a run of a config that has ended, without training it twice; its id."""

    def give(config: GANConfig) -> str:
        key = config.model_dump_json()
        if key not in bundles:
            runner, file = Runner(RunStore(tmp_path_factory.mktemp("trained"))), io.BytesIO()
            run = runner.start(config)
            assert runner.wait(run, 120)
            runner.shutdown()
            bundle.write(runner.store, run, file)
            bundles[key] = file.getvalue()
        return bundle.import_(server.store, io.BytesIO(bundles[key]))

    return give


@pytest.fixture
def tabs(profile, request):
    """Opens tabs; the test fails if any of them meets a page error, a console error or an answer of 400 and above."""
    wrong, pages = [], []

    def open_tab(url: str, width: int = 1280, height: int = 800, scheme: str = "light"):
        page = profile.new_page()
        pages.append(page)
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=scheme)
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
    for page in pages:
        _forget(page)
        page.close()
    assert not wrong, wrong


def _forget(page) -> None:
    """What a page has kept in the browser must not reach the next test."""
    scheme, host = urlsplit(page.url)[:2]
    what = {"origin": f"{scheme}://{host}", "storageTypes": "cookies,local_storage,indexeddb"}
    page.context.new_cdp_session(page).send("Storage.clearDataForOrigin", what)


def _console(message, wrong: list[str]) -> None:
    if message.type == "error" and not _streamlits_own(message.location.get("url", "")):
        wrong.append(f"console: {message.text}")


def _response(response, wrong: list[str]) -> None:
    if response.status >= 400 and not _streamlits_own(response.url):
        wrong.append(f"{response.status} {response.url}")
