"""A slice through latent space, as a map."""

from __future__ import annotations

import numpy as np

from gan_core.frames import opinions
from gan_core.latent import plane
from ui.latent.choice import Form, place, word
from ui.latent.tool import Answer, Ask, Tool, images_only, sheet
from ui.latent.walk import WAYS

CORNERS = ("a", "b", "c")
FIELDS = {
    **{name: place(k) for k, name in enumerate(CORNERS)},
    "cells": word(16, (8, 12, 16, 24, 32)),
    "bend": word("slerp", tuple(WAYS)),
    "ground": word("score", ("score", "class", "none")),
}


def controls(form: Form, ask: Ask) -> None:
    form.places(CORNERS, ("A, top left", "B, top right", "C, bottom left"))
    form.segments(
        "cells", "Samples along a side", {n: str(n) for n in (8, 12, 16, 24, 32)}, "More of them are finer, and slower."
    )
    form.segments("bend", "Way", WAYS, "How the corners are joined: along the sphere on which noise lies, or straight.")
    grounds = {"score": "Score", "class": "Class", "none": "Nothing"}
    form.segments(
        "ground",
        "Behind the samples",
        grounds,
        "The discriminator's score: blue where it takes a sample for real. Or the class that a classifier sees, the stronger the "
        "surer it is: where colours meet, one class becomes another.",
    )


def answer(ask: Ask) -> Answer:
    n = ask.values["cells"]
    lattice = plane(ask.latents(*CORNERS), n, ask.values["bend"])
    found = ask.explorer.plane(lattice, ask.space, ask.labels(n * n), ask.values["psi"])
    place, picture = sheet(found.samples.flatten(0, 1))
    arrays: dict[str, np.ndarray | bytes] = {"sheet": picture, "scores": found.scores.numpy()}
    arrays["opinions"] = opinions(ask.explorer.config.loss, found.scores.flatten())[0]
    ground, words = ask.values["ground"], ""
    if found.classes is not None:
        arrays |= {"classes": found.classes.numpy().astype(np.uint8), "confidence": found.confidence.numpy()}
    elif ground == "class":
        ground = "score"
        words = " Nothing tells the classes of these images apart yet, so the score is shown."
    caption = "Point at the map, or use the arrow keys: the large image is the generator's at that place." + words
    return {**place, "cells": n, "ground": ground, "caption": caption}, arrays


PLANE = Tool(
    "Plane",
    "A slice through three noise vectors, as a map of what lies between them.",
    "plane",
    FIELDS,
    controls,
    answer,
    images_only,
)
