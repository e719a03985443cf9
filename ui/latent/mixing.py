"""Style mixing: coarse styles of one image with the fine styles of another (Karras et al. 2019, figure 3)."""

from __future__ import annotations

from gan_core.explorer import Explorer
from gan_core.frames import png_grid
from ui.latent.choice import Form, whole
from ui.latent.spots import HIGHEST
from ui.latent.tool import Answer, Ask, Tool

SOURCES = 6  # along each side

FIELDS = {
    "crossover": whole(2, 1, 10**4),
    "coarse": whole(0, 0, HIGHEST),
    "fine": whole(100, 0, HIGHEST),
}


def lacks(explorer: Explorer) -> str:
    return "" if explorer.layers else "This is for style networks; this generator has no styles to mix."


def crossover(ask: Ask) -> int:
    """The first layer that takes the style of the source above; each source has at least one."""
    return min(ask.values["crossover"], ask.explorer.layers - 1)


def controls(form: Form, ask: Ask) -> None:
    layers = ask.explorer.layers
    form.number(
        "crossover",
        "Layers from the left",
        1,
        layers - 1,
        f"So many of the {layers} layers, the coarse ones, take the style of the image on the left; the others that of the "
        "image above.",
    )
    form.number("coarse", "First seed on the left", 0, HIGHEST, "Images that lend their coarse styles, from this seed on.")
    form.number("fine", "First seed above", 0, HIGHEST, "Images that lend their fine styles, from this seed on.")


def answer(ask: Ask) -> Answer:
    explorer, at, psi = ask.explorer, crossover(ask), ask.psi
    left, above = (range(ask.values[name], ask.values[name] + SOURCES) for name in ("coarse", "fine"))
    coarse, fine = explorer.draw(left), explorer.draw(above)
    rows, columns = coarse.repeat_interleave(SOURCES, 0), fine.repeat(SOURCES, 1)
    label = ask.labels(SOURCES**2)
    mixed = explorer.images(rows, labels=label, truncation=psi, mix=(columns, at))
    sources = {"left": coarse, "above": fine}
    pictures = {
        name: png_grid(explorer.images(z, labels=ask.labels(SOURCES), truncation=psi), SOURCES) for name, z in sources.items()
    }
    header = {
        "columns": SOURCES,
        "rows": SOURCES,
        "size": mixed.shape[-1],
        "words": [f"Coarse styles of seed {a}, fine styles of seed {b}" for a in left for b in above],
        "row_labels": [str(seed) for seed in left],
        "column_labels": [str(seed) for seed in above],
        "titles": ["Coarse", "Fine"],
        "caption": f"The style of {_layers(1, at)} is that of the image on the left, the style of "
        f"{_layers(at + 1, explorer.layers)} that of the image above. Coarse layers set shape and pose, fine ones stroke and "
        "shade.",
    }
    return header, {"sheet": png_grid(mixed, SOURCES), **pictures}


def _layers(first: int, last: int) -> str:
    return f"layer {first}" if first == last else f"layers {first} to {last}"


MIXING = Tool(
    "Mix styles",
    "Images with the coarse styles of one seed and the fine styles of another.",
    "table",
    FIELDS,
    controls,
    answer,
    lacks,
    without=("space",),
    seen=("spot",),
)
