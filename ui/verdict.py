"""The verdict on a run, as the live view shows it, and what its buttons do."""

from __future__ import annotations

import math
from typing import Any

from gan_core import Runner
from gan_core.cures import CURES, is_live
from gan_core.features import judge_of
from gan_core.health import Advice, History, Verdict, diagnose
from gan_core.lab import difference
from gan_core.metrics import is_judged
from gan_core.networks import NETWORKS
from gan_core.reading import Series, broken_term, history, is_over, kinds_of, last_change
from gan_core.source import Data
from gan_core.store import Run, RunStore
from ui.choice import can_be_compared
from ui.series import CACHE
from ui.words import changes_in_words

SHOWN = 4  # pieces of advice
ALONG = 80  # verdicts along a film
APPLY = ("apply", "Apply", "Changes the run, which goes on training.")
FORK = ("apply", "Fork", "A new run that goes on from the end of this one, with this change.")
ANEW = ("apply", "New run", "A new run with the same seed and this change.")
PROVE = ("prove", "Prove it", "Compares both over many seeds, in the collapse lab.")


def verdict_of(store: RunStore, run: Run, data: Data | None, member: int = 0) -> Verdict | None:
    """The verdict on a member of a run; None where there is no game, no data, or nothing yet."""
    if data is None or not NETWORKS[run.config.network].adversarial:
        return None
    series = {kind: CACHE.series(store, run, kind) for kind in kinds_of(data)}
    lengths = tuple((len(steps), int(steps[-1]) if len(steps) else 0) for steps, _ in series.values())
    changed = last_change(store, run)
    key = run.id, member, run.status, run.configs[member], lengths, changed
    return CACHE.once(key, lambda: diagnose(_history(store, run, data, series, changed, member)))


def verdicts_along(store: RunStore, run: Run, data: Data | None) -> list[dict[str, Any]]:
    """What the verdict on the first member was after each of its measurements, or an even choice of many: step, name, tone, title
    and sentence."""
    if data is None or not NETWORKS[run.config.network].adversarial:
        return []
    series = {kind: CACHE.series(store, run, kind) for kind in kinds_of(data)}
    whole = _history(store, run, data, series, last_change(store, run))
    found = []
    moments = len(whole.at)
    every = 2 ** max(0, math.ceil(math.log2(max(1, moments) / ALONG)))  # so that the choice stays while measurements are added
    for k in sorted({*range(every, moments + 1, every), moments} - {0}):
        part, step = whole.until(k), int(whole.at[k - 1])
        now = CACHE.once((run.id, "along", step, k, whole.changed), lambda part=part: diagnose(part))
        found.append({"step": step, "name": now.name, "tone": now.kind.tone, "title": now.kind.title, "sentence": now.sentence})
    return found


def _history(store: RunStore, run: Run, data: Data, series: Series, changed: int, member: int = 0) -> History:
    judge = judge_of(run.config.source) if is_judged(data) else None
    broken = broken_term(store, run)
    return history(run.configs[member], series, data, judge, member, broken, changed, is_over(run))


def message(verdict: Verdict | None, run: Run, buttons: bool) -> dict[str, Any] | None:
    """What static/monitor.js draws; without `buttons`, advice is only told."""
    if verdict is None:
        return None
    kind, too_early = verdict.kind, verdict.name == "learning" and run.is_live
    actions = [APPLY if can_change(run) else FORK if run.status == "finished" else ANEW] if buttons else []
    if buttons and can_be_compared(run.config, many=True):
        actions.append(PROVE)
    return {
        "name": verdict.name,
        "tone": kind.tone,
        "title": kind.title,
        "text": kind.text,
        "sentence": verdict.sentence,
        "since": None if verdict.name == "learning" else verdict.since,
        "evidence": verdict.evidence,
        "advice": [_advice(advice, actions) for advice in ([] if too_early else verdict.advice)[:SHOWN]],
    }


def can_change(run: Run) -> bool:
    """Whether a run still trains, or can be taken up again."""
    return run.status not in ("finished", "failed")


def _advice(advice: Advice, actions: list[tuple[str, str, str]]) -> dict[str, Any]:
    cure = CURES[advice.cure]
    return {
        "cure": advice.cure,
        "title": cure.title,
        "text": cure.text,
        "changes": changes_in_words(advice.changes),
        "actions": [ANEW if what == "apply" and not advice.live else (what, label, title) for what, label, title in actions],
    }


def apply(runner: Runner, run: Run, cure: str) -> str:
    """Make the change in the run, in a fork of a finished one, or where its networks would change in a new run with the same
    seed; returns the id of the run to look at.

    Raises:
        PlaygroundError: the run cannot be changed, or nothing can be written.
    """
    after = CURES[cure].apply(run.config)
    if after is None:
        return run.id
    changes = {name: new for name, (_, new) in difference(run.config, after).items()}
    if is_live(run.config, after) and can_change(run):
        if run.is_live:
            runner.send(run.id, "set", changes)
        else:
            runner.resume(run.id, changes)
        return run.id
    name = f"{run.name}, {CURES[cure].title}"[:80]
    if is_live(run.config, after) and run.status == "finished":
        fork = runner.fork(run.id, changes=changes, name=name)
        runner.resume(fork)
        return fork
    if run.is_live:
        runner.send(run.id, "stop")  # it can be resumed, and the new one gets its turn
    return runner.start(after, name)
