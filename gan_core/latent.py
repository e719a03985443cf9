"""Ways through latent space. Pure functions on latents (..., Z)."""

from __future__ import annotations

import torch
from torch import Tensor

COLLINEAR = 1e-4  # sine of the angle below which a great circle is not defined by its two points


def lerp(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Straight line: a and b (Z,), t (T,) in [0, 1] -> (T, Z). Its middle is shorter than its ends."""
    t = t[:, None]
    return (1 - t) * a + t * b


def slerp(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Along the great circle between two directions, the length going evenly from one to the other (Shoemake 1985).

    Where the ends have the same norm, so has every point between them. Ends that are parallel, opposite or zero have no
    great circle of their own; they are joined by `lerp`.

    Args:
        a, b: (Z,). t: (T,) in [0, 1].

    Returns:
        (T, Z).
    """
    norm_a, norm_b = a.norm(), b.norm()
    if norm_a == 0 or norm_b == 0:
        return lerp(a, b, t)
    one, two = a / norm_a, b / norm_b
    angle = 2 * torch.atan2((one - two).norm(), (one + two).norm())  # exact where acos is not, near 0 and pi
    sine = torch.sin(angle)
    if sine < COLLINEAR:
        return lerp(a, b, t)
    t = t[:, None]
    direction = (torch.sin((1 - t) * angle) * one + torch.sin(t * angle) * two) / sine
    return direction * ((1 - t) * norm_a + t * norm_b)


PATHS = {"slerp": slerp, "lerp": lerp}


def path(anchors: Tensor, frames: int, kind: str = "slerp") -> Tensor:
    """Through all anchors in turn; with more than two, back to the first.

    Args:
        anchors: (K, Z), K at least 2.
        frames: points of each leg; its last point is the first of the next leg.
        kind: "slerp" or "lerp".

    Returns:
        (legs * frames, Z), and the last anchor once more where the path is open.
    """
    ends = list(range(1, len(anchors))) + ([0] if len(anchors) > 2 else [])
    t = torch.arange(frames) / frames
    legs = [PATHS[kind](anchors[k], anchors[end], t) for k, end in enumerate(ends)]
    if len(anchors) == 2:
        legs.append(anchors[1:2])
    return torch.cat(legs)
