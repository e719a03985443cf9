"""What a tool of the latent page is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gan_core import RunStore
from gan_core.explorer import Explorer
from gan_core.frames import png_grid
from ui.latent.choice import Field, Form
from ui.latent.spots import latent_of

COLUMNS = 16  # of a sheet of images
Answer = tuple[dict[str, Any], dict[str, np.ndarray | bytes]]  # header and arrays of a message


@dataclass(frozen=True)
class Ask:
    """What a tool is asked about: a run at a kept step, and the values of the tab."""

    store: RunStore
    run: str
    step: int
    explorer: Explorer
    values: dict[str, Any]

    @property
    def space(self) -> str:
        return self.values["space"] if self.values["space"] in self.explorer.spaces else "z"

    @property
    def psi(self) -> float:
        """The truncation that is chosen; 1 where the network has none."""
        return self.values["psi"] if len(self.explorer.spaces) > 1 else 1.0

    @property
    def label(self) -> int | None:
        """The class that is asked for; None where the generator knows of none."""
        classes = self.explorer.classes
        return min(self.values["label"], classes - 1) if classes else None

    def latents(self, *names: str) -> Tensor:
        """The latents (K, Z) of the spots in the fields of these names."""
        return torch.stack([latent_of(self.explorer, self.values[name], self.space, self.label) for name in names])

    def labels(self, n: int) -> Tensor | None:
        return None if self.label is None else torch.full((n,), self.label)

    def images(self, latents: Tensor) -> Tensor:
        """Samples (N, ...) of latents (N, Z), with the class and the truncation that are chosen."""
        return self.explorer.images(latents, self.space, self.labels(len(latents)), self.psi)


def sheet(images: Tensor) -> tuple[dict[str, Any], bytes]:
    """Images (N, C, H, W) as one PNG, and where to find them on it."""
    return {"size": images.shape[-1], "columns": COLUMNS}, png_grid(images, COLUMNS)


def anything(explorer: Explorer) -> str:
    return ""


def images_only(explorer: Explorer) -> str:
    return "" if len(explorer.shape) == 3 else "This is for images; this run makes points."


@dataclass(frozen=True)
class Tool:
    """A way to look at a latent space.

    Attributes:
        title, text: its name, and what it shows.
        view: the component that draws its answers: static/<view>.js.
        fields: what it can be told, beside `choice.COMMON`.
        controls: draws them into a form; the ask is for what a run offers. True where they say that the answer is being made.
        answer: header and arrays of what the view draws.
        lacks: says in a sentence why a generator cannot be looked at so; "" where it can.
        busy: whether the answer is still being made, and has to be asked for again.
        events: what the view may say by `setTriggerValue`: name -> called with the form, the ask and what was said. May raise
            PlaygroundError and ValueError.
        without: fields of `choice.COMMON` that it does not ask for, or has among its own controls.
        seen: names in the address that the view reads and writes by itself (static/address.js); no other view has them.
    """

    title: str
    text: str
    view: str
    fields: Mapping[str, Field]
    controls: Callable[[Form, Ask], bool | None]
    answer: Callable[[Ask], Answer]
    lacks: Callable[[Explorer], str] = anything
    busy: Callable[[Ask], bool] = lambda ask: False
    events: Mapping[str, Callable[[Form, Ask, Any], None]] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    seen: tuple[str, ...] = ()
