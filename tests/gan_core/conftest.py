import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gan_core import GANConfig, Runner, RunStore, Trainer
from gan_core.data import Source
from gan_core.features import judge_of

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def wait_until():
    def wait(condition, timeout=60.0):
        """Polls until `condition()` is true and returns its value."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if value := condition():
                return value
            time.sleep(0.02)
        return pytest.fail(f"The awaited condition did not come true within {timeout:g} s.")

    return wait


@pytest.fixture(scope="session")
def tiny():
    def make(**changes):
        return GANConfig(**{"latent_dim": 4, "width": 8, "depth": 1, "batch_size": 8, "steps": 20, **changes})

    return make


@pytest.fixture(scope="session")
def endless(tiny):
    """A config that no test waits for the end of."""
    return tiny(steps=1_000_000)


@pytest.fixture(scope="session")
def digits_judge(tmp_path_factory):
    """The judge of the digits, taught."""
    return judge_of(Source("digits"), tmp_path_factory.mktemp("judged")).learn()


@pytest.fixture(scope="session")
def trained_digits(digits_judge):
    """A small GAN of the digits that has learnt something, with the taught judge. Only to be looked at."""
    config = GANConfig(dataset="digits", latent_dim=16, width=64, depth=2, batch_size=32, steps=300)
    return Trainer(config, data_folder=digits_judge.folder).train()


@pytest.fixture
def store(tmp_path):
    return RunStore(tmp_path / "runs")


@pytest.fixture
def runner(store):
    runner = Runner(store)
    yield runner
    runner.shutdown()


@pytest.fixture
def status(store, wait_until):
    """Waits until a run has this status."""

    def wait(run, *wanted):
        return wait_until(lambda: (row := store.get(run)).status in wanted and row)

    return wait


@pytest.fixture
def under_way(store, wait_until):
    """Waits until a run is past the given step."""

    def wait(run, step=0):
        return wait_until(lambda: (row := store.get(run)).status == "running" and row.step > step and row)

    return wait


@pytest.fixture
def paused(runner, endless, status):
    """A run that stands before its first step."""
    run = runner.start(endless, paused=True)
    status(run, "paused")
    return run


@pytest.fixture(scope="session")
def spawn():
    """Starts `python ARGS…` in the project's folder; whatever still runs at the end of the session is killed."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # in a shell's background job, and inherited
        signal.signal(signal.SIGINT, signal.default_int_handler)
    processes = []

    def start(*args, env=None, **options):
        process = subprocess.Popen(
            [sys.executable, *map(str, args)],
            cwd=ROOT,
            env={**os.environ, **(env or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture(scope="session")
def spawn_endless(spawn, wait_until):
    """`python -m gan_core train` in a process of its own, already past its first steps: (process, store, run id)."""

    def start(folder, *more):
        args = ["train", "ring", "--steps", "1000000", "--set", "width=8", "--set", "batch_size=8", "--runs", folder]
        process = spawn("-m", "gan_core", *args, *more)
        store = RunStore(folder)

        def under_way():
            assert process.poll() is None, process.communicate()
            return [run.id for run in store.runs(("running",)) if run.step > 0]

        return process, store, wait_until(under_way)[0]

    return start
