"""How fast the engine trains, and what the live page costs it: python -m benchmarks.speed [--only PART ...]

Everything is measured in one run, in windows that take turns, and the best window counts, because a shared machine only
ever makes things slower. Ratios are what to look at.

- points, images: the engine over a bare PyTorch loop with the same networks, batch, optimiser and number of threads.
  Two loops are timed: `plain` as tutorials write it, `careful` which also spares the discriminator's unused gradients.
- page: the same config trained by the app's server, without a viewer and with its page open in Chromium, over the engine.
- members: 64 members at once over one after the other, by the engine and by the bare loop.
- gan_lab: GAN Lab's default set-up with the page open, in iterations a second.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn
from torch.nn.functional import softplus

from benchmarks.serving import Server, await_until, chromium, server_rate, waiting_run
from gan_core import GANConfig, RunStore, Trainer

MANY = 10_000_000  # steps: more than any window takes

POINTS = GANConfig(dataset="ring8", latent_dim=2, width=128, depth=2, batch_size=256, steps=MANY)
IMAGES = GANConfig(
    dataset="digits", image_size=32, network="dcgan", width=32, latent_dim=64, batch_size=64, lr_g=2e-4, lr_d=2e-4, steps=MANY
)
GAN_LAB = GANConfig(
    dataset="two_gaussians",
    latent_dim=2,
    width=8,
    depth=2,
    batch_size=150,
    d_steps=2,
    optimizer="sgd",
    beta1=0,
    lr_d=0.1,
    lr_g=0.03,
    label_smoothing=0.05,
    steps=MANY,
)


class BareLoop:
    """The same training without this project: torch.nn layers, torch.optim.Adam, one GAN."""

    def __init__(self, config: GANConfig, careful: bool = False):
        self.config, self.careful = config, careful
        self.data = Trainer(config).data.x
        self.generator, self.discriminator = _points_pair(config) if config.network == "mlp" else _images_pair(config)
        self.opt_g = torch.optim.Adam(self.generator.parameters(), config.lr_g, (config.beta1, config.beta2))
        self.opt_d = torch.optim.Adam(self.discriminator.parameters(), config.lr_d, (config.beta1, config.beta2))

    def train(self, steps: int) -> None:
        """So many generator steps, as in PyTorch's DCGAN tutorial, with both losses read out at each."""
        config, g, d = self.config, self.generator, self.discriminator
        for _ in range(steps):
            real = self.data[torch.randint(len(self.data), (config.batch_size,))]
            fake = g(torch.randn(config.batch_size, config.latent_dim))
            loss_d = softplus(-d(real)).mean() + softplus(d(fake.detach())).mean()
            self.opt_d.zero_grad()
            loss_d.backward()
            self.opt_d.step()
            if self.careful:
                d.requires_grad_(False)
            loss_g = softplus(-d(g(torch.randn(config.batch_size, config.latent_dim)))).mean()
            self.opt_g.zero_grad()
            loss_g.backward()
            self.opt_g.step()
            if self.careful:
                d.requires_grad_(True)
            loss_d.item(), loss_g.item()


def _points_pair(c: GANConfig) -> tuple[nn.Module, nn.Module]:
    def mlp(inputs: int, outputs: int) -> nn.Sequential:
        sizes, layers = [inputs] + [c.width] * c.depth, []
        for a, b in zip(sizes, sizes[1:], strict=False):
            layers += [nn.Linear(a, b), nn.LeakyReLU(0.2)]
        return nn.Sequential(*layers, nn.Linear(c.width, outputs))

    return mlp(c.latent_dim, 2), mlp(2, 1)


def _images_pair(c: GANConfig) -> tuple[nn.Module, nn.Module]:
    w = c.width
    generator = nn.Sequential(
        nn.Linear(c.latent_dim, 4 * w * 16, bias=False), nn.Unflatten(1, (4 * w, 4, 4)), nn.BatchNorm2d(4 * w), nn.ReLU(),
        nn.ConvTranspose2d(4 * w, 2 * w, 4, 2, 1, bias=False), nn.BatchNorm2d(2 * w), nn.ReLU(),
        nn.ConvTranspose2d(2 * w, w, 4, 2, 1, bias=False), nn.BatchNorm2d(w), nn.ReLU(),
        nn.ConvTranspose2d(w, 1, 4, 2, 1), nn.Tanh())  # fmt: skip
    discriminator = nn.Sequential(
        nn.Conv2d(1, w, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(w, 2 * w, 4, 2, 1), nn.LeakyReLU(0.2),
        nn.Conv2d(2 * w, 4 * w, 4, 2, 1), nn.LeakyReLU(0.2), nn.Flatten(), nn.Linear(4 * w * 16, 1))  # fmt: skip
    return generator, discriminator


def rate(train: Callable[[int], object], seconds: float, chunk: int) -> float:
    """Steps a second over one window."""
    begun, done = time.perf_counter(), 0
    while (elapsed := time.perf_counter() - begun) < seconds:
        train(chunk)
        done += chunk
    return done / elapsed


def best_of(contenders: dict[str, Callable[[], float]], windows: int) -> dict[str, float]:
    """Each contender's best window; they take turns."""
    best = dict.fromkeys(contenders, 0.0)
    for _ in range(windows):
        for name, window in contenders.items():
            best[name] = max(best[name], window())
    return best


def against_bare(config: GANConfig, threads: int, windows: int, seconds: float, chunk: int) -> dict:
    """The engine and the two bare loops, in turns."""
    trainer, plain, careful = Trainer(config), BareLoop(config), BareLoop(config, careful=True)
    assert trainer.threads == threads
    torch.set_num_threads(threads)
    for each in (trainer, plain, careful):
        each.train(chunk)
    best = best_of({name: lambda each=each: rate(each.train, seconds, chunk)
                    for name, each in (("engine", trainer), ("plain", plain), ("careful", careful))}, windows)  # fmt: skip
    return {"threads": threads, **_rounded(best), "engine_over_plain": round(best["engine"] / best["plain"], 3),
            "engine_over_careful": round(best["engine"] / best["careful"], 3)}  # fmt: skip


def members(width: int, batch: int, windows: int, seconds: float) -> dict:
    """Member-steps a second of 64 members against one after the other."""
    single = GANConfig(dataset="ring8", latent_dim=2, width=width, batch_size=batch, steps=MANY)
    together = Trainer([single.but(seed=s) for s in range(64)])
    alone, bare = Trainer(single), BareLoop(single)
    torch.set_num_threads(alone.threads)
    for each in (together, alone, bare):
        each.train(5)
    contenders = {
        "together": lambda: 64 * rate(together.train, seconds, 5),
        "engine_alone": lambda: rate(alone.train, seconds, 50),
        "bare_alone": lambda: rate(bare.train, seconds, 50),
    }
    best = best_of(contenders, windows)
    return {**_rounded(best), "together_over_bare_alone": round(best["together"] / best["bare_alone"], 2),
            "together_over_engine_alone": round(best["together"] / best["engine_alone"], 2)}  # fmt: skip


def with_page(config: GANConfig, windows: int, seconds: float, chunk: int) -> dict:
    """Rates of the engine alone, of the server without a viewer, and of the server with its page open."""
    trainer = Trainer(config)
    trainer.train(chunk)
    with tempfile.TemporaryDirectory() as name, chromium() as page:
        folder = Path(name)
        server, store = Server(folder), RunStore(folder)
        try:
            page.goto(server.url)
            page.get_by_role("button", name="Start").first.wait_for(timeout=30_000)
            run = waiting_run(store, config)
            page.goto(f"{server.url}?run={run}")
            page.get_by_role("button", name="Resume").click(timeout=30_000)
            await_until(lambda: store.get(run).status == "running")

            def engine() -> float:
                page.goto("about:blank")
                store.add_command(run, "pause")
                await_until(lambda: store.get(run).status == "paused")
                found = rate(trainer.train, seconds, chunk)
                store.add_command(run, "resume")
                await_until(lambda: store.get(run).status == "running")
                return found

            def served(url: str) -> float:
                page.goto(url)
                if url != "about:blank":
                    page.locator(".monitor[data-step]").wait_for(timeout=30_000)
                time.sleep(2)
                return server_rate(store, run, seconds)

            best = best_of({"engine": engine, "server": lambda: served("about:blank"),
                            "page": lambda: served(f"{server.url}?run={run}")}, windows)  # fmt: skip
        finally:
            server.stop()
    return {**_rounded(best), "page_over_server": round(best["page"] / best["server"], 3),
            "page_over_engine": round(best["page"] / best["engine"], 3)}  # fmt: skip


def _rounded(rates: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 1) for name, value in rates.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--windows", type=int, default=5, help="windows of each contender (default: 5)")
    parser.add_argument("--seconds", type=float, default=5.0, help="length of a window (default: 5)")
    parts = ("points", "images", "points_page", "images_page", "members_2x32", "members_2x128", "gan_lab_page")
    parser.add_argument("--only", nargs="+", choices=parts, default=parts, help="some parts only")
    parser.add_argument("--json", action="store_true", help="accepted for uniformity; the output is always JSON")
    args = parser.parse_args()
    windows, seconds = args.windows, args.seconds
    cores = os.cpu_count() or 1
    measure = {
        "points": lambda: against_bare(POINTS, 1, windows, seconds, 50),
        "images": lambda: against_bare(IMAGES, cores, windows, seconds, 4),
        "points_page": lambda: with_page(POINTS, windows, seconds, 50),
        "images_page": lambda: with_page(IMAGES, windows, seconds, 4),
        "members_2x32": lambda: members(32, 64, windows, seconds),
        "members_2x128": lambda: members(128, 256, windows, seconds),
        "gan_lab_page": lambda: with_page(GAN_LAB, windows, seconds, 50),
    }
    result = {"machine": {"cores": cores, "python": platform.python_version(), "torch": torch.__version__},
              "windows": windows, "seconds": seconds}  # fmt: skip
    for part in args.only:
        result[part] = measure[part]()
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
