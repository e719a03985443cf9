from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from gan_core import Runner, features
from ui import engine

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def runner(tmp_path, monkeypatch) -> Runner:
    """The runner that the pages of this test use, with an empty folder of runs."""
    monkeypatch.setenv("GAN_PLAYGROUND_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("GAN_PLAYGROUND_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(features, "LEAST_STEPS", 20)  # a judge learns anew for each test, and no page asks how well
    runner = engine.runner()
    yield runner
    runner.shutdown()


@pytest.fixture
def opened(runner):
    """Opens a page by its file; optional session state goes in first."""

    def open_page(file: str, **state) -> AppTest:
        test = AppTest.from_file(ROOT / "playground.py", default_timeout=60)
        for name, value in state.items():
            test.session_state[name] = value
        return test.run() if file == "playground.py" else test.switch_page(file).run()

    return open_page
