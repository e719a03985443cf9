"""Arithmetic with samples: the mean of some, less that of others, plus that of a third set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st
import torch
from torch import Tensor

from gan_core.latent import arithmetic
from ui.latent.choice import Field, Form, place, whole
from ui.latent.spots import HIGHEST, is_seed, spot
from ui.latent.tool import Answer, Ask, Tool, images_only, sheet

SHOWN = 48  # samples to choose from
SIGNS = {"a": "", "b": "-", "c": "+"}  # of A − B + C


def sets(text: str) -> dict[str, list[int]]:
    """The seeds of A, B and C in a sum such as `1,2-3,4+5`; any of them may be missing.

    Raises:
        ValueError: it is no such sum.
    """
    found: dict[str, list[int]] = {name: [] for name in SIGNS}
    if not text:
        return found
    rest = spot(text)
    for name, sign in reversed(SIGNS.items()):
        if sign:
            rest, _, group = rest.partition(sign)
        else:
            group = rest
        found[name] = [int(seed) for seed in group.split(",")] if group and all(map(is_seed, group.split(","))) else []
    if written(found) != spot(text):
        raise ValueError(f"“{text[:40]}” is no A − B + C: expected seeds such as 1,2-3,4+5.")
    return found


def written(chosen: Mapping[str, list[int]]) -> str:
    return "".join(sign + ",".join(map(str, chosen[name])) for name, sign in SIGNS.items() if chosen[name])


def total(text: str) -> str:
    """The text of a sum, checked; "" where nothing is chosen."""
    return written(sets(text))


FIELDS = {"a": place(0), "sum": Field("", total), "first": whole(0, 0, HIGHEST - SHOWN)}


def answer(ask: Ask) -> Answer:
    chosen, explorer = sets(ask.values["sum"]), ask.explorer
    first = ask.values["first"]
    seeds = {name: latents_of(ask, some) for name, some in chosen.items()}
    means = torch.stack([latents.mean(0) if len(latents) else torch.zeros(explorer.dim(ask.space)) for latents in seeds.values()])
    none = means.new_zeros(1, means.shape[1])
    result = arithmetic(*(latents if len(latents) else none for latents in seeds.values()))
    latents = torch.cat([latents_of(ask, range(first, first + SHOWN)), means, result[None]])
    where, picture = sheet(ask.images(latents))
    header: dict[str, Any] = {
        **where,
        "shown": SHOWN,
        "first": first,
        "last": HIGHEST - SHOWN,
        "chosen": chosen,
        "sum": ask.values["sum"],
        "taken": bool(ask.values["sum"]) and ask.values["a"] == ask.values["sum"],
        "caption": _CAPTION + (" The class stays as chosen on the left." if explorer.classes else ""),
    }
    return header, {"sheet": picture}


_CAPTION = (
    "The result is made from the mean noise of A, less that of B, plus that of C. Take a few samples for each: the noise of a "
    "single one holds much beside what you look for."
)


def latents_of(ask: Ask, seeds: list[int] | range) -> Tensor:
    """Latents (N, Z) of seeds, in the space that is chosen."""
    if not seeds:
        return torch.zeros(0, ask.explorer.dim(ask.space))
    z = ask.explorer.draw(seeds)
    return z if ask.space == "z" else ask.explorer.to_w(z, ask.labels(len(z)))


def controls(form: Form, ask: Ask) -> None:
    words = "For example A: sevens that lean, B: upright sevens, C: upright ones. The result should be ones that lean."
    st.caption(f"Choose A, B or C, then click on samples that belong to it; a second click takes one out. {words}")


def take_sum(form: Form, ask: Ask, said: Any) -> None:
    changed = {name: FIELDS[name].read(str(said[name])) for name in ("sum", "first") if name in said}
    ask.values.update(changed)


def use(form: Form, ask: Ask, said: Any) -> None:
    take_sum(form, ask, said)
    if ask.values["sum"]:
        form.put({"a": ask.values["sum"]})
        st.toast("The result is the end point A of the walk and the plane, and the base of directions.")


SUMS = Tool(
    "Arithmetic",
    "Adds and subtracts samples: A − B + C, each the mean of some that you choose.",
    "sums",
    FIELDS,
    controls,
    answer,
    images_only,
    events={"chosen": take_sum, "use": use},
)
