"""The film of a run: which of its pictures are kept, so that it can be played again."""

from __future__ import annotations

from collections.abc import Mapping

FRAMES = 240  # pictures of a run
BYTES = 16 * 2**20  # of all of them together
EARLY = (1, 2, 4, 8, 16, 32, 64)  # steps that always get a picture: much happens in the first second


def surplus(film: Mapping[int, int], frames: int = FRAMES, size: int = BYTES) -> list[int]:
    """Steps whose pictures have to go, so that the rest is few and small enough and lies evenly.

    Evenly in the square root of the step: a replay shows the beginning more slowly than the end, where little changes. The first
    and the last picture stay.

    Args:
        film: step -> bytes of the picture kept there.
    """
    kept, total, gone = sorted(film), sum(film.values()), []
    while len(kept) > 2 and (len(kept) > frames or total > size):
        roots = [step**0.5 for step in kept]
        k = min(range(1, len(kept) - 1), key=lambda k: roots[k + 1] - roots[k - 1])
        total -= film[kept[k]]
        gone.append(kept.pop(k))
    return gone
