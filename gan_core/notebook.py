"""A live display in a notebook: samples, curves and how far it is, renewed in place while a GAN trains.

    watch(trainer, steps=2000)  # trains, and shows it
    watch(run, store)  # looks at a run of a store, whoever trains it

Without a notebook around it the same is one line of text. Needs IPython only where it is there anyway.
"""

from __future__ import annotations

import base64
import io
import math
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageColor

from .colours import COLOURS
from .errors import PlaygroundError, RunError
from .frames import live_parts, png_grid, unpack
from .members import STATS
from .metrics import chosen, shares
from .networks import NETWORKS
from .pace import countable
from .pixelcnn import Likelihood
from .reading import TRAIN
from .schema import metric_series
from .session import Pacer
from .source import Data
from .store import Run, RunStore
from .trainer import Trainer

SECONDS = 0.5  # between two pictures, at least
SHARE = 0.05  # of the training time that the display may take
WIDTH, HEIGHT, MARGIN = 320, 96, 14  # of a curve's drawing, in CSS pixels
SIDE = 256  # CSS pixels of the picture
FINE = 2  # pixels for each of them
POINTS = 240  # of a curve, at most: what WIDTH can show
TILE = 64  # CSS pixels of a member's picture, where there are many
INK = COLOURS["light"]  # readable on both: a notebook does not tell which theme it has
LINES = {
    "loss_d": ("D", INK["discriminator"]),
    "loss_g": ("G", INK["generator"]),
    "bits": ("bits a pixel", INK["accent"]),
    "held": ("modes held", INK["accent"]),
}


@dataclass(frozen=True)
class Curve:
    """One line of a drawing. steps: (T,), values: (T,), where NaN is a gap."""

    name: str
    colour: str
    steps: np.ndarray
    values: np.ndarray


@dataclass(frozen=True)
class View:
    """What a display shows at a moment.

    Attributes:
        title: a name, as somebody wrote it.
        words: how far it is, and what was measured last.
        png: the picture of samples, or b"".
        charts: curves that share an axis, by its title.
        note: why it stands still, or "".
    """

    title: str
    words: str
    png: bytes = b""
    charts: Mapping[str, Sequence[Curve]] | None = None
    note: str = ""

    def __repr__(self) -> str:
        return " · ".join(part for part in (self.title, self.words, self.note) if part)

    def _repr_html_(self) -> str:
        image = _image(self.png) if self.png else ""
        drawings = "".join(chart(title, curves) for title, curves in (self.charts or {}).items())
        note = f"<div>{escape(self.note)}</div>" if self.note else ""
        return (
            f'<div style="display:flex;flex-wrap:wrap;gap:16px;align-items:flex-start">{image}<div>'
            f"<div><b>{escape(self.title)}</b></div><div>{escape(self.words)}</div>{note}{drawings}</div></div>"
        )


def _image(png: bytes) -> str:
    """A picture as an HTML image, sharp where a screen has more than one pixel for one of CSS."""
    with Image.open(io.BytesIO(png)) as opened:
        width = max(SIDE, opened.width // FINE)
    data = base64.b64encode(png).decode()
    return f'<img alt="Samples" width="{width}" style="image-rendering:pixelated" src="data:image/png;base64,{data}">'


def chart(title: str, curves: Sequence[Curve]) -> str:
    """Curves over the step as an SVG of 320 x 124 CSS pixels; "" where there is no number. Takes the text's colour."""
    curves = [curve for curve in curves if np.isfinite(curve.values).any()]
    if not curves:
        return ""
    numbers = np.concatenate([curve.values[np.isfinite(curve.values)] for curve in curves])
    low, high = float(numbers.min()), float(numbers.max())
    reach = (high - low) or 1.0
    last = max(1, *(int(curve.steps[-1]) for curve in curves))
    parts, named = [], []
    for curve in curves:
        x = curve.steps / last * WIDTH
        y = MARGIN + (high - curve.values) / reach * HEIGHT if high > low else np.full(len(x), MARGIN + HEIGHT / 2)
        parts.append(f'<path d="{_way(x, np.where(np.isfinite(curve.values), y, np.nan))}" stroke="{curve.colour}"/>')
        newest = curve.values[np.isfinite(curve.values)][-1]
        named.append(f'<tspan fill="{curve.colour}">● </tspan>{escape(curve.name)} {newest:.3g} ')
    bottom = MARGIN + HEIGHT
    return (
        f'<svg role="img" aria-label="{escape(title)}" width="{WIDTH}" height="{bottom + MARGIN + 4}" fill="currentColor" '
        f'style="display:block;margin-top:6px;font:11px sans-serif">'
        f'<text x="0" y="10">{escape(title)}: {"".join(named)}</text>'
        f'<text x="{WIDTH}" y="10" text-anchor="end" opacity=".7">{low:.3g} to {high:.3g}</text>'
        f'<path d="M0 {bottom + 1}H{WIDTH}" stroke="currentColor" opacity=".3"/>'
        f'<g fill="none" stroke-width="1.5" stroke-linejoin="round">{"".join(parts)}</g>'
        f'<text x="{WIDTH}" y="{bottom + MARGIN}" text-anchor="end" opacity=".7">step {last:,}</text></svg>'
    )


def _way(x: np.ndarray, y: np.ndarray) -> str:
    """An SVG path through points (T,), broken where there is no number."""
    steps, pen = [], "M"
    for px, py in zip(x, y, strict=True):
        if math.isnan(py):
            pen = "M"
            continue
        steps.append(f"{pen}{px:.1f} {py:.1f}")
        pen = "L"
    if len(steps) == 1:  # a single point would not be seen
        steps.append("h.1")
    return "".join(steps)


def thinned(steps: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """At most POINTS of a curve (T,): the mean of each stretch, at its last step."""
    if len(steps) <= POINTS:
        return steps, values
    ends = np.linspace(0, len(steps), POINTS + 1).round().astype(int)
    sums = np.add.reduceat(values, ends[:-1])
    return steps[ends[1:] - 1], sums / np.diff(ends)


def picture(header: Mapping[str, Any], arrays: Mapping[str, Any]) -> bytes:
    """A frame as a PNG with nothing behind it: the samples of a single GAN, or a tile for each member."""
    if "members" in arrays:
        return _png(_tiled(arrays["members"]))
    if "member_images" in arrays:
        images = torch.from_numpy(np.ascontiguousarray(arrays["member_images"]))  # (E, 9, C, H, W)
        return png_grid(images.flatten(0, 1) / 127.5 - 1, images.shape[1])
    if header["kind"] == "images":
        return bytes(arrays["png"])
    return _png(_stage(header, arrays))


def _png(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG", compress_level=1)
    return out.getvalue()


def _stage(header: Mapping[str, Any], arrays: Mapping[str, Any]) -> np.ndarray:
    """Real and generated points on the discriminator's map, (512, 512, 4)."""
    x, y, half = header["extent"]
    size = SIDE * FINE
    pixels = np.zeros((size, size, 4), np.uint8)
    if "heat" in arrays:
        side = len(arrays["heat"])
        rows = np.arange(size) * side // size
        value = arrays["heat"][::-1].astype(np.float32) / 127.5 - 1  # -1 fake, 1 real; row 0 is at the bottom
        value = value[rows[:, None], rows[None]]
        pixels[..., :3] = np.where(value[..., None] > 0, ImageColor.getrgb(INK["real"]), ImageColor.getrgb(INK["fake"]))
        pixels[..., 3] = np.abs(value) * 70
    for name in ("real", "fake"):
        place = (np.asarray(arrays[name]) - (x - half, y - half)) / (2 * half) * size
        _dots(pixels, place[:, 0], size - 1 - place[:, 1], ImageColor.getrgb(INK[name]), 4)
    return pixels


def _tiled(members: np.ndarray) -> np.ndarray:
    """A small cloud for each member (E, N, 2), uint8 as in `frames.members_view`, side by side in as many rows as needed."""
    count, size = len(members), TILE * FINE
    columns = max(1, math.ceil(math.sqrt(2 * count)))  # twice as wide as high
    rows = -(-count // columns)
    pixels = np.zeros((rows * size, columns * size, 4), np.uint8)
    for k, points in enumerate(members):
        row, column = divmod(k, columns)
        tile = pixels[row * size : (row + 1) * size, column * size : (column + 1) * size]
        tile[[0, -1], :, :] = tile[:, [0, -1], :] = (128, 128, 128, 90)
        inside = points[(points < 255).all(1)].astype(np.float32) / 254 * (size - 4)
        _dots(tile, inside[:, 0] + 2, size - 3 - inside[:, 1], ImageColor.getrgb(INK["fake"]), 2)
    return pixels


def _dots(pixels: np.ndarray, x: np.ndarray, y: np.ndarray, colour: tuple[int, ...], width: int) -> None:
    """Paint squares around places; those outside, or that are no numbers, are left out."""
    height, length = pixels.shape[:2]
    there = np.isfinite(x) & np.isfinite(y) & (x >= 0) & (x < length) & (y >= 0) & (y < height)
    x, y = x[there].astype(int), y[there].astype(int)
    for dx in range(width):
        for dy in range(width):
            pixels[np.clip(y + dy - width // 2, 0, height - 1), np.clip(x + dx - width // 2, 0, length - 1)] = (*colour, 255)


class Live:
    """A display of a trainer that a loop of one's own drives: `update` after each step, `finish` at the end.

    Args:
        trainer: what is shown.
        steps: at which it will end, counted as `Trainer.step_count`; None for the config's.
        title: what stands above.
    """

    def __init__(self, trainer: Trainer, steps: int | None = None, title: str = ""):
        self.trainer, self.steps = trainer, trainer.configs[0].steps if steps is None else steps
        first, members = trainer.configs[0], len(trainer.configs)
        self.title = title or f"{first.dataset}, {first.loss}" + (f", {members} members" if members > 1 else "")
        self._screen = Screen()
        self._pacer = Pacer(SHARE, SECONDS)
        self._begun, self._first = time.perf_counter(), trainer.step_count
        self._held: list[tuple[int, float]] = []
        self.update()

    def update(self, trainer: Trainer | None = None) -> None:
        """Show how it stands, if it is time to; what `Trainer.train` calls as `on_step`."""
        begun = time.perf_counter()
        if self._pacer.due(begun):
            self._screen.show(self.view())
            self._pacer.used(begun, time.perf_counter())

    def finish(self) -> None:
        """Show the last step."""
        self._screen.show(self.view(), last=True)

    def view(self) -> View:
        """How the trainer stands now."""
        trainer, step = self.trainer, self.trainer.step_count
        trainer.flush()
        found = trainer.measure(names=("held", "high_quality"))
        words = [_far(step, self.steps)]
        taken = step - self._first
        if taken:
            words.append(f"{taken / (time.perf_counter() - self._begun):,.0f} steps/s")
        if "held" in found:
            held = found["held"].tolist()
            if not self._held or self._held[-1][0] < step:
                self._held.append((step, sum(held) / len(held)))
            words.append(_modes(held, _modes_of(trainer.data)))
        rows = trainer.history
        steps = np.array([row[0] for row in rows], np.int64)
        values = np.array([row[1] for row in rows], np.float32).reshape(len(rows), len(trainer.stats), len(trainer.configs))
        held = np.array(self._held, np.float64).reshape(-1, 2)
        charts = _charts(trainer.stats, steps, values, held[:, 0].astype(np.int64), held[:, 1])
        return View(self.title, ", ".join(words), picture(*live_parts(trainer)), charts)


def _far(step: int, steps: int) -> str:
    return f"step {step:,} of {steps:,}" if step <= steps else f"step {step:,}"


def _modes_of(data: Data) -> int:
    """How many modes or classes there are; 0 where none are counted."""
    return len(shares(data)) if "held" in chosen(data) else 0


def _modes(held: Sequence[float], of: int) -> str:
    known = [value for value in held if not math.isnan(value)]
    if not known:
        return "modes are not counted yet"
    if len(held) == 1:
        return f"{known[0]:.0f} of {of} modes held"
    return f"{sum(known) / len(known):.1f} of {of} modes held on average, all by {sum(v >= of for v in known)} of {len(held)}"


def _charts(
    stats: Sequence[str], steps: np.ndarray, values: np.ndarray, at: np.ndarray, held: np.ndarray
) -> dict[str, list[Curve]]:
    """Statistics (T, S, E), as means over the members, and modes held (M,)."""
    shown = [name for name in ("loss_d", "loss_g", "bits") if name in stats and len(steps)]
    lines = [(name, steps, values[:, stats.index(name)].mean(1)) for name in shown]
    charts = {"Losses" if len(lines) > 1 else "Likelihood": [Curve(*LINES[name], *thinned(s, v)) for name, s, v in lines]}
    return {**charts, "Modes": [Curve(*LINES["held"], *thinned(at, held))]}


def view_of_run(store: RunStore, run: str, modes: int = 0) -> View:
    """How a run of a store stands, as whoever trains it has told. `modes`: of its data; 0 where that is not known.

    Raises:
        RunError: there is no such run, or it is a map.
    """
    row = store.get(run)
    if row.kind != "run":
        raise RunError(f"{run} is a map, which has no curves. Open one of its cells as a run.")
    members, frame = len(row.configs), store.frame(run)
    stats = STATS if NETWORKS[row.config.network].adversarial else Likelihood.STATS
    steps, values = store.series(run, TRAIN, members=members)
    at, held = store.series(run, metric_series("held"), members=members)
    words = [row.status, _far(row.step, row.steps)] + ([f"{row.rate:,.0f} steps/s"] if row.status == "running" else [])
    if modes and "held" in row.metrics:
        words.append(_modes(row.metrics["held"], modes))
    means = held[:, 0].mean(1) if len(at) else np.zeros(0)
    return View(
        row.name,
        ", ".join(words),
        b"" if frame is None else picture(*unpack(frame)),
        _charts(stats, steps, values, at, means),
        row.message,
    )


class Screen:
    """Where views are shown, each in place of the one before: a notebook's cell, or the last line of a terminal."""

    def __init__(self):
        self._cell = None
        self._notebook = _in_notebook()

    def show(self, view: View, last: bool = False) -> None:
        if self._notebook:
            from IPython.display import display

            if self._cell is None:
                self._cell = display(view, display_id=True)
            else:
                self._cell.update(view)
        elif sys.stdout.isatty():
            print(f"\r\x1b[K{view!r}", end="\n" if last else "", flush=True)
        elif last:
            print(repr(view))


def _in_notebook() -> bool:
    """Whether a front end that can renew what it shows is there: a kernel, and no plain terminal."""
    if "IPython" not in sys.modules:
        return False
    from IPython import get_ipython

    return hasattr(get_ipython(), "kernel")


def watch(what: Trainer | str, store: RunStore | None = None, *, steps: int | None = None) -> Trainer | Run:
    """Train and watch it, or watch a run that somebody else trains, until it ends.

    An interrupt (the notebook's stop button, Ctrl-C) ends the watching between two steps; what was trained stays, and a run goes
    on where it is trained.

    Args:
        what: a trainer, which is trained here, or the id of a run.
        store: where the run is kept; None for the usual folder. Read only for a run.
        steps: how many more to train; None to the config's length. Read only for a trainer.

    Returns:
        the trainer, or the run as it stands at its end or in a pause.

    Raises:
        DivergedError: a number is not finite.
        RunError: there is no such run, or it is a map.
    """
    if isinstance(what, Trainer):
        return _train(what, steps)
    return _follow(store or RunStore(), what)


def _train(trainer: Trainer, steps: int | None) -> Trainer:
    live = Live(trainer, trainer.configs[0].steps if steps is None else trainer.step_count + steps)
    try:
        with _interrupted_between_steps() as is_interrupted:

            def on_step(trainer: Trainer) -> None:
                if is_interrupted.is_set():
                    raise KeyboardInterrupt
                live.update()

            trainer.train(steps, on_step)
    finally:
        with suppress(PlaygroundError):  # it has diverged, which is said already
            live.finish()
    return trainer


@contextmanager
def _interrupted_between_steps() -> Iterator[threading.Event]:
    """An interrupt sets the event, instead of leaving a step half done. Only the main thread can have it so."""
    wanted = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield wanted
        return
    before = signal.signal(signal.SIGINT, lambda *_: wanted.set())
    try:
        yield wanted
    finally:
        signal.signal(signal.SIGINT, before)


def _follow(store: RunStore, run: str) -> Run:
    screen, modes = Screen(), countable(store.get(run).config)
    while True:
        row = store.get(run)
        over = row.status not in ("queued", "running")
        screen.show(view_of_run(store, run, modes), last=over)
        if over:
            return row
        time.sleep(SECONDS)
