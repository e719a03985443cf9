"""A way from one spot to another, as a film."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st
import torch
from torch import Tensor

from gan_core import RunError
from gan_core.draws import seeded
from gan_core.frames import extent
from gan_core.latent import PATHS, path, step_lengths
from gan_core.latents import LATENTS
from ui import movie
from ui.latent.choice import Form, place, whole, word
from ui.latent.spots import HIGHEST
from ui.latent.tool import Answer, Ask, Tool, sheet

WAYS = {"slerp": "Around", "lerp": "Straight"}
ENDS = ("a", "b", "c", "d")
POINTS = 600  # of a cloud
FRAMES = (4, 64)  # of each leg, at least and at most

FIELDS = {
    **{name: place(k) for k, name in enumerate(ENDS)},
    "ends": word(2, (2, 3, 4)),
    "way": word("", ("", *PATHS, "both")),
    "frames": whole(24, *FRAMES),  # of each leg
    "speed": word(16, (8, 16, 30)),  # frames a second
}


def controls(form: Form, ask: Ask) -> None:
    form.segments(
        "ends",
        "End points",
        {2: "2", 3: "3", 4: "4"},
        "Two: from one to the other. Three or four: a round trip through all of them.",
    )
    names = ENDS[: form.values["ends"]]
    form.places(names, tuple(name.upper() for name in names))
    st.button(
        "Other end points",
        icon=":material/casino:",
        on_click=lambda: form.put(others(form.values, names)),
        disabled=not others(form.values, names),
        help="Puts the next seeds where seeds are; sums and what was found stay.",
    )
    usual = usual_way(ask)
    form.segments(
        "way",
        "Way",
        {kind: WAYS[kind] for kind in sorted(WAYS, key=lambda kind: kind != usual)} | {"both": "Both"},
        "Noise vectors of many dimensions all have about the same length. Around the sphere (slerp) every point on the way "
        "has it too; a straight line (lerp) cuts through the middle, where the generator was never trained.",
    )


def others(values: dict[str, Any], names: Sequence[str]) -> dict[str, str]:
    """For those of the names that hold a seed, the seeds after all that are there. What was found or added up stays."""
    seeds = [name for name in names if values[name].isdecimal()]
    first = max((int(values[name]) for name in ENDS if values[name].isdecimal()), default=-1) + 1
    first = first if first + len(ENDS) <= HIGHEST else 0
    return {name: str(first + k) for k, name in enumerate(seeds)}


def usual_way(ask: Ask) -> str:
    """Around in z, where noise lies on a sphere, and straight in w."""
    return "lerp" if ask.space == "w" else "slerp"


def along(ask: Ask) -> list[tuple[str, Tensor]]:
    """The samples (N, ...) of each way."""
    ends, way = ask.latents(*ENDS[: ask.values["ends"]]), ask.values["way"] or usual_way(ask)
    return [(kind, ask.images(path(ends, ask.values["frames"], kind))) for kind in PATHS if way in (kind, "both")]


def take_frames(form: Form, ask: Ask, said: Any) -> None:
    """How many frames each leg has, by the view's own slider, which asks for them itself."""
    ask.values["frames"] = FIELDS["frames"].read(str(said))


def answer(ask: Ask) -> Answer:
    ways, explorer = along(ask), ask.explorer
    header: dict[str, Any] = {"frames": len(ways[0][1]), "ways": [WAYS[kind] for kind, _ in ways]}
    header |= {"each": ask.values["frames"], "few": FRAMES[0], "many": FRAMES[1]}
    arrays = {f"lengths{k}": step_lengths(samples).numpy() for k, (_, samples) in enumerate(ways)}
    if len(explorer.shape) == 3:
        header["caption"] = (
            "The strip shows frames along the way; a click jumps there. Below it, how much each step changes the pixels: "
            "a peak is a jump."
        )
        for k, (_, samples) in enumerate(ways):
            place, arrays[f"sheet{k}"] = sheet(samples)
            header |= place
        return {**header, "kind": "images"}, arrays
    cloud = explorer.images(explorer.sample(POINTS, seed=1), labels=ask.labels(POINTS))
    real = explorer.data.x[torch.randint(len(explorer.data.x), (POINTS,), generator=seeded(0, "view"))]
    header |= {"kind": "points", "extent": extent(explorer.data), "step": ask.step, "caption": _caption(ask)}
    paths = {f"path{k}": samples.numpy() for k, (_, samples) in enumerate(ways)}
    return header, arrays | paths | {"fake": cloud.numpy(), "real": real.cpu().numpy()}


def _caption(ask: Ask) -> str:
    words = "The line is the way of one sample while its noise vector moves; below, how far it goes at each step. "
    if LATENTS[ask.explorer.config.latent].islands:
        return words + "Between the islands of this noise it leaves what the generator was trained on."
    return words + "Between modes it crosses empty space: a connected noise space has a connected image."


def exported(ask: Ask, kind: str) -> bytes:
    """The way as a file, each of two ways under its name, at the speed that is chosen: one of `movie.KINDS`.

    Raises:
        RunError: there is no such kind.
    """
    if kind not in movie.KINDS:
        raise RunError(f"A way cannot be saved as {kind}. Choose one of: {', '.join(movie.KINDS)}.")
    ways, data = along(ask), ask.explorer.data
    names, n = [WAYS[way] for way, _ in ways], len(ways[0][1])
    if len(ask.explorer.shape) == 3:
        films = [[movie.enlarged(image) for image in made.numpy()] for _, made in ways]
    else:
        x, real = extent(data), data.x[:POINTS].cpu().numpy()
        films = [[movie.points(x, {"path": made[: k + 1].numpy()}, real) for k in range(n)] for _, made in ways]
    below = kind == "png"  # of a strip, each way is a row
    pictures = enumerate(zip(*films, strict=True), 1)
    frames = [movie.beside(those, names, f"Frame {k} of {n}", below) for k, those in pictures]
    ms = round(1000 / ask.values["speed"])
    return movie.KINDS[kind].make(frames, ms, movie.LAST_MS if ask.values["ends"] == 2 else ms)  # a round trip has no end


WALK = Tool(
    "Walk",
    "From one noise vector to another, as a film.",
    "strip",
    FIELDS,
    controls,
    answer,
    events={"each": take_frames},
    seen=("frame", "speed", "zoom", "zoom2"),
)
