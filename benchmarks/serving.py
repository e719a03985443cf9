"""What benchmarks of the pages share: the app's server, a browser, and waiting."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from gan_core import GANConfig, RunStore

ROOT = Path(__file__).resolve().parent.parent
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    """The app on a free port with an empty folder of runs."""

    def __init__(self, folder: Path):
        self.port = free_port()
        self.url = f"http://localhost:{self.port}/"
        self.log = (folder / "server.log").open("w")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", str(ROOT / "app.py"), "--server.port", str(self.port),
             "--server.headless", "true"],
            cwd=ROOT, stdout=self.log, stderr=self.log, env={**os.environ, "GAN_PLAYGROUND_RUNS": str(folder)})  # fmt: skip
        for _ in range(240):
            try:
                urllib.request.urlopen(f"{self.url}_stcore/health", timeout=1)
                return
            except OSError:
                time.sleep(0.25)
        raise RuntimeError("the server does not answer")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(60)
        self.log.close()


@contextmanager
def chromium(yielding: bool = False) -> Iterator:
    """A headless browser page; `yielding`, it works only when the server leaves it time, as if it had cores of its own."""
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium") or shutil.which("chromium-browser")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        if yielding:
            polite = Path(folder) / "polite"
            polite.write_text(f'#!/bin/sh\nexec nice -n 19 {path} "$@"\n')
            polite.chmod(0o755)
            path = polite
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
        yield browser.new_page(viewport={"width": 1280, "height": 800})
        browser.close()


def waiting_run(store: RunStore, config: GANConfig) -> str:
    """A run that waits in the store as if its program had ended, for the page's Resume button to take up."""
    run = store.create([config])
    store.update(run, status="interrupted")
    return run


def await_until(condition: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("what was waited for did not happen")
        time.sleep(0.02)


def server_rate(store: RunStore, run: str, seconds: float) -> float:
    """Steps a second between two reports of the training thread, about so many seconds apart."""
    first = store.get(run)
    await_until(lambda: store.get(run).updated > first.updated)
    first = store.get(run)
    time.sleep(seconds)
    last = store.get(run)
    return (last.step - first.step) / (last.updated - first.updated)
