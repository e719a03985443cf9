"""A slice through the noise of a generator of points, and where it lands among the data."""

from __future__ import annotations

from contextlib import suppress

import torch
from torch import Tensor

from gan_core import RunError
from gan_core.draws import seeded
from gan_core.explorer import Explorer
from gan_core.frames import extent
from gan_core.latent import orthonormal
from gan_core.latents import LATENTS
from ui.latent import directions
from ui.latent.choice import Form, whole, word
from ui.latent.spots import HIGHEST
from ui.latent.tool import Answer, Ask, Tool
from ui.latent.walk import POINTS

CELLS = 32  # along a side
MARGIN = 1.08  # around the lattice
PARALLEL = 0.9999  # cosine of two directions, from which on they are one
TINTS = {"folding": "Folding", "density": "Density"}

FIELDS = {
    "through": word("directions", ("directions", "numbers")),
    **directions.KINDS,
    **directions.PAIR,
    "across": whole(0, 0, 10**4),
    "upwards": whole(1, 0, 10**4),
    "held": whole(0, 0, HIGHEST),
    "tint": word("folding", tuple(TINTS)),
}


def points_only(explorer: Explorer) -> str:
    return "" if len(explorer.shape) == 1 else "This is for points; this run makes images."


def controls(form: Form, ask: Ask) -> None:
    form.segments(
        "tint",
        "Colour",
        TINTS,
        "Folding: how much the generator stretches each place, and whether it turns it over. Density: how much of this "
        "slice of the noise ends up there.",
    )
    dim = ask.explorer.config.latent_dim
    if dim <= 2:
        return
    if LATENTS[ask.explorer.config.latent].round:
        form.segments(
            "through",
            "Through",
            {"directions": "Two directions", "numbers": "Two numbers"},
            f"A slice along two directions that the generator has much to do with, or one in which two of the {dim} numbers of "
            f"the noise vary, of which each alone may do little.",
        )
    if not _along(ask):
        form.number("across", "Number across", 0, dim - 1, f"Which of the {dim} numbers of the noise goes from left to right.")
        form.number("upwards", "Number upwards", 0, dim - 1, f"Which of the {dim} numbers of the noise goes from bottom to top.")
    else:
        with suppress(RunError):  # all samples are the same: the answer says so
            directions.choose_pair(form, ask, ("From left to right", "From bottom to top"))
    form.number("held", "Seed of the rest", 0, HIGHEST, "The rest of the noise stays as in the noise vector of this seed.")


def _along(ask: Ask) -> bool:
    """Whether the slice goes along directions."""
    config = ask.explorer.config
    return LATENTS[config.latent].round and config.latent_dim > 2 and ask.values["through"] == "directions"


def numbers(ask: Ask) -> tuple[int, int]:
    """Which two numbers of the noise vary: those that were chosen, or the nearest that this noise has."""
    last = ask.explorer.config.latent_dim - 1
    across, upwards = min(ask.values["across"], last), min(ask.values["upwards"], last)
    if across == upwards and last > 0:
        upwards = across - 1 if across else 1
    return across, upwards


def axes(ask: Ask) -> tuple[tuple[int, int] | Tensor, list[str], str]:
    """What varies: two numbers or directions (2, Z), what they are called, and words about all else."""
    rest = ask.explorer.config.latent_dim - 2
    others = "the other direction" if rest == 1 else f"the {rest} other directions"
    held = f" What the noise is in {others} stays as in seed {ask.values['held']}." if rest > 0 else ""
    if _along(ask):
        try:
            found = directions.found(ask)
        except RunError as error:
            held = f" {error} The slice goes along two numbers of the noise.{held}"
        else:
            pair = directions.pair(ask, len(found.names))
            first, second = (found.names[k] for k in pair)
            chosen = found.vectors[list(pair)]
            if abs(float(chosen[0] @ chosen[1])) > PARALLEL:
                chosen, second = chosen[:1], "at right angles to it"
            frame = orthonormal(torch.cat([chosen, torch.eye(rest + 2)]))[:2]
            return frame, [first[0].upper() + first[1:], second], held
    across, upwards = numbers(ask)
    return (across, upwards), [f"Noise {across}", f"noise {upwards}"], held


def answer(ask: Ask) -> Answer:
    explorer, (which, names, held) = ask.explorer, axes(ask)
    slice_ = explorer.noise_plane(CELLS, which, ask.label, ask.values["held"])
    # the larger part counts as the right way up
    sign = -1 if (slice_.determinant < 0).float().mean() > 0.5 else 1
    found = None if explorer.data.centres is None else explorer.classify(slice_.points.flatten(0, 1))
    between = None if found is None else 1 - float(found[1].mean())
    real = explorer.data.x[torch.randint(len(explorer.data.x), (POINTS,), generator=seeded(0, "view"))]
    header = {
        "cells": CELLS,
        "tint": ask.values["tint"],
        "names": names,
        "reach": MARGIN * float(slice_.noise.abs().max()),
        "extent": extent(explorer.data),
        "step": ask.step,
        "told": told(slice_.turned, between) + held,
    }
    return header, {
        "noise": slice_.noise.numpy(),
        "points": slice_.points.numpy(),
        "folding": (sign * slice_.determinant).numpy(),
        "density": slice_.density.numpy(),
        "real": real.cpu().numpy(),
    }


def percent(share: float) -> str:
    return "less than 1 %" if 0 < share < 0.005 else f"{100 * share:.0f} %"


def told(turned: float, between: float | None) -> str:
    """What the slice comes to.

    Args:
        turned: share of it that is turned over. between: share that lands outside of all modes; None where there are none.
    """
    if turned:
        share = percent(turned)
        words = f"{share[0].upper()}{share[1:]} of this slice is turned over: there the sheet of noise is folded."
    else:
        words = "Nothing of this slice is turned over: the sheet of noise lies flat, without a fold."
    words += (
        " The noise is one connected sheet, which the generator can stretch but not tear, so between separate modes it draws a "
        "bridge."
    )
    return words if between is None else f"{words} Of this slice {percent(between)} lands outside of the modes."


NOISE = Tool(
    "Noise plane",
    "A sheet of noise, and how the generator stretches and folds it over the data.",
    "noise",
    FIELDS,
    controls,
    answer,
    points_only,
    seen=("mark", "sheet", "landing"),
)
