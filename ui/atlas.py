"""The collapse map: any two settings on the axes, the modes that are held as colour, several seeds a cell."""

from __future__ import annotations

import json
import time
from functools import lru_cache
from typing import Any

import numpy as np
import streamlit as st
import torch

from gan_core import GANConfig, PlaygroundError, Runner
from gan_core.config import METAS
from gan_core.data import is_here
from gan_core.draws import seeded
from gan_core.frames import TILE_IMAGES, TILE_POINTS, extent, pack, quantised_points
from gan_core.lab import MAPS, rate
from gan_core.maps import AXES, MAX_VALUES, Axis, MapSpec, spread, success, usual_range, values_of
from gan_core.metrics import shares
from gan_core.source import Data
from gan_core.store import Run
from ui import components, live, pairing, shell
from ui.choice import own_config
from ui.palette import PALETTE, STATUS
from ui.text import whole
from ui.words import changes_in_words, value_in_words

_MAP = components.mount("map")
_TILES = components.mount("tiles")
OWN, SHOWN = "own", "shown"
SEED_COUNTS = (1, 2, 4, 8)
REAL = 160


def message(runner: Runner, run: Run | None, spec: MapSpec, chosen: int | None) -> bytes:
    """How a map stands; without a run, its empty axes."""
    data = live.known_data(spec.base)
    counted = data is not None and (data.centres is not None or data.labels is not None)
    best = len(shares(data)) if counted else 1.0
    cells = runner.store.cells(run.id) if run else {}
    size = len(spec) // spec.seeds
    total, known, progress = np.zeros(size), np.zeros(size), np.zeros(size)
    for cell, (step, value) in cells.items():
        index = cell // spec.seeds
        number = 0.0 if value.get("diverged") is not None else value.get("held" if counted else "diversity", np.nan)
        if number == number:
            total[index] += number
            known[index] += 1
        progress[index] += min(1.0, step / spec.base.steps) / spec.seeds
    with np.errstate(invalid="ignore"):
        shown = total / known
    done = sum(step >= spec.base.steps for step, _ in cells.values())
    status = run.status if run else "none"
    speed = run.rate * len(spec) * spec.base.steps / run.steps if run and run.status == "running" else 0.0
    header = {
        "made": time.monotonic(),
        "address": f"live/{run.id}?" if run else None,
        "live": bool(run and run.is_live),
        "version": live.version(run, runner.problem(run.id)) if run else "",
        "status": status,
        "label": STATUS[status][0] if run else "Ready",
        "progress": f"{whole(done)} of {whole(len(spec))} GANs" if run else _plan(spec),
        "done": done,
        "share": run.step / run.steps if run else 0.0,
        "rate": speed,
        "left": (run.steps - run.step) / run.rate if run and run.rate else 0.0,
        "seconds": run.seconds if run else 0.0,
        "x": _axis(spec.x),
        "y": _axis(spec.y),
        "measure": ("Modes held" if data is None or data.x.dim() == 2 else "Classes held") if counted else "Diversity",
        "low": "0",
        "high": f"{best:g}",
        "name": f"map-{spec.x.name}-{spec.y.name}",
        "can_choose": run is not None,
        "chosen": chosen,
        "palette": PALETTE,
    }
    arrays = {"value": shown / best, "shown": shown, "progress": progress}
    return pack(header, {name: values.astype(np.float32) for name, values in arrays.items()})


def spec_of(run: Run) -> MapSpec:
    """What a map trains."""
    return _parsed(json.dumps(run.spec))


@lru_cache(maxsize=16)
def _parsed(text: str) -> MapSpec:
    return MapSpec.parse(json.loads(text))  # checks every cell, which takes a while


def _plan(spec: MapSpec) -> str:
    return f"{whole(len(spec))} GANs of {whole(spec.base.steps)} steps"


def _axis(axis: Axis) -> dict[str, Any]:
    return {
        "title": GANConfig.model_fields[axis.name].title,
        "values": [value_in_words(axis.name, value) for value in axis.values],
    }


def show(runner: Runner) -> None:
    """The view: what to map, start and stop, the map live, and the cell that was clicked on."""
    run = _focus(runner)
    busy = bool(run and run.is_live)
    left, right = st.columns([1, 2.1], gap="large")
    with left:
        spec = _chosen_spec(runner, run, busy)
        if spec is None:
            return
        if run and spec != spec_of(run):
            run = None
        runs = [run] if run else []
        with st.container(horizontal=True):
            pairing.buttons(runner, runs, "Start the map", _start, (runner, spec))
        if notice := shell.notice():
            st.warning(notice)
        if run:
            pairing.troubles(run)
    event = getattr(st.session_state.get("map"), "cell", None)
    if event is not None and run:
        st.session_state["map_cell"] = (run.id, int(event))
    chosen = st.session_state.get("map_cell", ("", None))
    index = chosen[1] if run and chosen[0] == run.id and chosen[1] < len(spec) // spec.seeds else None
    with right:
        _MAP(data=message(runner, run, spec, index), key="map", on_status_change=lambda: None, on_cell_change=lambda: None)
        if run and index is not None:
            _cell(runner, run, spec, index)
        elif run:
            st.caption("Click on a cell to see its GANs.")
        if run:
            _export(runner, run, spec)
    if not busy:
        pairing.watch([(run.id, run.status)] if run else [], lambda: [r for r in [_focus(runner)] if r])


def _focus(runner: Runner) -> Run | None:
    """The map that this tab looks at, else the newest."""
    chosen = st.session_state.get("map_run")
    if chosen:
        if found := runner.store.present(chosen):
            return found
        st.session_state.pop("map_run")  # deleted meanwhile
    maps = runner.store.runs(limit=1, kind="map")
    return maps[0] if maps else None


def _start(runner: Runner, spec: MapSpec) -> None:
    with shell.attempt():
        st.session_state["map_run"] = runner.start_map(spec)
        st.session_state["map_kind"] = SHOWN


def _chosen_spec(runner: Runner, run: Run | None, busy: bool) -> MapSpec | None:
    """What the menus ask for; while a map trains, that map's own. None where they do not fit together, which is then said."""
    own = own_config(runner.store, many=True)
    options = [name for name, (_, spec) in MAPS.items() if is_here(spec.base.source)] + ([OWN] if own else [])
    if run:
        options = [SHOWN, *options]
    if busy or st.session_state.get("map_kind") not in options:
        st.session_state["map_kind"] = options[0]
    titles = {OWN: "Two settings of the run in focus", SHOWN: "What is shown"}
    kind = st.selectbox(
        "What to map",
        options,
        options.index(st.session_state["map_kind"]),
        key="map_kind",
        disabled=busy,
        format_func=lambda n: titles.get(n) or MAPS[n][0],
        help="Every cell is a GAN with these two settings, over several seeds; all else is equal.",
    )
    if kind == SHOWN:
        st.caption(f"{_plan(spec_of(run))}: {_words(run.config)}")
        return spec_of(run)
    base, usual = (own, None) if kind == OWN else (MAPS[kind][1].base, MAPS[kind][1])
    try:
        axes, seeds, steps = _axes(kind, base, usual)
        spec = MapSpec(base.but(steps=steps), *axes, seeds)
    except PlaygroundError as error:
        st.error(shell.plain(str(error)))
        return None
    st.caption(f"{_plan(spec)}: {_words(spec.base)}")
    return spec


def _words(base: GANConfig) -> str:
    """The settings that all cells share, where they are not the usual ones."""
    return shell.plain(changes_in_words({name: value for name, value in base.changed().items() if name != "points"}))


def _axes(kind: str, base: GANConfig, usual: MapSpec | None) -> tuple[tuple[Axis, Axis], int, int]:
    """The two axes, how many seeds and steps."""
    first = (usual.x.name, usual.y.name) if usual else ("lr_g", "lr_d")
    axes = []
    for k, (letter, default) in enumerate(zip("XY", first, strict=True)):
        names = [n for n in AXES if METAS[n].applies(base) or n == default]
        name = st.selectbox(f"{letter} axis", names, names.index(default), format_func=_title, key=f"axis_{kind}_{k}")
        given = (usual.x, usual.y)[k] if usual and name == default else None
        axes.append(Axis(name, _values(f"{kind}_{k}_{name}", name, base, given)))
    left, right = st.columns(2)
    place = SEED_COUNTS.index(usual.seeds if usual else 4)
    seeds = left.selectbox("Seeds a cell", SEED_COUNTS, place, key=f"seeds_{kind}")
    steps = right.number_input("Steps of each", 100, 1_000_000, max(100, base.steps), 500, key=f"steps_{kind}")
    return (axes[0], axes[1]), seeds, int(steps)


def _title(name: str) -> str:
    return GANConfig.model_fields[name].title


def _values(key: str, name: str, base: GANConfig, given: Axis | None) -> tuple[Any, ...]:
    """The values of an axis: some of the choices, so many from one number to another, or a list."""
    choices = METAS[name].choices
    if choices is not None:
        usual = list(given.values) if given else list(choices)[:MAX_VALUES]
        return tuple(st.multiselect("Values", list(choices), usual, key=f"values_{key}", format_func=lambda v: choices[v].title))
    low, high = (given.values[0], given.values[-1]) if given else usual_range(name, base)
    cast, shape = (int, "%d") if GANConfig.model_fields[name].annotation is int else (float, "%g")
    columns = st.columns(3)
    low = columns[0].number_input("From", value=cast(low), format=shape, key=f"low_{key}")
    high = columns[1].number_input("To", value=cast(high), format=shape, key=f"high_{key}")
    count = columns[2].number_input("Values", 2, MAX_VALUES, len(given.values) if given else 8, key=f"count_{key}")
    own = st.text_input("Or these", key=f"own_{key}", placeholder="such as 1, 2, 4", label_visibility="collapsed")
    if own.strip():
        return values_of(own, name)
    return tuple(value for value in spread(name, low, high, int(count)) if _fits(base, name, value))


def _fits(base: GANConfig, name: str, value: Any) -> bool:
    """Whether a value goes with the other settings: a pack must divide the batch."""
    try:
        base.but(**{name: value})
    except PlaygroundError:
        return False
    return True


def _cell(runner: Runner, run: Run, spec: MapSpec, index: int) -> None:
    """The GANs of a cell: their samples, their numbers, and their way to the Playground."""
    cells = runner.store.cells(run.id)
    numbers = range(index * spec.seeds, (index + 1) * spec.seeds)
    config = spec.config(index * spec.seeds)
    where = changes_in_words({axis.name: getattr(config, axis.name) for axis in (spec.x, spec.y)})
    known = [cells[n][1] for n in numbers if n in cells and cells[n][0] >= spec.base.steps]
    data = live.known_data(spec.base)
    st.markdown(f"**{shell.plain(where)}**")
    if data is not None and known and (data.centres is not None or data.labels is not None):
        good = rate(success(known, len(shares(data))))
        quality = np.mean([v.get("high_quality", np.nan) for v in known])
        st.caption(
            f"{good.successes} of {good.n} seeds hold all {len(shares(data))} modes (95 % interval {good.low:.0%} to "
            f"{good.high:.0%}); {quality:.0%} of the samples are good."
        )
    _TILES(data=_tiles(runner, run, spec, list(numbers), cells, data), key="cell_tiles")
    with st.container(horizontal=True):
        for n in numbers:
            seed = spec.config(n).seed
            st.button(
                f"Train seed {seed} in the Playground" if spec.seeds == 1 or n == numbers[0] else f"Seed {seed}",
                key=f"open_{n}",
                icon=":material/play_circle:",
                on_click=pairing.open_config,
                args=(runner, spec.config(n), f"cell of {run.name}, seed {seed}"),
                disabled=run.status in ("running", "queued"),
                help="Pause or stop the map first." if run.status in ("running", "queued") else None,
            )


def _tiles(runner: Runner, run: Run, spec: MapSpec, numbers: list[int], cells: dict, data: Data | None) -> bytes:
    """Small pictures of some GANs of a map, as static/tiles.js draws them."""
    arrays: dict[str, np.ndarray] = {}
    shape, points = [0, 0, 0], data is not None and data.x.dim() == 2
    if data is not None:
        shape = list(data.shape)
        each = TILE_POINTS * 2 if points else TILE_IMAGES * int(np.prod(shape))
        samples = [np.frombuffer(runner.store.cell_samples(run.id, n), np.uint8) for n in numbers]
        arrays["tiles"] = np.concatenate([s if len(s) == each else np.full(each, 255, np.uint8) for s in samples])
        if points:
            rows = torch.randint(len(data.x), (REAL,), generator=seeded(0, "view"))
            arrays["real"] = quantised_points(data.x[rows], extent(data))
    header = {
        "made": time.monotonic(),
        "shape": shape,
        "points": points,
        "captions": [_became(*cells.get(n, (0, {})), spec.base.steps) for n in numbers],
        "titles": [f"Seed {spec.config(n).seed}" for n in numbers],
        "palette": PALETTE,
    }
    return pack(header, arrays)


def _became(step: int, value: dict[str, Any], steps: int) -> str:
    """What became of a GAN, in a few words."""
    if step < steps:
        return "training" if step else "not trained yet"
    if value.get("diverged") is not None:
        return f"diverged at step {value['diverged']:,}"
    words = [f"holds {value['held']:.0f}"] if "held" in value else []
    words += [f"{value['high_quality']:.0%} good"] if "high_quality" in value else []
    return ", ".join(words) or "trained"


def _export(runner: Runner, run: Run, spec: MapSpec) -> None:
    """The table and the settings of a map, to take away; the figure saves itself."""
    cells = runner.store.cells(run.id)
    if not cells:
        return
    name = f"map-{spec.x.name}-{spec.y.name}"
    table, settings = pairing.cells_table(spec, cells), json.dumps(spec.dump(), indent=1)
    with st.container(horizontal=True):
        st.download_button("Table (CSV)", table, f"{name}.csv", "text/csv", icon=":material/table:", on_click="ignore")
        icon = ":material/data_object:"
        st.download_button("Settings (JSON)", settings, f"{name}.json", "application/json", icon=icon, on_click="ignore")
