"""How much room the runs take, how much they may take, and the trash, which empties by age and by size."""

from __future__ import annotations

import shutil
import time
from contextlib import suppress
from dataclasses import dataclass

from .errors import RunError
from .settings import GB, LEAST_FREE, number
from .shelf import Line
from .store import RunStore

NEAR = 0.9  # share of the cap from which on the page says what to do
SETTINGS = {  # environment variable -> (default, what it is)
    "GAN_PLAYGROUND_DISK": (20.0, "gigabytes that all runs may take"),
    "GAN_PLAYGROUND_TRASH_DAYS": (14.0, "days that a run stays in the trash"),
    "GAN_PLAYGROUND_TRASH_GB": (1.0, "gigabytes of checkpoints that the trash may hold"),
}
GRACE_SECONDS = 3600.0  # in which what was put into the trash stays there whatever its size, so that it can be taken back


@dataclass(frozen=True)
class Disk:
    """Room in bytes.

    Attributes:
        used: by all runs: their checkpoints, and the database with curves and pictures.
        cap: what they may take.
        free: what is left on the volume.
        trash, trashed: checkpoints in the trash, and how many runs lie there.
    """

    used: int
    cap: float
    free: int
    trash: int
    trashed: int

    @property
    def is_full(self) -> bool:
        return self.used >= self.cap or self.free < LEAST_FREE

    @property
    def is_near(self) -> bool:
        return self.used >= NEAR * self.cap or self.free < 2 * LEAST_FREE


def setting(name: str) -> float:
    """A setting of SETTINGS from the environment.

    Raises:
        RunError: it is no number above 0.
    """
    return number(name, *SETTINGS[name])


def usage(store: RunStore) -> Disk:
    """How things stand.

    Raises:
        RunError: GAN_PLAYGROUND_DISK is no number.
    """
    checkpoints, trash, trashed = store.sizes()
    free = shutil.disk_usage(store.folder).free
    return Disk(checkpoints + store.database_bytes(), setting("GAN_PLAYGROUND_DISK") * GB, free, trash, trashed)


def check_room(store: RunStore) -> None:
    """Refuse to begin something new where there is no room for it.

    Raises:
        RunError: the runs take as much as they may, or the volume is nearly full.
    """
    disk = usage(store)
    if disk.is_full:
        raise RunError(f"There is no room for another run. {said(disk)} {advice(disk, store.lines())}")


def said(disk: Disk) -> str:
    """What is scarce, in a sentence with numbers."""
    if disk.used >= NEAR * disk.cap:
        return f"The runs take {size(disk.used)} of the {size(disk.cap)} that they may."
    return f"The disk has {size(disk.free)} left."


def advice(disk: Disk, lines: list[Line]) -> str:
    """What makes room, in a sentence with numbers."""
    ways = [f"empty the trash ({size(disk.trash)})"] if disk.trash else []
    ended = [line for line in lines if line.bytes and not line.is_live]
    if ended:
        most = max(ended, key=lambda line: line.bytes)
        ways.append(f"delete the largest run, {most.name} ({size(most.bytes)})")
    ways.append("set GAN_PLAYGROUND_DISK to more gigabytes" if disk.used >= NEAR * disk.cap else "free some space elsewhere")
    text = ", or ".join(ways)
    return f"{text[0].upper()}{text[1:]}."


def sweep(store: RunStore, now: float | None = None) -> list[str]:
    """Empty the trash of what has lain there too long, and of the oldest where there is too much; returns what is gone.

    Raises:
        RunError: a setting is no number.
    """
    now = time.time() if now is None else now
    days, most = setting("GAN_PLAYGROUND_TRASH_DAYS"), setting("GAN_PLAYGROUND_TRASH_GB") * GB
    there = sorted(store.lines(trashed=True), key=lambda line: line.trashed)
    left, gone = sum(line.bytes for line in there), []
    for line in there:
        age = now - line.trashed
        if age >= days * 86_400 or (left > most and line.bytes and age >= GRACE_SECONDS):
            with suppress(RunError):  # restored or deleted meanwhile
                store.delete(line.id, only_trashed=True)
                gone.append(line.id)
            left -= line.bytes
    return gone


def size(count: float) -> str:
    """Bytes in words: "1.2 GB", "340 MB", "12 kB"."""
    for unit, least in (("GB", GB), ("MB", 1e6), ("kB", 1e3)):
        if count >= least:
            value = count / least
            return f"{value:.1f} {unit}" if value < 100 else f"{value:,.0f} {unit}"
    return f"{count:.0f} bytes"
