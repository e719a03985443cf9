"""What a person feels of the latent space page: python -m benchmarks.latent [--only PART ...] [--windows N] [--yielding] [--json]

One headless Chromium at 1280 x 800, one server for each part. Two sizes of generator are looked at: digits (8 x 8) and the same
images at MNIST's 28 x 28, so that nothing need be fetched. What they were taught does not matter: they trained for a moment.

- drag: frames a second while the pointer is dragged over the plane and over the noise plane, and the longest gap between two.
- change: from the Enter in a seed's field, and from an arrow key on a slider, until the new strip or plane is painted.
- invert: the engine's time to find a latent for an image of the data, 8 starts, 300 steps.
- cost: a training run's steps/s while somebody drags on the plane, changes the walk each second, moves a direction's slider or
  searches without a pause, over those without; best of the windows, which take turns.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from pathlib import Path

import torch

from benchmarks.page import MANY, POINTS, Page, in_turns
from benchmarks.serving import chromium, server_rate
from gan_core import GANConfig, Runner, RunStore, Trainer
from gan_core.explorer import Explorer

DIGITS = GANConfig(
    dataset="digits", network="dcgan", width=32, latent_dim=64, batch_size=64, lr_g=2e-4, lr_d=2e-4, ema_decay=0.99, steps=20
)
SIZES = {"digits": DIGITS, "mnist_sized": DIGITS.but(image_size=28)}
SHEET = POINTS.but(steps=200)
ACTS = ("dragged", "changed", "steered", "searched")
TRAINED = {"points": POINTS, "images": DIGITS.but(width=16, steps=MANY)}

DRAG = """async (canvas, frames) => {
  const box = canvas.getBoundingClientRect(), times = [];
  for (let k = 0; k <= frames; k++) {
    const angle = k / 20, reach = 0.1 + 0.3 * Math.abs(Math.sin(k / 70));
    const clientX = box.left + box.width * (0.5 + reach * Math.cos(angle));
    const clientY = box.top + box.height * (0.5 + reach * Math.sin(angle));
    canvas.dispatchEvent(new PointerEvent("pointermove", { clientX, clientY, bubbles: true }));
    await new Promise((done) => requestAnimationFrame(done));
    times.push(performance.now());
  }
  const gaps = times.slice(1).map((t, k) => t - times[k]);
  return { rate: (1000 * gaps.length) / (times.at(-1) - times[0]), longest: Math.max(...gaps) };
}"""
# From the next event of a kind until the view has painted what then came: a second frame begins when the first is on the screen.
WAIT = """(root, [event, key]) => {
  window.took = null;
  let begun = null;
  window.addEventListener(event, function listen(e) {
    if (key && e.key !== key) return;
    begun = performance.now();
    window.removeEventListener(event, listen, true);
  }, true);
  const observer = new MutationObserver(() => {
    if (begun === null) return;
    observer.disconnect();
    requestAnimationFrame(() => requestAnimationFrame(() => { window.took = performance.now() - begun; }));
  });
  observer.observe(root, { attributes: true, attributeFilter: ["data-key"] });
}"""
OTHER_EACH_SECOND = """() => setInterval(() => {
  [...document.querySelectorAll("button")].find((button) => button.textContent.includes("Other end points"))?.click();
}, 1000)"""

STEER = """(root) => {
  const slider = root.querySelector("input[type=range]");
  let k = 0;
  setInterval(() => {
    k += 1;
    slider.value = 3 * Math.sin(k / 30);
    slider.dispatchEvent(new Event("input"));
  }, 16);
}"""
SEARCH = """(root) => { setInterval(() => document.querySelector(".st-key-find_start button:enabled")?.click(), 250); }"""


def trained(folder: Path, config: GANConfig) -> str:
    """A run that has ended."""
    runner = Runner(RunStore(folder))
    run = runner.start(config)
    runner.wait(run, 300)
    runner.shutdown()
    return run


def look(app: Page, run: str, tool: str, view: str, drawn: str = "data-key"):
    """The latent page with a tool on a run; its view, drawn."""
    app.page.goto(f"{app.server.url}latent?run={run}&tool={tool}")
    root = app.page.locator(f".{view}[{drawn}]")
    root.wait_for(timeout=60_000)
    time.sleep(1)  # the address is written, and with it all is quiet
    return root


def drag(app: Page, folder: Path) -> dict:
    found = {}
    pictures = {
        **{f"plane_{name}": (config, "plane", "plane", "canvas.map") for name, config in SIZES.items()},
        "noise_plane": (SHEET, "noise", "sheet", "canvas.noise"),
    }
    for name, (config, tool, view, canvas) in pictures.items():
        root = look(app, trained(folder, config), tool, view)
        tries = [root.locator(canvas).evaluate(DRAG, 150) for _ in range(3)]
        found[name] = {
            "frames_per_s": round(statistics.median(t["rate"] for t in tries), 1),
            "longest_gap_ms": round(statistics.median(t["longest"] for t in tries)),
        }
    return found


def change(app: Page, folder: Path, tries: int = 25) -> dict:
    found = {}
    for name, config in SIZES.items():
        run = trained(folder, config)
        for tool, view, label in (("walk", "player", "A"), ("plane", "plane", "A, top left")):
            root, field = look(app, run, tool, view), app.page.get_by_role("textbox", name=label, exact=True)
            seconds = [_typed(app, root, field, str(1000 + k)) for k in range(tries)]
            found[f"{name}_{tool}_seed"] = _told(seconds)
        root = look(app, run, "walk", "player")
        knob = root.get_by_role("slider", name="Frames for each leg")
        keys = [("ArrowLeft", "ArrowRight")[k % 2] for k in range(tries)]
        found[f"{name}_walk_slider"] = _told([_pressed(app, root, knob, key) for key in keys])
    return found


def _typed(app: Page, root, field, text: str) -> float:
    field.fill(text)
    root.evaluate(WAIT, ["keydown", "Enter"])
    field.press("Enter")
    return _took(app)


def _pressed(app: Page, root, knob, key: str) -> float:
    """By the keyboard, because in a drag a pause of the busy browser is taken for the end of it."""
    root.evaluate(WAIT, ["keydown", key])
    knob.press(key)
    return _took(app)


def _took(app: Page) -> float:
    """Milliseconds."""
    app.page.wait_for_function("() => window.took !== null")
    took = app.page.evaluate("() => window.took")
    time.sleep(0.5)  # a change that meets the one before it would be another measurement
    return took


def _told(milliseconds: list[float]) -> dict:
    ordered = sorted(milliseconds)
    return {
        "median_ms": round(statistics.median(ordered)),
        "tenth_slowest_ms": round(ordered[int(0.9 * len(ordered))]),
        "tries": len(ordered),
    }


def invert(tries: int = 3) -> dict:
    found = {}
    for name, config in SIZES.items():
        trainer = Trainer([config])
        explorer, seconds = Explorer(trainer), []
        for k in range(tries):
            begun = time.perf_counter()
            explorer.invert(trainer.data.x[k])
            seconds.append(time.perf_counter() - begun)
        found[name] = {"median_s": round(statistics.median(seconds), 2), "tries": tries}
    return found


def cost(app: Page, folder: Path, windows: int, seconds: float = 4.0) -> dict:
    looked_at, found = trained(folder, SIZES["mnist_sized"]), {}
    for name, config in TRAINED.items():
        training = app.watch(config)

        def window(what: str, training: str = training) -> float:
            app.page.goto("about:blank")
            if what == "dragged":
                canvas = look(app, looked_at, "plane", "plane").locator("canvas.map")
                canvas.evaluate(f"(canvas) => {{ ({DRAG})(canvas, 100000); }}")
            if what == "changed":
                look(app, looked_at, "walk", "player")
                app.page.evaluate(OTHER_EACH_SECOND)
            if what == "steered":
                look(app, looked_at, "directions", "directions", "data-shown").evaluate(STEER)
            if what == "searched":
                look(app, looked_at, "find&descent=1000", "find", "data-state").evaluate(SEARCH)
            time.sleep(2)
            return server_rate(app.store, training, seconds)

        rates = {k: max(v) for k, v in in_turns({k: k for k in ("alone", *ACTS)}, window, windows).items()}
        app.page.goto("about:blank")
        app.stop(training)
        found[name] = {
            "steps_per_s": {k: round(v, 1) for k, v in rates.items()},
            **{f"lost_{k}": round(1 - rates[k] / rates["alone"], 3) for k in ACTS},
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = ("drag", "change", "invert", "cost")
    parser.add_argument("--only", nargs="+", choices=parts, default=parts, help="some parts only")
    parser.add_argument("--windows", type=int, default=4, help="windows of each contender of cost (default: 4)")
    parser.add_argument(
        "--yielding", action="store_true", help="let the browser yield to the server, as if it had cores of its own"
    )
    parser.add_argument("--json", action="store_true", help="accepted for uniformity; the output is always JSON")
    args = parser.parse_args()
    measure = {"drag": drag, "change": change, "cost": lambda app, folder: cost(app, folder, args.windows)}
    result: dict = {"machine": {"cores": os.cpu_count(), "python": platform.python_version(), "torch": torch.__version__}}
    for part in args.only:
        if part == "invert":
            result[part] = invert()
            continue
        with tempfile.TemporaryDirectory() as name, chromium(args.yielding) as page:
            app = Page(Path(name), page)
            try:
                result[part] = measure[part](app, Path(name))
            finally:
                app.server.stop()
    result["machine"]["load"] = [round(v, 1) for v in os.getloadavg()]
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
