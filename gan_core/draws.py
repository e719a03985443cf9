"""Seeded random numbers, one generator a member and a purpose, resumable to the bit.

Every purpose (data, latents, interpolation…) has its own stream, so that switching a penalty on moves no other draw,
and member k of a trainer draws what a trainer of its own would. Numbers are drawn a chunk ahead, since one call for 64
batches costs about what one call for a single batch does.
"""

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor

CHUNK_NUMBERS = 2**16  # numbers drawn ahead for each member; must not depend on the number of members
CHUNK_BATCHES = 64


def seeded(seed: int, purpose: str) -> torch.Generator:
    """A CPU generator for one purpose: the same (seed, purpose) always gives the same numbers."""
    digest = hashlib.blake2b(f"{purpose}:{seed}".encode(), digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "little") >> 1)


class Once:
    """Numbers from one generator without a member axis, with the same calls as `Draws`: for looking, not for training."""

    def __init__(self, generator: torch.Generator):
        self._generator = generator

    def normal(self, *shape: int) -> Tensor:
        return torch.randn(shape, generator=self._generator)

    def uniform(self, *shape: int) -> Tensor:
        return torch.rand(shape, generator=self._generator)

    def integers(self, high: int, *shape: int) -> Tensor:
        return torch.randint(high, shape, generator=self._generator)


class Draws:
    """A stream of equally shaped batches for several members, shape (E, *shape) a call.

    Args:
        seeds: one seed a member.
        purpose: what the numbers are for; part of the seed.
        device: where the batches are wanted. They are always drawn on the CPU, so a GPU sees the same numbers.
    """

    def __init__(self, seeds: Sequence[int], purpose: str, device: torch.device | str = "cpu"):
        self.purpose = purpose
        self.device = torch.device(device)
        self._generators = [seeded(seed, purpose) for seed in seeds]
        self._before = [g.get_state() for g in self._generators]  # the states the current chunk was drawn from
        self._key: tuple | None = None
        self._chunk: Tensor | None = None
        self._next = 0

    def normal(self, *shape: int) -> Tensor:
        """Standard normal numbers, (E, *shape)."""
        return self._draw(("normal", shape, 0))

    def uniform(self, *shape: int) -> Tensor:
        """Uniform numbers in [0, 1), (E, *shape)."""
        return self._draw(("uniform", shape, 0))

    def integers(self, high: int, *shape: int) -> Tensor:
        """Whole numbers in [0, high), int64, (E, *shape)."""
        return self._draw(("integers", shape, high))

    def _draw(self, key: tuple) -> Tensor:
        if key != self._key or self._next >= self._chunk.shape[0]:
            self._fill(key)
            self._next = 0
        self._next += 1
        return self._chunk[self._next - 1]

    def _fill(self, key: tuple) -> None:
        kind, shape, high = key
        numbers = 1
        for size in shape:
            numbers *= size
        length = (max(1, min(CHUNK_BATCHES, CHUNK_NUMBERS // max(1, numbers))), *shape)
        self._before = [g.get_state() for g in self._generators]
        if kind == "normal":
            parts = [torch.randn(length, generator=g) for g in self._generators]
        elif kind == "uniform":
            parts = [torch.rand(length, generator=g) for g in self._generators]
        else:
            parts = [torch.randint(high, length, generator=g) for g in self._generators]
        self._chunk = torch.stack(parts, 1).to(self.device)  # (K, E, *shape)
        self._key = key

    def state(self) -> tuple[Tensor, dict]:
        """Everything needed to go on: the generators' states, uint8 (E, 5056), and the cursor within the chunk."""
        key = None if self._key is None else [self._key[0], list(self._key[1]), self._key[2]]
        return torch.stack(self._before), {"key": key, "next": self._next}

    def load(self, states: Tensor, cursor: dict) -> None:
        """Go on exactly where `state` was taken."""
        for generator, state in zip(self._generators, states, strict=True):
            generator.set_state(state.clone())
        self._before = [g.get_state() for g in self._generators]
        self._key, self._chunk, self._next = None, None, 0
        if cursor["key"] is not None:
            kind, shape, high = cursor["key"]
            self._fill((kind, tuple(shape), high))
            self._next = cursor["next"]
