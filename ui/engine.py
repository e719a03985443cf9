"""The engine of this process: one runner for each folder of runs, shared by the pages and the live feed."""

from __future__ import annotations

import atexit
import importlib
import os
import threading

from gan_core import PlaygroundError, Runner, RunStore
from gan_core import data as engine_data
from gan_core.store import runs_folder

_lock = threading.Lock()
_runners: dict[str, Runner] = {}


def runner() -> Runner:
    """The runner of the folder that GAN_PLAYGROUND_RUNS names now.

    Raises:
        PlaygroundError: the folder cannot be used, or GAN_PLAYGROUND_SLOTS is no number of slots.
    """
    folder = str(runs_folder())
    with _lock:
        if folder not in _runners:
            _runners[folder] = Runner(RunStore(folder), slots=_slots())
            warming = threading.Thread(target=_warm_up, name="warm-up", daemon=True)
            warming.start()
            atexit.register(warming.join, 20)  # ending a process in the middle of an import aborts it
        return _runners[folder]


def _slots() -> int:
    """How many runs may train at once: GAN_PLAYGROUND_SLOTS, else 1."""
    text = os.environ.get("GAN_PLAYGROUND_SLOTS", "1")
    if not text.isdecimal() or not 1 <= int(text) <= 64:
        raise PlaygroundError(f"GAN_PLAYGROUND_SLOTS = {text} is not usable: expected a whole number from 1 to 64.")
    return int(text)


def _warm_up() -> None:
    """Import what is slow to import (scikit-learn, torchvision) before the first image is asked for."""
    engine_data.load("digits")
    importlib.import_module("gan_core.vision")


def shutdown() -> None:
    """End all training threads of this process."""
    with _lock:
        for each in _runners.values():
            each.shutdown()
