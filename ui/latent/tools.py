"""TOOLS of the latent page, and how their answers are made: by the page itself, and by the route that its views ask."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from gan_core import RunError, RunStore
from gan_core.frames import pack
from gan_core.store import Run
from ui.latent.choice import COMMON, LAST, Field, read, word, write
from ui.latent.classes import CLASSES
from ui.latent.directions import DIRECTIONS_TOOL
from ui.latent.find import FIND
from ui.latent.mixing import MIXING
from ui.latent.near import NEAR
from ui.latent.noise import NOISE
from ui.latent.plane import PLANE
from ui.latent.sums import SUMS
from ui.latent.tool import Ask, Tool
from ui.latent.walk import WALK
from ui.opened import explorer
from ui.palette import PALETTE

TOOLS: dict[str, Tool] = {
    "walk": WALK,
    "plane": PLANE,
    "noise": NOISE,
    "directions": DIRECTIONS_TOOL,
    "sums": SUMS,
    "classes": CLASSES,
    "mix": MIXING,
    "find": FIND,
    "near": NEAR,
}
FIELDS: dict[str, Field] = {
    "tool": word(next(iter(TOOLS)), tuple(TOOLS)),
    **COMMON,
    **{name: field for tool in TOOLS.values() for name, field in tool.fields.items()},
}


def ask_of(store: RunStore, run: Run, values: dict[str, Any]) -> Ask:
    """What the values ask about a run: the kept step nearest to the one that is wanted.

    Raises:
        RunError: there is no checkpoint, or its generator has no latent space.
        DataError: the run's data cannot be loaded.
    """
    steps = store.checkpoint_steps(run.id)
    if not steps:
        raise RunError(f"Run {run.id} has no checkpoint yet. Let it train for a moment.")
    wanted = values["step"]
    step = steps[-1] if wanted == LAST else min(steps, key=lambda s: abs(s - wanted))
    member = min(values["member"], len(run.configs) - 1)
    return Ask(store, run.id, step, explorer(store, run.id, step, member, values["weights"] == "ema"), values)


def message(ask: Ask, tool: str) -> bytes:
    """A tool's answer as its view draws it.

    Raises:
        RunError: the tool cannot be used with this generator.
    """
    entry = TOOLS[tool]
    if lacks := entry.lacks(ask.explorer):
        raise RunError(lacks)
    header, arrays = entry.answer(ask)
    names = COMMON | entry.fields
    query = urlencode({"tool": tool, **write(ask.values, names), "step": ask.step})
    key = hashlib.blake2b(f"{ask.run} {query}".encode(), digest_size=8).hexdigest()
    return pack(
        {"made": time.monotonic(), "key": key, "run": ask.run, "query": query, "palette": PALETTE, **header},
        arrays,
    )


def asked(store: RunStore, run: Run, query: Mapping[str, str]) -> Ask:
    """What an address asks about a run.

    Raises:
        RunError: something in it is no value.
    """
    values, ignored = read(query, FIELDS)
    if ignored:
        raise RunError(f"The address cannot be used: {' '.join(ignored)[:300]}")
    return ask_of(store, run, values)
