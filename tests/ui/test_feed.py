"""Who the routes beside Streamlit's own answer."""

import asyncio
import gzip
import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from streamlit.testing.v1 import AppTest

from gan_core import GANConfig, RunError, Runner, RunStore
from gan_core.frames import unpack
from ui import aside, engine, feed, signing
from ui.feed import ROUTES

PAGE = Path(__file__).resolve().parents[2] / "playground.py"
PATHS = [route.path for route in ROUTES]


@pytest.fixture
def run(tmp_path, monkeypatch):
    runner = Runner(RunStore(tmp_path / "runs"))
    monkeypatch.setattr(engine, "runner", lambda: runner)
    yield runner.store.create([GANConfig()], owner=runner.owner)
    runner.shutdown()


@pytest.fixture
def ask(run):
    """What a route answers to a request with some headers: its status."""

    def status(path, **headers):
        (route,) = [route for route in ROUTES if route.path == path]
        scope = {
            "type": "http",
            "method": "GET",
            "path": path,
            "query_string": f"run={run}".encode(),
            "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
            "path_params": {"run": run, "one": run, "two": run, "kind": "gif"},
        }
        try:
            return route.endpoint(Request(scope)).status_code
        except HTTPException as error:
            return error.status_code

    return status


def test_every_answer_of_the_app_is_among_the_routes():
    assert {"/live/{run}", "/pair/{one}/{two}", "/film/{run}", "/bundle/{run}", "/report"} <= set(PATHS)


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8501", "localhost.evil.example", "127.0.0.1.evil.example", "", "[::1"]
)
@pytest.mark.parametrize("path", PATHS)
def test_a_foreign_host_gets_nothing(ask, path, host):
    assert ask(path, host=host) == 403


@pytest.mark.parametrize("path", PATHS)
def test_a_page_of_another_site_gets_nothing(ask, path):
    assert ask(path, host="localhost:8501", sec_fetch_site="cross-site") == 403


@pytest.mark.parametrize("origin", ["http://evil.example", "http://localhost:3000", "null", "http://["])
@pytest.mark.parametrize("path", PATHS)
def test_a_page_from_elsewhere_that_a_browser_names_gets_nothing(ask, path, origin):
    assert ask(path, host="localhost:8501", origin=origin) == 403


def test_a_page_from_here_is_answered_if_its_browser_says_so(ask):
    assert ask("/live/{run}", host="localhost:8501", origin="http://localhost:8501") == 200


@pytest.mark.parametrize("host", ["localhost:8501", "127.0.0.1:9", "LOCALHOST"])
def test_this_machine_is_answered(ask, host):
    assert ask("/live/{run}", host=host) == 200


@pytest.fixture
def signed(monkeypatch):
    """A sign-in is wanted; gives the cookie that Streamlit leaves for who has signed in, or has not."""
    from streamlit.web.server.starlette import starlette_app_utils, starlette_websocket

    monkeypatch.setattr(signing, "is_wanted", lambda: True)
    monkeypatch.setattr(starlette_websocket, "get_cookie_secret", lambda: "secret")

    def cookie(secret="secret", **values):
        value = starlette_app_utils.create_signed_value(secret, signing.COOKIE, json.dumps(values))
        return f"{signing.COOKIE}={value.decode()}"

    return cookie


@pytest.fixture
def secrets(tmp_path):
    """Streamlit looks for its secrets in a file of this test's own."""
    from streamlit import config
    from streamlit.runtime.secrets import secrets_singleton

    file, usual = tmp_path / "secrets.toml", config.get_option("secrets.files")
    config.set_option("secrets.files", [str(file)])
    secrets_singleton._reset()
    yield file
    config.set_option("secrets.files", usual)
    secrets_singleton._reset()


@pytest.mark.parametrize(
    ("content", "wanted"),
    [(None, False), ("[other]\nx = 1", False), ("[auth]\nclient_id = 'x'", True), ("[auth]\nclient_id = 'x", True)],
    ids=["none", "others", "a sign-in", "a slip"],
)
def test_one_has_to_sign_in_where_the_file_says_so_or_cannot_be_read(secrets, content, wanted):
    if content:
        secrets.write_text(content)
    assert signing.is_wanted() is wanted


def test_a_slip_in_the_file_closes_the_pages_with_a_sentence(secrets):
    secrets.write_text("[auth]\nclient_id = 'x")
    test = AppTest.from_file(PAGE, default_timeout=60).run()
    assert [error.value for error in test.error] == [
        "Nobody can sign in here: the file secrets.toml cannot be read. Whoever runs this server has to mend it."
    ]
    assert (len(test.exception), len(test.button)) == (0, 0)


@pytest.mark.parametrize("path", PATHS)
def test_where_one_has_to_sign_in_nobody_else_is_answered(ask, signed, path):
    assert ask(path, host="localhost") == 401


def test_who_has_signed_in_is_answered(ask, signed):
    assert ask("/live/{run}", host="localhost", cookie=signed(is_logged_in=True)) == 200


@pytest.mark.parametrize("forged", ["other secret", "signed out", "nonsense"])
def test_another_cookie_is_none(ask, signed, forged):
    cookie = {
        "other secret": signed("guess", is_logged_in=True),
        "signed out": signed(is_logged_in=False),
        "nonsense": f"{signing.COOKIE}=eyJpc19sb2dnZWRfaW4iOnRydWV9",
    }[forged]
    assert ask("/live/{run}", host="localhost", cookie=cookie) == 401


def test_viewers_share_one_message(ask, run, monkeypatch):
    from ui import feed, live

    made = []
    real = live.run_message
    monkeypatch.setattr(live, "run_message", lambda *args: made.append(1) or real(*args))
    assert [ask("/live/{run}", host="localhost") for _ in range(3)] == [200] * 3
    assert len(made) == 1
    feed.engine.runner().store.update(run, step=1)
    ask("/live/{run}", host="localhost")
    assert len(made) == 2


# What somebody else has just been told is answered at once


class Behind:
    """What stands behind the short way: the routes, but for their layers; counts who came so far."""

    def __init__(self):
        self.asked = 0

    async def __call__(self, scope, receive, send):
        self.asked += 1
        try:
            answer = feed._guarded(feed.run_feed)(Request(scope))
        except HTTPException as error:
            answer = Response(error.detail, error.status_code)
        await answer(scope, receive, send)


@pytest.fixture
def visit(run, tmp_path, monkeypatch):
    """What a browser is told about a run: status, headers, body; and how many went the whole way."""
    monkeypatch.setenv("GAN_PLAYGROUND_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(feed, "FRESH", 60.0)  # however slow this machine is
    behind = Behind()
    server = feed.AtOnce(behind)

    def get(query="", **headers):
        scope = {
            "type": "http",
            "method": "GET",
            "path": f"/live/{run}",
            "query_string": query.encode(),
            "headers": [
                (name.replace("_", "-").encode(), value.encode()) for name, value in ({"host": "localhost"} | headers).items()
            ],
            "path_params": {"run": run},
        }
        sent = []

        async def send(message):
            sent.append(message)

        with ThreadPoolExecutor(1) as pool:  # tests in a browser leave this thread a loop of theirs, which runs
            pool.submit(asyncio.run, server(scope, None, send)).result(60)
        start, *bodies = sent
        return start["status"], dict(start["headers"]), b"".join(body.get("body", b"") for body in bodies)

    get.behind = behind
    return get


def test_who_asks_for_what_another_has_just_got_is_told_the_same_at_once(visit):
    assert visit()[2] == visit()[2]
    assert visit.behind.asked == 1


def test_who_has_it_already_is_told_so_at_once(visit):
    version = unpack(visit()[2])[0]["version"]
    assert visit(f"known={version}")[0] == 204
    assert visit.behind.asked == 1


def test_the_layouts_are_told_apart(visit):
    asked = ["wide", "compact", "wide"]
    assert [unpack(visit(f"layout={layout}")[2])[0]["layout"] for layout in asked] == asked


def test_after_a_moment_the_run_is_looked_at_again(visit, run, monkeypatch):
    visit()
    engine.runner().store.update(run, step=7)
    monkeypatch.setattr(feed, "FRESH", 0.0)  # the moment is over
    assert unpack(visit()[2])[0]["step"] == 7


@pytest.mark.parametrize("headers", [{"host": "evil.example"}, {"sec_fetch_site": "cross-site"}, {"origin": "null"}])
def test_nothing_is_told_at_once_to_who_gets_nothing_else(visit, headers):
    visit()
    assert visit(**headers)[0] == 403


def test_nothing_is_told_at_once_to_who_has_not_signed_in(visit, signed):
    assert visit(cookie=signed(is_logged_in=True))[0] == 200
    assert visit()[0] == 401


def test_a_browser_gets_it_compressed_and_who_cannot_unpack_does_not(visit):
    _, plain_headers, plain = visit()
    _, packed_headers, packed = visit(accept_encoding="gzip, br")
    assert (packed_headers[b"content-encoding"], gzip.decompress(packed)) == (b"gzip", plain)
    assert b"content-encoding" not in plain_headers


def test_what_is_not_there_takes_no_room(run):
    shared = feed.Shared()
    shared.get(("run",), lambda: ("1", lambda: b"message"))
    with pytest.raises(RunError):
        shared.get(("another",), lambda: engine.runner().store.get("another"))
    assert list(shared._found) == [("run",)]


def test_only_so_many_messages_are_kept(monkeypatch):
    monkeypatch.setattr(feed, "FRESH", 60.0)
    shared = feed.Shared(most=2)
    for key in "abc":
        shared.get((key,), lambda key=key: ("1", key.encode))
    assert [made and made.plain for made in map(shared.latest, [("a",), ("b",), ("c",)])] == [None, b"b", b"c"]


def test_the_app_answers_at_once():
    import app

    assert [each.cls for each in app.app._user_middleware] == [feed.AtOnce]


# The latent page's answers come in turn


def test_at_most_so_many_explore_at_once_and_as_many_wait():
    with ExitStack() as stack:
        for _ in range(feed.EXPLORERS):
            stack.enter_context(feed._in_turn())
        with ThreadPoolExecutor(feed.WAITING) as waiting:
            turns = [waiting.submit(_take_a_turn) for _ in range(feed.WAITING)]
            while feed._in_turn.asking._value:  # until all of them wait
                time.sleep(0.01)
            with pytest.raises(HTTPException, match="Too many others") as refused, feed._in_turn():
                pass
            assert refused.value.status_code == 503
            stack.close()  # now the others get their turn
            assert [turn.result(10) for turn in turns] == [True] * feed.WAITING


def _take_a_turn():
    with feed._in_turn():
        return True


def test_a_turn_ends_with_whatever_goes_wrong_in_it():
    for _ in range(feed.EXPLORERS + feed.WAITING + 1):
        with pytest.raises(ValueError), feed._in_turn():
            raise ValueError
    assert _take_a_turn()


# The list in the sidebar


def _listed(store, focus=None):
    header, _ = unpack(aside.message(store, focus))
    return [(row["id"], row["word"]) for row in header["runs"]]


def test_the_run_in_focus_is_listed_first_and_the_others_only_while_they_are_live(tmp_path):
    store = RunStore(tmp_path / "runs")
    ended, trains, waits = (store.create([GANConfig()], owner="test") for _ in range(3))
    store.update(ended, status="finished")
    store.update(trains, status="running")
    assert _listed(store) == [(waits, "Waiting"), (trains, "Training")]
    assert _listed(store, store.get(ended)) == [(ended, "Finished"), (waits, "Waiting"), (trains, "Training")]
    assert _listed(store, store.get(trains)) == [(trains, "Training"), (waits, "Waiting")]


def test_of_very_many_live_runs_some_are_listed(tmp_path):
    store = RunStore(tmp_path / "runs")
    runs = [store.create([GANConfig()], owner="test") for _ in range(aside.SHOWN + 3)]
    assert len(_listed(store)) == aside.SHOWN
    assert _listed(store, store.get(runs[0]))[0][0] == runs[0]
