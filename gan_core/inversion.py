"""Inversion: the latents of which a generator makes a given sample, by gradient descent from several starts at once."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

BETAS = (0.9, 0.999)  # of Adam


def descend(
    measure: Callable[[Tensor], Tensor],
    starts: Tensor,
    steps: int,
    rate: float,
    project: Callable[[Tensor], Tensor] = lambda latents: latents,
    progress: Callable[[float, float], None] = lambda share, best: None,
    stop: Callable[[], bool] = lambda: False,
) -> tuple[Tensor, Tensor, int]:
    """Latents that make a measure small, by Adam whose rate falls to 0 along a half cosine (Karras et al. 2020, appendix D).

    Starts never mix: their measures are added, and Adam treats each number alone. Each keeps the best that it passed.

    Args:
        measure: latents (S, Z) -> what to make small, (S,), each from its own latents alone.
        starts: (S, Z).
        rate: of Adam at the beginning, in the latents' own units.
        project: puts latents back to where they may be, after each step.
        progress: called after each step with the share done and the least measure so far.
        stop: asked before each step; True ends it with what there is.

    Returns:
        the best latents (S, Z) of each start, their measures (S,), and how many steps were taken.
    """
    latents = starts.clone().requires_grad_()
    optimizer = torch.optim.Adam([latents], rate, BETAS)
    best, least, taken = starts.clone(), torch.full((len(starts),), math.inf), 0

    def look(found: Tensor) -> None:
        """Keep what is better than all before."""
        found = found.detach().cpu()
        better = found < least
        best[better], least[better] = latents.detach()[better], found[better]

    while taken < steps and not stop():
        optimizer.param_groups[0]["lr"] = rate * (1 + math.cos(math.pi * taken / steps)) / 2
        with torch.enable_grad():
            found = measure(latents)
            (latents.grad,) = torch.autograd.grad(found.sum(), latents)
        look(found)
        optimizer.step()
        with torch.no_grad():
            latents.copy_(project(latents))
        taken += 1
        progress(taken / steps, float(least.min()))
    with torch.no_grad():
        look(measure(latents))
    return best, least, taken
