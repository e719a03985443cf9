"""Commands that look into latent space: walk | directions | invert."""

from __future__ import annotations

import argparse
import io
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from .album import fit_image
from .command_line import Action, Command, say
from .config import GANConfig
from .directions import DIRECTIONS, find
from .errors import RunError
from .explorer import STARTS, Explorer
from .frames import png_grid
from .latent import PATHS, path, step_lengths
from .networks import NETWORKS
from .store import RunStore
from .trainer import Trainer

MOST_FRAMES, MOST_DIRECTIONS, MOST_STEPS = 256, 32, 10_000
REACH, CELLS = 2.0, 9  # standard deviations to each side, and samples along a direction
FRAME_MS = 80  # of a GIF
SIDE = 256  # pixels of its pictures, at least


def add(command: Command) -> None:
    """Add the commands' parsers."""
    walk = command("walk", "Walk through latent space: a strip (PNG) or film (GIF) of images, a CSV of points.")
    directions = command("directions", "Find directions along which samples change, each with its share of the variance.")
    invert = command("invert", "Find the noise of which a run makes an image or a point, as nearly as it can.")
    for sub in (walk, directions, invert):
        sub.add_argument("run", metavar="RUN")
        sub.add_argument("--step", type=int, metavar="N", help="a kept step (default: the latest)")
        sub.add_argument("--member", type=int, default=0, help="which member of the run (default: 0)")
        sub.add_argument("--raw", action="store_true", help="the raw generator, where there is an averaged one")
        sub.add_argument("--label", type=int, help="class, for a conditional generator (default: any)")
        sub.add_argument("-o", "--out", type=Path, metavar="FILE", help="file to write (default: none but walk's)")
    walk.add_argument(
        "--seeds", type=int, nargs="+", default=[0, 1], metavar="SEED", help="of the noise of each place (default: 0 1)"
    )
    walk.add_argument("--frames", type=int, default=16, metavar="N", help="samples from one place to the next (default: 16)")
    walk.add_argument("--way", choices=list(PATHS), default="slerp", help="around the sphere or straight (default: slerp)")
    directions.add_argument("--kind", choices=list(DIRECTIONS), default=next(iter(DIRECTIONS)), help="(default: %(default)s)")
    directions.add_argument("--space", choices=("z", "w"), default="z", help="w of a style network, or z (default: z)")
    directions.add_argument("-n", type=int, default=8, help="how many, at most (default: 8)")
    directions.add_argument("--seed", type=int, default=0, help="of the noise from which they go out (default: 0)")
    invert.add_argument("target", metavar="TARGET", help="an image file, the number of a sample of the data, or a point x,y")
    invert.add_argument("--starts", type=int, default=8, metavar="N", help=f"searches at once, 1 to {STARTS} (default: 8)")
    invert.add_argument("--steps", type=int, default=300, metavar="N", help="of the search (default: 300)")
    invert.add_argument("--seed", type=int, default=0, help="of the noise that they start from (default: 0)")


def _explorer(args: argparse.Namespace) -> tuple[Explorer, int]:
    """What looks at a kept step of a run, and the step."""
    store = RunStore(args.runs)
    row = store.get(args.run)
    if row.kind != "run":
        raise RunError(f"{row.id} is a map, whose GANs keep no checkpoints. Open one of its cells as a run.")
    state = store.load_checkpoint(row.id, args.step)
    trainer = Trainer([GANConfig.parse(c) for c in state["configs"]], tolerant=True)
    trainer.load_state_dict(state)
    return Explorer(trainer, args.member, ema=not args.raw), state["step"]


def _within(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise RunError(f"{name} {value} is out of range: expected {low} to {high:,}.")


def _labels(args: argparse.Namespace, explorer: Explorer, n: int) -> Tensor | None:
    """The class of all samples: what is asked for, or the first, so that a walk does not jump from class to class."""
    if args.label is None:
        return torch.zeros(n, dtype=torch.long) if explorer.classes else None
    return torch.full((n,), args.label)


def _suffix(out: Path, wanted: tuple[str, ...], what: str) -> str:
    if out.suffix.lower() not in wanted:
        raise RunError(f"{what} is written as {' or '.join(wanted)}, not {out.name}.")
    return out.suffix.lower()


def _write(out: Path, content: bytes) -> None:
    try:
        out.write_bytes(content)
    except OSError as error:
        raise RunError(f"{out} cannot be written ({error.strerror}). Choose another file with --out.") from error


def _table(points: Tensor) -> bytes:
    return ("x,y\n" + "".join(f"{x:.6g},{y:.6g}\n" for x, y in points.tolist())).encode()


def walk(args: argparse.Namespace) -> None:
    """The way between noise vectors."""
    _within("--frames", args.frames, 2, MOST_FRAMES)
    if not 2 <= len(args.seeds) <= 8:
        raise RunError(f"--seeds takes 2 to 8 places, not {len(args.seeds)}: with more than two it comes back to the first.")
    explorer, step = _explorer(args)
    images = len(explorer.shape) == 3
    out = args.out or Path(f"{args.run}-{step}-walk.{'png' if images else 'csv'}")
    suffix = _suffix(out, (".png", ".gif") if images else (".csv",), "A walk of images" if images else "A walk of points")
    latents = path(explorer.draw(args.seeds), args.frames, args.way)
    samples = explorer.images(latents, labels=_labels(args, explorer, len(latents)))
    if suffix == ".csv":
        _write(out, _table(samples))
    elif suffix == ".png":
        _write(out, png_grid(samples, args.frames))
    else:
        _write(out, _film(samples))
    lengths, space = step_lengths(samples), None
    if not NETWORKS[explorer.config.network].discrete:
        space = dict(zip(("mean", "error"), explorer.path_length(), strict=True))
    words = [f"{len(samples)} samples in {out}. The longest step is {float(lengths.max() / lengths.mean()):.1f} times the mean."]
    if space is not None:
        words.append(f"Path length in z, of pixels or coordinates: {space['mean']:.4g} ± {space['error']:.2g}.")
    values = {"run": args.run, "step": step, "frames": len(samples), "lengths": [round(v, 6) for v in lengths.tolist()]}
    say(args.json, {**values, "path_length": space, "file": str(out)}, words)


def _film(samples: Tensor) -> bytes:
    """Images (N, C, H, W) as a GIF."""
    frames = []
    for sample in samples:
        picture = Image.open(io.BytesIO(png_grid(sample[None], 1)))
        scale = max(1, -(-SIDE // max(picture.size)))
        frames.append(picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.NEAREST))
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:], duration=FRAME_MS, loop=0)
    return out.getvalue()


def directions(args: argparse.Namespace) -> None:
    """Directions of a latent space, and what they do to a sample."""
    _within("-n", args.n, 1, MOST_DIRECTIONS)
    explorer, step = _explorer(args)
    found = find(explorer, args.kind, args.space, args.n, args.seed)
    if args.out is not None:
        images = len(explorer.shape) == 3
        suffix = _suffix(args.out, (".png",) if images else (".csv",), "What directions do")
        z = explorer.draw([args.seed])
        labels = _labels(args, explorer, 1)
        centre = z if args.space == "z" else explorer.to_w(z, labels)
        reach = torch.linspace(-REACH, REACH, CELLS)[:, None] * found.deviations[:, None, None]  # (K, 9, 1)
        moved = (centre + reach * found.vectors[:, None]).flatten(0, 1)
        samples = explorer.images(moved, args.space, labels if labels is None else labels.expand(len(moved)))
        _write(args.out, png_grid(samples, CELLS) if suffix == ".png" else _table(samples))
    rows = [
        {"name": name, "share": round(float(share), 6), "deviation": round(float(deviation), 6), "vector": vector.tolist()}
        for name, share, deviation, vector in zip(found.names, found.shares, found.deviations, found.vectors, strict=True)
    ]
    values = {"run": args.run, "step": step, "kind": args.kind, "space": args.space, "looks_at": found.looks_at}
    lines = [f"{DIRECTIONS[args.kind].title}, of {found.looks_at}"]
    lines += [
        f"  {row['name']:24} {row['share']:7.1%} of the variance, standard deviation {row['deviation']:.3g}" for row in rows
    ]
    if args.out is not None:
        lines.append(f"Each from -{REACH:g} to +{REACH:g} standard deviations in {args.out}")
    say(args.json, {**values, "directions": rows, "file": None if args.out is None else str(args.out)}, lines)


def invert(args: argparse.Namespace) -> None:
    """The noise of a sample."""
    _within("--steps", args.steps, 1, MOST_STEPS)
    explorer, step = _explorer(args)
    target = _target(args.target, explorer)
    suffix = "" if args.out is None else _suffix(args.out, (".png",) if target.dim() == 3 else (".csv",), "What was found")
    found = explorer.invert(target, starts=args.starts, steps=args.steps, label=args.label, seed=args.seed)
    if args.out is not None:
        both = torch.stack([target.cpu(), found.reconstruction])
        _write(args.out, png_grid(both, 2) if suffix == ".png" else _table(both))
    off = found.error**0.5
    values = {"run": args.run, "step": step, "error": found.error, "label": found.label, "latent": found.latent.tolist()}
    unit = "of the range from black to white" if target.dim() == 3 else "in the data's units"
    lines = [f"Off by {off / 2:.1%} {unit}, root mean square." if target.dim() == 3 else f"Off by {off:.3g} {unit}."]
    if args.out is not None:
        lines.append(f"What was looked for, and what was found, in {args.out}")
    say(args.json, {**values, "file": None if args.out is None else str(args.out)}, lines)


def _target(text: str, explorer: Explorer) -> Tensor:
    """What is looked for, in the shape of a sample.

    Raises:
        RunError: it is none. DataError: an image file cannot be used.
    """
    if text.isdecimal():
        rows = len(explorer.data.x)
        _within("A sample of the data,", int(text), 0, rows - 1)
        return explorer.data.x[int(text)].cpu()
    if len(explorer.shape) == 1:
        try:
            x, y = (float(part) for part in text.split(","))
            if not torch.isfinite(torch.tensor([x, y])).all():
                raise ValueError
            return torch.tensor([x, y])
        except ValueError:
            raise RunError(f"{text} is no point: expected x,y such as 0.5,-1, or the number of a sample of the data.") from None
    try:
        content = Path(text).read_bytes()
    except OSError as error:
        raise RunError(
            f"{text} cannot be read ({error.strerror}). Give an image file, or the number of an image of the data."
        ) from error
    return fit_image(content, explorer.shape[1], explorer.shape[0]).pixels


ACTIONS: dict[str, Action] = {"walk": walk, "directions": directions, "invert": invert}
