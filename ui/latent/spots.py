"""Spots: places in a latent space as they stand in an address.

A spot is a seed (`12`), a latent that was found (`~` and its numbers), or a sum of averages: `1,2,3-4,5+6` is the mean of the
latents of seeds 1, 2 and 3, less the mean of 4 and 5, plus that of 6.
"""

from __future__ import annotations

import base64
import re

import numpy as np
import torch
from torch import Tensor

from gan_core import RunError
from gan_core.explorer import Explorer

HIGHEST = 2**31 - 1
MOST = 64  # latents in one spot
LONGEST = 4000  # letters of one
_TERM = re.compile(r"([+-]?)((?:\d+|~[\w.]+)(?:,(?:\d+|~[\w.]+))*)")
_LETTERS = b"._"  # of 64, so that no sign of a sum is among them


def spot(text: str) -> str:
    """The text of a spot, checked.

    Raises:
        ValueError: it is none.
    """
    text = re.sub(r"\s", "", text)
    terms = _TERM.findall(text)
    if not terms or len(text) > LONGEST or "".join(map("".join, terms)) != text or not all(sign for sign, _ in terms[1:]):
        raise ValueError(f"“{text[:40]}” is no spot: expected a seed such as 12, or a sum such as 1,2-3+4.")
    items = [item for _, group in terms for item in group.split(",")]
    if len(items) > MOST:
        raise ValueError(f"A spot of {len(items)} latents is too long: expected at most {MOST}.")
    if any(item[0] != "~" and int(item) > HIGHEST for item in items):
        raise ValueError(f"A seed is out of range: expected 0 to {HIGHEST}.")
    return text


def written(latent: Tensor) -> str:
    """A latent (Z,) as a spot, to three digits."""
    return "~" + base64.b64encode(latent.numpy().astype("<f2").tobytes(), altchars=_LETTERS).decode().rstrip("=")


def is_seed(text: str) -> bool:
    return text.isdecimal()


def latent_of(explorer: Explorer, text: str, space: str = "z", label: int | None = None) -> Tensor:
    """The latent (Z,) of a checked spot in a space.

    Raises:
        RunError: a latent that was found belongs to another space or network.
    """
    total = torch.zeros(explorer.dim(space))
    for sign, group in _TERM.findall(text):
        mean = torch.stack([_one(explorer, item, space, label) for item in group.split(",")]).mean(0)
        total += -mean if sign == "-" else mean
    return total


def _one(explorer: Explorer, item: str, space: str, label: int | None) -> Tensor:
    if item[0] != "~":
        z = explorer.draw([int(item)])
        labels = None if label is None else torch.tensor([label])
        return z[0] if space == "z" else explorer.to_w(z, labels)[0]
    text = item[1:].encode()
    try:
        numbers = np.frombuffer(base64.b64decode(text + b"=" * (-len(text) % 4), altchars=_LETTERS, validate=True), "<f2")
    except ValueError:
        numbers = np.zeros(0, "<f2")
    if len(numbers) != explorer.dim(space) or not np.isfinite(numbers).all():
        raise RunError(f"A latent in the address does not fit the space {space} of this run. Choose a seed in its place.")
    return torch.tensor(numbers.astype(np.float32))
