"""A slice through latent space, as a map."""

from __future__ import annotations

import numpy as np
import streamlit as st
from torch import Tensor

from gan_core.frames import opinions
from gan_core.latent import plane, slice_along
from ui.latent import directions
from ui.latent.choice import Form, place, real, word
from ui.latent.tool import Answer, Ask, Tool, images_only, sheet
from ui.latent.walk import WAYS
from ui.text import significant

CORNERS = ("a", "b", "c")
CELLS = (8, 12, 16, 24, 32)  # along a side
FIELDS = {
    **{name: place(k) for k, name in enumerate(CORNERS)},
    "cells": word(16, CELLS),
    "span": word("corners", ("corners", "directions")),
    "bend": word("slerp", tuple(WAYS)),
    **directions.KINDS,
    **directions.PAIR,
    "reach": real(3.0, 0.5, 6.0),
    "ground": word("score", ("score", "class", "none")),
}


def controls(form: Form, ask: Ask) -> None:
    form.segments(
        "span",
        "Through",
        {"corners": "Three places", "directions": "Two directions"},
        "A slice through three noise vectors, or one around a noise vector along two directions.",
    )
    if ask.values["span"] == "corners":
        form.places(CORNERS, ("A, top left", "B, top right", "C, bottom left"))
        form.segments("bend", "Way", WAYS, "How the corners are joined: along the sphere on which noise lies, or straight.")
    else:
        form.places(("a",), ("Middle",))
        directions.choose_pair(form, ask, ("From left to right", "From top to bottom"))
        if len(directions.found(ask).names) == 1:
            st.caption("There is one direction only, so all rows are alike. Keep a second one, or choose another kind.")
        form.slide("reach", "Reach", 0.5, 6.0, 0.5, "How far it goes to either side, in standard deviations of the noise.")
    fitting = {n: str(n) for n in CELLS if n <= ask.explorer.most_cells}
    form.segments("cells", "Samples along a side", fitting, "More of them are finer, and slower.")
    grounds = {"score": "Score", "class": "Class", "none": "Nothing"}
    form.segments(
        "ground",
        "Behind the samples",
        grounds,
        "The discriminator's score: blue where it takes a sample for real. Or the class that a classifier sees, the stronger the "
        "surer it is: where colours meet, one class becomes another.",
    )


def cells_of(ask: Ask) -> int:
    """How many samples along a side: as many as were chosen, or as fit."""
    return min(ask.values["cells"], max(n for n in CELLS if n <= ask.explorer.most_cells))


def lattice_of(ask: Ask) -> tuple[Tensor, str]:
    """The latents (cells, cells, Z) of the slice, and words about it."""
    n = cells_of(ask)
    if ask.values["span"] == "corners":
        return plane(ask.latents(*CORNERS), n, ask.values["bend"]), ""
    found, reach = directions.found(ask), ask.values["reach"]
    right, down = directions.pair(ask, len(found.names))
    far = reach * found.deviations[[right, down]]
    far[1] *= down != right  # with one direction only, nothing changes from row to row
    rows = f", from top to bottom {found.names[down]}" if down != right else ""
    words = (
        f" From left to right {found.names[right]}{rows}, {significant(reach)} standard deviations to either side of the middle."
    )
    return slice_along(ask.latents("a")[0], found.vectors[[right, down]], far, n), words


def answer(ask: Ask) -> Answer:
    n = cells_of(ask)
    lattice, about = lattice_of(ask)
    found = ask.explorer.plane(lattice, ask.space, ask.labels(n * n), ask.psi)
    place, picture = sheet(found.samples.flatten(0, 1))
    arrays: dict[str, np.ndarray | bytes] = {"sheet": picture, "scores": found.scores.numpy()}
    arrays["opinions"] = opinions(ask.explorer.config.loss, found.scores.flatten())[0]
    ground, words = ask.values["ground"], ""
    if found.classes is not None:
        arrays |= {"classes": found.classes.numpy().astype(np.uint8), "confidence": found.confidence.numpy()}
    elif ground == "class":
        ground = "score"
        words = " Nothing tells the classes of these images apart yet, so the score is shown."
    caption = "Point at the map, or use the arrow keys: the large image is the generator's at that place." + about + words
    return {**place, "cells": n, "ground": ground, "caption": caption}, arrays


PLANE = Tool(
    "Plane",
    "A slice through noise space, as a map of what lies between three places or along two directions.",
    "plane",
    FIELDS,
    controls,
    answer,
    images_only,
    seen=("cell",),
)
