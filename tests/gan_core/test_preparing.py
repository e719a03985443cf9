"""Commands while a run is being made ready, here while its data trickle in from a slow server on this machine."""

import http.server
import threading

import pytest

from gan_core import GANConfig, Runner, RunStore, vision


@pytest.fixture
def slow_mirror(monkeypatch):
    """A mirror of MNIST that never gets done."""
    over = threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(10**9))
            self.end_headers()
            while not over.wait(0.02):
                try:
                    self.wfile.write(b"\0" * 65536)
                except OSError:
                    return

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(vision.MNIST, "mirrors", [f"http://127.0.0.1:{server.server_port}/"])
    yield
    over.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def preparing(slow_mirror, tmp_path, wait_until):
    """A runner and a run that is downloading."""
    runner = Runner(RunStore(tmp_path / "runs"), data_folder=tmp_path / "data")
    run = runner.start(GANConfig(dataset="mnist", network="dcgan", width=8))
    wait_until(lambda: "Downloading" in runner.store.get(run).message)
    yield runner, run
    runner.shutdown()


def test_stop_is_obeyed_while_data_are_downloaded(preparing):
    runner, run = preparing
    runner.send(run, "stop")
    assert runner.wait(run, 30)
    assert runner.store.get(run).status == "stopped"


def test_pause_is_obeyed_while_data_are_downloaded(preparing, wait_until):
    runner, run = preparing
    runner.send(run, "pause")
    wait_until(lambda: runner.store.get(run).status == "paused")


def test_the_end_of_the_program_does_not_wait_for_a_download(preparing):
    runner, run = preparing
    runner.shutdown()
    assert runner.store.get(run).status == "interrupted"
