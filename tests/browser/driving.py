"""A server of the app, and waiting."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from playwright.sync_api import Locator
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from gan_core import RunStore

ROOT = Path(__file__).resolve().parents[2]


def until(condition: Callable[[], object], seconds: float = 60, what: str = "") -> object:
    """Poll until a condition holds; its value."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f"did not happen: {what or condition}"
        time.sleep(0.05)
    return value


def choose(menu: Locator, option: Locator) -> None:
    """Open a menu and take an option. A menu closes when what it stands in still scrolls; then it is opened again."""

    def offered() -> bool:
        menu.click()
        with suppress(PlaywrightTimeout):
            option.wait_for(timeout=3000)
        return option.count() > 0

    until(offered)
    option.click()


class Server:
    """The app, as the README starts it, on a free port."""

    def __init__(self, folder: Path, cwd: Path = ROOT):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.url = f"http://localhost:{self.port}/"
        self.log = folder / "server.log"
        command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "app.py"), "--server.port", str(self.port)]
        environment = {**os.environ, "GAN_PLAYGROUND_RUNS": str(folder / "runs")}
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [*command, "--server.headless", "true"], cwd=cwd, stdout=log, stderr=log, env=environment
            )

    def ready(self) -> "Server":
        """Wait until it answers; returns itself."""
        until(self._answers, what="the server answers")
        return self

    def _answers(self) -> bool:
        try:
            urllib.request.urlopen(f"{self.url}_stcore/health", timeout=1)
            return True
        except OSError:
            return False

    @property
    def store(self) -> RunStore:
        return RunStore(self.folder / "runs")

    def stop(self, how: int = signal.SIGTERM) -> int:
        """End the server and wait; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(60)
