"""Directions: ways in which a generator's samples change, each with a slider."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import streamlit as st
import torch
from torch import Tensor

from gan_core import RunError
from gan_core.directions import DIRECTIONS, SAMPLES, Directions, find
from gan_core.draws import seeded
from gan_core.explorer import Explorer
from gan_core.frames import extent
from gan_core.keepsakes import NAME_LENGTH
from gan_core.latent import along
from ui import shell
from ui.latent.choice import Field, Form, place, whole, word
from ui.latent.spots import is_seed
from ui.latent.tool import Answer, Ask, Tool, sheet

COUNT, MOST = 8, 25  # directions that are shown; of classes, as many as there are up to MOST
FAR = 3.0  # standard deviations to either side
STRIP = 7  # samples of a direction
FINE = 49  # places on the way of a point
POINTS = 600  # of a cloud
KEPT = "kept"
_SHARED = {"classes": "the noise", "random": "the noise", "sefa": "the first layer's weights"}  # what a share is one of


def moves(text: str) -> str:
    """How far along each direction, in standard deviations: `1.5,0,-2`. Zeros at the end are left out.

    Raises:
        ValueError: it is no such text.
    """
    values = [float(part[:20]) for part in text.split(",")] if text else []
    if len(values) > MOST or not all(abs(v) <= FAR for v in values):  # nor nan
        raise ValueError(f"“{text[:40]}” is no combination: expected at most {MOST} numbers from {-FAR:g} to {FAR:g}.")
    while values and values[-1] == 0:
        values.pop()
    return ",".join(f"{v + 0.0:.4g}" for v in values)


KINDS = {  # what `choose_kind` asks for
    "dirs": word(next(iter(DIRECTIONS)), (*DIRECTIONS, KEPT)),
    "dlayer": whole(0, 0, 99),
    "dseed": whole(0, 0, 10**6),
}
PAIR = {"right": whole(0, 0, MOST - 1), "down": whole(1, 0, MOST - 1)}  # what `choose_pair` asks for
FIELDS = {"a": place(0), **KINDS, "moves": Field("", moves)}


# Kinds


def lacks(ask: Ask, kind: str) -> str:
    """Why directions of a kind cannot be shown, in a sentence; "" where they can."""
    if kind == KEPT:
        return "" if kept(ask) else "None yet: move the sliders and give the combination a name."
    return DIRECTIONS[kind].lacks(ask.explorer, ask.space)


def kind_of(ask: Ask) -> str:
    """The kind that is asked for, or the first where this run lacks what it needs."""
    wanted = ask.values["dirs"]
    return wanted if not lacks(ask, wanted) else next(kind for kind in DIRECTIONS if not lacks(ask, kind))


def kept(ask: Ask) -> Directions | None:
    """The latest kept directions of the run that belong to the space."""
    dim = ask.explorer.dim(ask.space)
    rows = [row for row in ask.store.directions(ask.run) if row.space == ask.space and len(row.vector) == dim][-COUNT:]
    if not rows:
        return None
    return Directions(
        KEPT,
        ask.space,
        torch.stack([torch.tensor(row.vector) for row in rows]),
        torch.tensor([row.deviation for row in rows]),
        torch.full((len(rows),), torch.nan),
        tuple(row.name for row in rows),
        "",
    )


def found(ask: Ask) -> Directions:
    """The directions that are shown."""
    kind, explorer = kind_of(ask), ask.explorer
    if kind == KEPT:
        return kept(ask)
    layer = ask.values["dlayer"] if DIRECTIONS[kind].layered else 0
    if layer >= len(explorer.activated(ask.space)):  # a link from another run
        layer = 0
    ready = explorer.judge is not None and explorer.judge.ready
    return _found(explorer, kind, ask.space, ask.values["dseed"], layer, ready)


# An explorer stands for a run, a step, a member and its weights: `ui.opened` keeps one of each. A judge that has learned
# meanwhile finds others.
@lru_cache(maxsize=8)
def _found(explorer: Explorer, kind: str, space: str, seed: int, layer: int, ready: bool) -> Directions:
    return find(explorer, kind, space, MOST if kind == "classes" else COUNT, seed, layer)


# What a combination makes


def amounts(ask: Ask, count: int) -> Tensor:
    """The moves (count,) in standard deviations."""
    values = [float(v) for v in ask.values["moves"].split(",")] if ask.values["moves"] else []
    return torch.tensor((values + [0.0] * count)[:count])


def shifted(base: Tensor, directions: Directions, by: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """A base (Z,) moved by all amounts (K,) together, (Z,), and the ways on which one of them goes from -FAR to FAR while the
    others stay: (K, steps, Z)."""
    units = directions.deviations[:, None] * directions.vectors  # (K, Z)
    moved = base + by @ units
    t = torch.linspace(-FAR, FAR, steps)
    return moved, moved + (t - by[:, None])[..., None] * units[:, None]


def combined(ask: Ask) -> tuple[Tensor, float]:
    """What the sliders do together, as a direction (Z,) of length 1, and the standard deviation of latents along it.

    Raises:
        RunError: they do nothing.
    """
    directions = found(ask)
    vector = (amounts(ask, len(directions.vectors)) * directions.deviations) @ directions.vectors
    if vector.norm() == 0:
        raise RunError("All sliders stand at 0, so there is nothing to keep. Move one first.")
    vector = vector / vector.norm()
    deviation, _ = along(ask.explorer.sample(SAMPLES, ask.space), vector[None])
    return vector, float(deviation)


def answer(ask: Ask) -> Answer:
    directions, explorer = found(ask), ask.explorer
    by, images = amounts(ask, len(directions.vectors)), len(explorer.shape) == 3
    base = ask.latents("a")[0]
    moved, ways = shifted(base, directions, by, STRIP if images else FINE)
    samples = ask.images(torch.cat([moved[None], base[None], ways.flatten(0, 1)]))
    rows = [
        {"name": name, "share": None if share != share else share}
        for name, share in zip(directions.names, directions.shares.tolist(), strict=True)
    ]
    header: dict[str, Any] = {
        "rows": rows,
        "moves": [round(v, 4) for v in by.tolist()],
        "far": FAR,
        "longest": NAME_LENGTH,
        "removable": directions.kind == KEPT,
        "caption": _caption(directions, images) + _left_out(explorer, directions),
    }
    if images:
        where, picture = sheet(samples)
        return {**header, **where, "kind": "images", "strip": STRIP}, {"sheet": picture}
    cloud = explorer.images(explorer.sample(POINTS, seed=1), labels=ask.labels(POINTS))
    real = explorer.data.x[torch.randint(len(explorer.data.x), (POINTS,), generator=seeded(0, "view"))]
    header |= {"kind": "points", "extent": extent(explorer.data), "step": ask.step}
    points = samples.numpy()
    return header, {"moved": points[0], "base": points[1], "ways": points[2:], "fake": cloud.numpy(), "real": real.cpu().numpy()}


def _caption(directions: Directions, images: bool) -> str:
    far = f"from −{FAR:g} to {FAR:g} standard deviations of the noise, the others as they stand."
    what = "strip shows the sample with that slider" if images else "line is the way of the sample while that slider goes"
    words = f"Each {what} {far}" + ("" if images else " The ring is the base sample, the dot where it is now.")
    if directions.kind != KEPT and not directions.shares.isnan().all():
        return f"{words} Percentages: share of the variance of {_SHARED.get(directions.kind, directions.looks_at)}."
    most = directions.kind == KEPT and len(directions.names) == COUNT
    return f"{words} The {COUNT} that were kept last." if most else words


def _left_out(explorer: Explorer, directions: Directions) -> str:
    """That there are more classes than directions, in a sentence."""
    if directions.kind != "classes":
        return ""
    data = explorer.data
    there = int(data.labels.max()) + 1 if data.centres is None else len(data.centres)
    shown = len(directions.names)
    return f" The first {shown} of {there} classes." if shown == MOST < there else ""


# What is chosen


def choose_kind(form: Form, ask: Ask) -> None:
    """How directions are found, with what that kind reads, and why others cannot be used here."""
    missing = {kind: words for kind in (*DIRECTIONS, KEPT) if (words := lacks(ask, kind))}
    titles = {kind: entry.title for kind, entry in DIRECTIONS.items()} | {KEPT: "Kept with this run"}
    options = {kind: title for kind, title in titles.items() if kind not in missing}
    about = "  \n".join(f"{DIRECTIONS[kind].title}: {DIRECTIONS[kind].text}" for kind in options if kind != KEPT)
    form.choose("dirs", "Directions", options, f"How the directions are found.  \n{about}")
    kind = kind_of(ask)
    if kind != KEPT and DIRECTIONS[kind].layered:
        layers = dict(enumerate(ask.explorer.activated(ask.space)))
        if len(layers) > 1:
            form.choose("dlayer", "Layer", layers, "Early layers hold what is coarse, late ones what is fine.")
    if kind == "random":
        form.number("dseed", "Seed of the directions", 0, 10**6, "Another seed draws other directions.")
    for name in missing:
        st.caption(f"Not here: {titles[name]}. {missing[name]}")


def choose_pair(form: Form, ask: Ask, ways: tuple[str, str]) -> None:
    """Two directions, whose fields are `right` and `down`; `ways` says where they lead on a picture."""
    choose_kind(form, ask)
    names = dict(enumerate(found(ask).names))
    form.choose("right", ways[0], names, "What changes from column to column.")
    others = {k: name for k, name in names.items() if k != pair(ask, len(names))[0]}
    if others:
        form.choose("down", ways[1], others, "What changes from row to row.")


def pair(ask: Ask, count: int) -> tuple[int, int]:
    """Which of so many directions are taken: those that were chosen, but never one for both where there are two."""
    right, down = (min(ask.values[name], count - 1) for name in PAIR)
    return right, down if down != right else int(right == 0 and count > 1)


def controls(form: Form, ask: Ask) -> None:
    choose_kind(form, ask)
    form.places(("a",), ("Base sample",))
    st.button(
        "Another sample",
        icon=":material/casino:",
        help="The next seed, with the sliders as they stand.",
        on_click=lambda: form.put({"a": str(int(form.values["a"]) + 1 if is_seed(form.values["a"]) else 0)}),
    )
    _forget(ask)


def _forget(ask: Ask) -> None:
    """Sliders go back to 0 when they come to mean other directions."""
    kind = kind_of(ask)
    names = kept(ask).names if kind == KEPT else ()
    whose = (ask.run, ask.step, ask.values["member"], ask.values["weights"])
    meaning = (*whose, ask.space, kind, ask.values["dlayer"], ask.values["dseed"], names)
    before = st.session_state.get("latent_directions", meaning)
    st.session_state["latent_directions"] = meaning
    if before != meaning:
        ask.values["moves"] = ""


# What the view says


def take_moves(form: Form, ask: Ask, said: Any) -> None:
    ask.values["moves"] = moves(str(said))


def keep(form: Form, ask: Ask, said: Mapping[str, Any]) -> None:
    ask.values["moves"] = moves(str(said.get("moves", "")))
    vector, deviation = combined(ask)
    name = ask.store.put_direction(ask.run, str(said.get("name", "")), ask.space, vector.numpy(), deviation)
    st.toast(f"Kept as “{shell.plain(name)}”. It stands under Directions, Kept with this run.")


def drop(form: Form, ask: Ask, said: Any) -> None:
    ask.store.drop_direction(ask.run, str(said))


DIRECTIONS_TOOL = Tool(
    "Directions",
    "Ways in which the samples change, found in the generator itself: a slider for each.",
    "directions",
    FIELDS,
    controls,
    answer,
    events={"moves": take_moves, "keep": keep, "drop": drop},
    seen=("around",),
)
