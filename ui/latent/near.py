"""Samples beside the training images that are nearest to them: is it a copy?"""

from __future__ import annotations

import torch

from gan_core.evaluation import neighbours_of
from gan_core.frames import png_grid
from gan_core.metrics import ALIKE
from ui.latent.choice import Form, place, word
from ui.latent.tool import Answer, Ask, Tool, images_only
from ui.text import significant

LETTERS = ("a", "b", "c", "d")
NEAREST = 6  # training images beside each sample
FIELDS = {**{name: place(k) for k, name in enumerate(LETTERS)}, "ends": word(2, (2, 3, 4))}


def controls(form: Form, ask: Ask) -> None:
    form.segments("ends", "Samples", {2: "2", 3: "3", 4: "4"}, "How many samples are compared with the training images.")
    names = LETTERS[: form.values["ends"]]
    form.places(names, tuple(name.upper() for name in names))


def answer(ask: Ask) -> Answer:
    names = LETTERS[: ask.values["ends"]]
    found = neighbours_of(ask.images(ask.latents(*names)), ask.explorer.data, NEAREST)
    columns = 1 + found.nearest.shape[1]
    both = torch.cat([found.samples[:, None], found.nearest], 1).flatten(0, 1)  # (N * columns, C, H, W)
    rows = [
        {
            "name": name.upper(),
            "rows": found.rows[k].tolist(),
            "distance": [significant(value) for value in found.distance[k].tolist()],
            "words": verdict(float(found.distance[k, 0]), int(found.rows[k, 0])),
            "copy": float(found.distance[k, 0]) < ALIKE,
        }
        for k, name in enumerate(names)
    ]
    caption = (
        "Distances are of pixels, in multiples of the usual one: that of a real image to the real image nearest to it. "
        f"Below {ALIKE:g} two images count as the same."
    )
    header = {"size": found.samples.shape[-1], "columns": columns, "samples": rows, "caption": caption}
    return header, {"sheet": png_grid(both, columns)}


def verdict(distance: float, row: int) -> str:
    """What the distance to the nearest training image says, in multiples of the usual one."""
    if distance < ALIKE:
        return f"A copy: it is image {row} of the data, or hardly differs from it."
    if distance < 1:
        return f"Not a copy, but nearer to image {row} than real images usually are to each other."
    return "Not a copy: it lies no nearer to any training image than those lie to each other."


NEAR = Tool(
    "Neighbours",
    "Samples beside the training images that are nearest to them: are they copies?",
    "near",
    FIELDS,
    controls,
    answer,
    images_only,
)
