"""Generators as they stood at a kept step, for looking at them."""

from __future__ import annotations

from functools import lru_cache

from gan_core import GANConfig, RunStore, Trainer
from gan_core.explorer import Explorer


def opened(store: RunStore, run: str, step: int) -> Trainer:
    """A trainer as it stood at a kept step. Only looked at, never trained.

    Raises:
        RunError: the checkpoint is missing or damaged.
        DataError: the run's data cannot be loaded.
    """
    return _opened(store, run, step, store.checkpoint_digest(run, step))


def explorer(store: RunStore, run: str, step: int, member: int = 0, ema: bool = True) -> Explorer:
    """An explorer of one member of it, for any thread.

    Raises:
        RunError: see `opened` and `Explorer`.
        DataError: see `opened`.
    """
    return _explorer(store, run, step, member, ema, store.checkpoint_digest(run, step))


# A step's checkpoint is written anew when a network steps alone, so its digest belongs to what is remembered.


@lru_cache(maxsize=4)
def _opened(store: RunStore, run: str, step: int, digest: str) -> Trainer:
    state = store.load_checkpoint(run, step)
    trainer = Trainer([GANConfig.parse(c) for c in state["configs"]], tolerant=True)
    trainer.load_state_dict(state)
    return trainer


@lru_cache(maxsize=8)
def _explorer(store: RunStore, run: str, step: int, member: int, ema: bool, digest: str) -> Explorer:
    return Explorer(_opened(store, run, step, digest), member, ema)
