"""A server of the app, and waiting."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from gan_core import RunStore

ROOT = Path(__file__).resolve().parents[2]


def until(condition: Callable[[], object], seconds: float = 60, what: str = "") -> object:
    """Poll until a condition holds; its value."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f"did not happen: {what or condition}"
        time.sleep(0.05)
    return value


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
        until(self._answers, what="the server answers")

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
