"""What a conditional generator makes of a noise vector in each class, and between two classes."""

from __future__ import annotations

import torch

from gan_core.explorer import Explorer
from gan_core.frames import png_grid
from ui.latent.choice import Form, whole, word
from ui.latent.spots import HIGHEST
from ui.latent.tool import Answer, Ask, Tool, images_only

ROWS = 8
FRAMES = 9  # from one class to another
TABLES = {"classes": "All", "noise": "One", "between": "Between two"}

FIELDS = {
    "table": word("classes", tuple(TABLES)),
    "drawn": whole(0, 0, HIGHEST),
    "towards": whole(1, 0, 10**4),
}


def lacks(explorer: Explorer) -> str:
    return images_only(explorer) or ("" if explorer.classes else "This generator was trained without classes.")


def controls(form: Form, ask: Ask) -> None:
    form.segments(
        "table",
        "Classes",
        TABLES,
        "All: the same noise in every class. One: much noise in one class. Between two: the way from one class to another.",
    )
    highest = ask.explorer.classes - 1
    if form.values["table"] == "noise":
        form.number("label", "Class", 0, highest, "The class of all images.")
    if form.values["table"] == "between":
        form.number("label", "From class", 0, highest, "The class in the first column.")
        form.number("towards", "To class", 0, highest, "The class in the last column.")
    form.number("drawn", "First seed", 0, HIGHEST, "The seed of the first noise vector; the others are those that follow.")


def answer(ask: Ask) -> Answer:
    return {"classes": _all_classes, "noise": _one_class, "between": _between}[ask.values["table"]](ask)


def _table(ask: Ask, columns: int, seeds: list[int], labels: torch.Tensor, words: list[str], **header) -> Answer:
    """Images of the seeds (R * C) in the classes, row by row, and what each of them is."""
    images = ask.explorer.images(ask.explorer.draw(seeds), labels=labels, truncation=ask.psi)
    header |= {"columns": columns, "rows": len(seeds) // columns, "size": images.shape[-1], "words": words}
    return header, {"sheet": png_grid(images, columns)}


def _seeds(ask: Ask, n: int = ROWS) -> list[int]:
    return list(range(ask.values["drawn"], ask.values["drawn"] + n))


def _all_classes(ask: Ask) -> Answer:
    rows, classes = _seeds(ask), range(ask.explorer.classes)
    cells = [(seed, label) for seed in rows for label in classes]
    return _table(
        ask,
        len(classes),
        [seed for seed, _ in cells],
        torch.tensor([label for _, label in cells]),
        [f"Class {label}, seed {seed}" for seed, label in cells],
        row_labels=[str(seed) for seed in rows],
        column_labels=[str(label) for label in classes],
        titles=["Seed", "Class"],
        caption="Each row is one noise vector in all classes. What stays the same along a row, such as slant or weight of the "
        "stroke, is what the noise says; what changes is what the class says.",
    )


def _one_class(ask: Ask) -> Answer:
    seeds = _seeds(ask, ROWS * ROWS)
    return _table(
        ask,
        ROWS,
        seeds,
        ask.labels(len(seeds)),
        [f"Class {ask.label}, seed {seed}" for seed in seeds],
        row_labels=[str(seed) for seed in seeds[::ROWS]],
        column_labels=[f"+{k}" for k in range(ROWS)],
        titles=["Seed", f"Class {ask.label}"],
        caption=f"Class {ask.label} from {len(seeds)} noise vectors. Where many look alike, the noise has little to say.",
    )


def _between(ask: Ask) -> Answer:
    rows, end = _seeds(ask), min(ask.values["towards"], ask.explorer.classes - 1)
    shares = [round(100 * k / (FRAMES - 1)) for k in range(FRAMES)]
    return _table(
        ask,
        FRAMES,
        [seed for seed in rows for _ in shares],
        ask.explorer.blend(ask.label, end, FRAMES).repeat(len(rows), 1),
        [f"{share} % of the way from class {ask.label} to class {end}, seed {seed}" for seed in rows for share in shares],
        row_labels=[str(seed) for seed in rows],
        column_labels=[str(ask.label), *[""] * (FRAMES - 2), str(end)],
        titles=["Seed", "Class"],
        caption="The noise stays, the class is mixed. The generator was trained on whole classes only: what lies between them "
        "is its own invention, a slow change or a jump.",
    )


CLASSES = Tool(
    "Classes",
    "The same noise in all classes, one class from much noise, and the way between two classes.",
    "table",
    FIELDS,
    controls,
    answer,
    lacks,
    without=("label", "space"),
    seen=("spot",),
)
