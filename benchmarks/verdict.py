"""How often the verdict is right: python -m benchmarks.verdict [--json] [--make] [--first SEED]

Without --make it judges the histories kept in benchmarks/histories.npz. With --make it trains all recipes anew, over five
seeds each, and keeps their histories. What a run really did is told from elsewhere: by the recipe, where it is built for one
failure, and else by 20 looks at 10,000 samples (2,000 images) each over the last fifth of the training, from noise of its own.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from gan_core import PRESETS, GANConfig, Trainer
from gan_core.data import load
from gan_core.draws import seeded
from gan_core.errors import DivergedError
from gan_core.features import judge_of
from gan_core.frames import png_grid
from gan_core.health import VERDICTS, History, diagnose
from gan_core.members import sample_latents
from gan_core.metrics import TALLIES, Seen, is_judged, shares
from gan_core.networks import NETWORKS
from gan_core.reading import history
from gan_core.schema import metric_series

KEPT = Path(__file__).resolve().parent / "histories.npz"
SEEDS, MEASURES, LOOKS, SAMPLES, IMAGES, CURVE = 5, 40, 20, 10_000, 2_000, 120
ROUGH = ("partial_collapse", "total_collapse", "oscillating")  # all are a collapse


@dataclass(frozen=True)
class Recipe:
    """Settings, and the verdict they are built for; "" where it depends on the seed and is looked at."""

    config: GANConfig
    built_for: str = ""


def recipes(album: str) -> dict[str, Recipe]:
    """All recipes. `album` is a folder with a few images."""
    ring = GANConfig(dataset="ring8", width=64, batch_size=128, steps=2000)
    digits = GANConfig(dataset="digits", width=128, latent_dim=32, batch_size=64, lr_g=5e-4, lr_d=5e-4, steps=3000)
    return {
        "ring": Recipe(ring),
        "ring_r1": Recipe(ring.but(penalty="r1", penalty_weight=0.1)),
        "ring_wgan_gp": Recipe(ring.but(loss="wasserstein", penalty="wgan_gp", penalty_weight=0.1, d_steps=3)),
        "ring_relativistic": Recipe(ring.but(loss="relativistic", penalty="r1_r2", penalty_weight=0.1)),
        "sharp_ring": Recipe(PRESETS["sharp_ring"].config),
        "ring_hinge": Recipe(ring.but(loss="hinge", lr_g=5e-3, lr_d=5e-3)),
        "slow_discriminator": Recipe(ring.but(lr_d=1e-4)),
        "bare_critic": Recipe(ring.but(loss="wasserstein")),
        "momentum": Recipe(ring.but(beta1=0.99)),
        "one_mode": Recipe(ring.but(lr_d=3e-3, lr_g=3e-5, d_steps=5)),
        "clipped_critic": Recipe(PRESETS["clipped_critic"].config.but(width=64, steps=1500), "vanished_gradient"),
        "saturated": Recipe(
            ring.but(loss="minimax", optimizer="sgd", beta1=0, lr_g=0.01, lr_d=0.5, steps=1500), "vanished_gradient"
        ),
        "strong_discriminator": Recipe(ring.but(lr_d=1e-2, lr_g=1e-5, steps=1500), "strong_discriminator"),
        "explosion": Recipe(ring.but(loss="least_squares", optimizer="sgd", beta1=0, lr_g=1.0, lr_d=1.0), "diverged"),
        "runaway": Recipe(ring.but(loss="wasserstein", lr_g=0.5, lr_d=0.5, steps=1000), "diverged"),
        "islands": Recipe(PRESETS["gan_lab_islands"].config),
        "grid_normal": Recipe(PRESETS["grid"].config.but(latent="normal", width=64, batch_size=128, steps=1500)),
        "grid_coins": Recipe(PRESETS["grid"].config.but(width=96, batch_size=64, steps=3000)),
        "swiss_roll": Recipe(PRESETS["swiss_roll"].config.but(width=64, steps=3000), "healthy"),
        "digits": Recipe(digits.but(penalty="r1", penalty_weight=0.3)),
        "digits_slow_discriminator": Recipe(digits.but(lr_d=2e-5)),
        "digits_dcgan": Recipe(PRESETS["digits"].config.but(width=16, steps=1500)),
        "album": Recipe(
            GANConfig(
                dataset="folder",
                path=album,
                image_size=8,
                channels=1,
                latent="mixture",
                latent_modes=12,
                latent_dim=8,
                batch_size=64,
                steps=3000,
                penalty="r1",
                penalty_weight=0.3,
            ),
            "copying",
        ),
    }


def make_album(folder: Path) -> str:
    """A folder with 12 digits as images."""
    for k, image in enumerate(load("digits").x[:12]):
        (folder / f"{k}.png").write_bytes(png_grid(image[None], 1))
    return str(folder)


def train(recipe: Recipe, first: int) -> list[tuple[History, str]]:
    """The history of each seed, and what it really was."""
    configs = [recipe.config.but(seed=first + k) for k in range(SEEDS)]
    if NETWORKS[recipe.config.network].has_members:
        return _train(recipe, configs)
    return [pair for config in configs for pair in _train(recipe, [config])]


def _train(recipe: Recipe, configs: list[GANConfig]) -> list[tuple[History, str]]:
    trainer = Trainer(configs, tolerant=True)
    data, judge, steps = trainer.data, judge_of(configs[0].source), configs[0].steps
    if judge is not None:
        judge.learn()
    rows: dict[str, list[tuple[int, np.ndarray]]] = {}
    looks: list[np.ndarray] = []  # (E, K) each
    broken = ""

    def measure(trainer: Trainer) -> None:
        if trainer.step_count % max(1, steps // MEASURES) == 0:
            for name, values in trainer.measure().items():
                kind = name if name in TALLIES else metric_series(name)
                rows.setdefault(kind, []).append((trainer.step_count, _row(values)))
        late = trainer.step_count - (steps - steps // 5)
        if late > 0 and late % max(1, steps // 5 // LOOKS) == 0 and (data.centres is not None or judge):
            looks.append(look(trainer))

    try:
        trainer.train(on_step=measure)
    except DivergedError as error:
        broken = error.term
    rows["train"] = trainer.history
    series = {}
    for kind, points in rows.items():
        points = thinned(points, CURVE)
        series[kind] = np.array([p[0] for p in points]), np.stack([p[1] for p in points]).astype(np.float32)
    for kind in ("counts", "nearest"):
        series.setdefault(kind, (np.zeros(0, np.int64), np.zeros((0, 0, len(configs)), np.float32)))
    found = []
    for k, config in enumerate(configs):
        fell = broken or ("loss_d" if k in trainer.diverged else "")
        real = recipe.built_for or truth(np.stack([each[k] for each in looks]), shares(data).numpy(), bool(fell))
        found.append((history(config, series, data, judge if is_judged(data) else None, k, fell), real))
    return found


def _row(values: torch.Tensor) -> np.ndarray:
    """A metric (E,) or a tally (E, K) as a row of a series: (1, E) or (K, E)."""
    return (values[None] if values.dim() == 1 else values.mT).numpy()


def thinned(points: list, most: int) -> list:
    """At most so many, evenly, the last one included."""
    keep = np.unique(np.linspace(0, len(points) - 1, min(most, len(points))).round().astype(int))
    return [points[k] for k in keep]


def look(trainer: Trainer) -> np.ndarray:
    """Share of good samples at each mode, and of all samples nearest to it: (E, 2, K), from noise of its own."""
    samples = SAMPLES if trainer.data.centres is not None else IMAGES
    latents = sample_latents(trainer.configs[0], samples, seeded(trainer.step_count, "verdict"))
    parts = []
    for member in range(len(trainer.configs)):
        seen = Seen(trainer.generate(latents, member)[None], trainer.data, trainer.judge)
        parts.append(torch.stack([seen.counts[0], seen.nearest[0]]) / samples)
    return torch.stack(parts).numpy()


def truth(looks: np.ndarray, share: np.ndarray, fell: bool) -> str:
    """What a run really did over its last fifth: (T, 2, K) shares of good and of nearest samples -> key of VERDICTS."""
    if fell:
        return "diverged"
    good, near = looks[:, 0], looks[:, 1]
    modes, quality = len(share), good.sum(1).mean()
    there = near >= 0.2 * share  # (T, K)
    always_gone = int((there.mean(0) < 0.2).sum()) if quality < 0.3 else int(((good >= 0.2 * share).mean(0) < 0.2).sum())
    at_once, ever = there.sum(1).mean(), int((there.mean(0) > 0.05).sum())
    if at_once <= 0.75 * modes and ever >= at_once + 1.5 and np.abs(np.diff(near, axis=0)).sum(1).mean() > 0.3:
        return "oscillating"
    if at_once <= max(1.5, 0.15 * modes):
        return "total_collapse"
    if always_gone:
        return "partial_collapse"
    return "healthy" if quality >= 0.3 else "learning"


def keep(found: list[tuple[str, History, str]]) -> None:
    """All histories in one small file."""
    arrays: dict[str, np.ndarray] = {}
    about = []
    for k, (recipe, h, real) in enumerate(found):
        about.append(
            {
                "recipe": recipe,
                "real": real,
                "config": h.config.changed() | ({"path": "album"} if h.config.path else {}),
                "floors": dict(h.floors),
                "broken": h.broken,
            }
        )
        arrays[f"{k}.steps"], arrays[f"{k}.at"] = h.steps.astype(np.int32), h.at.astype(np.int32)
        for part in ("train", "metrics"):
            for name, values in getattr(h, part).items():
                arrays[f"{k}.{part}.{name}"] = values.astype(np.float32)
        for name in ("counts", "nearest", "share"):
            if getattr(h, name) is not None:
                arrays[f"{k}.{name}"] = getattr(h, name).astype(np.float32)
    arrays["about"] = np.frombuffer(json.dumps(about).encode(), np.uint8)
    np.savez_compressed(KEPT, **arrays)


def kept() -> list[tuple[str, History, str]]:
    """(recipe, history, what it really was) of all that is kept."""
    with np.load(KEPT) as file:
        arrays = {name: file[name] for name in file.files}
    found = []
    for k, about in enumerate(json.loads(arrays["about"].tobytes())):
        parts = {
            part: {n.split(".", 2)[2]: v for n, v in arrays.items() if n.startswith(f"{k}.{part}.")}
            for part in ("train", "metrics")
        }
        h = History(
            GANConfig.parse(about["config"]),
            arrays[f"{k}.steps"],
            parts["train"],
            arrays[f"{k}.at"],
            parts["metrics"],
            *(arrays.get(f"{k}.{name}") for name in ("counts", "nearest", "share")),
            about["floors"],
            about["broken"],
        )
        found.append((about["recipe"], h, about["real"]))
    return found


def judged(found: list[tuple[str, History, str]]) -> dict:
    """Confusion matrix and accuracy."""
    pairs = [(recipe, h.config.seed, real, diagnose(h).name) for recipe, h, real in found]
    matrix = Counter((real, said) for _, _, real, said in pairs)
    right = sum(real == said for _, _, real, said in pairs)
    return {
        "histories": len(pairs),
        "recipes": len({recipe for recipe, *_ in pairs}),
        "accuracy": round(right / len(pairs), 4),
        "healthy_called_collapsed": sum(real == "healthy" and said in ROUGH for _, _, real, said in pairs),
        "matrix": {real: {said: matrix[real, said] for said in VERDICTS if matrix[real, said]} for real in VERDICTS},
        "wrong": [list(pair) for pair in pairs if pair[2] != pair[3]],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--make", action="store_true", help="train all recipes anew and keep their histories")
    parser.add_argument("--first", type=int, default=0, help="the first of the five seeds (default: 0)")
    parser.add_argument("--only", nargs="*", help="some recipes only; nothing is kept then")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    args = parser.parse_args()
    if args.make:
        with tempfile.TemporaryDirectory() as folder:
            found = []
            for name, recipe in recipes(make_album(Path(folder))).items():
                if args.only and name not in args.only:
                    continue
                begun = time.perf_counter()
                pairs = train(recipe, args.first)
                found += [(name, h, real) for h, real in pairs]
                said = [f"{real} / {diagnose(h).name}" for h, real in pairs]
                print(f"{name} ({time.perf_counter() - begun:.0f} s): {', '.join(said)}", file=sys.stderr)
        if not args.only:
            keep(found)
    else:
        found = kept()
    result = judged(found)
    if args.json:
        print(json.dumps(result))
        return
    print(f"{result['histories']} histories of {result['recipes']} recipes, {result['accuracy']:.1%} right")
    for real, row in result["matrix"].items():
        print(f"{real:22} " + ", ".join(f"{said} {count}" for said, count in row.items()))
    for recipe, seed, real, said in result["wrong"]:
        print(f"  wrong: {recipe}, seed {seed}: really {real}, called {said}")


if __name__ == "__main__":
    main()
