"""All measures of a run, as a table: those that it is measured by while it trains, and on demand every one."""

from __future__ import annotations

import math
from typing import Any

import streamlit as st
import torch

from gan_core import METRICS, NETWORKS, Runner
from gan_core.evaluation import evaluate, neighbours
from gan_core.features import Judge, judge_of
from gan_core.frames import png_grid
from gan_core.metrics import SCORES, features_of, floors, is_judged, samples_for
from gan_core.source import Data
from gan_core.store import Run
from ui import live, readings, shell
from ui.opened import opened
from ui.pictures import enlarged
from ui.text import whole

SLOW_SAMPLES = 500
NEIGHBOUR_SIDE = 88  # pixels
BETTER = {"more": "more is better", "less": "less is better", "": ""}


def show(runner: Runner, run: Run) -> None:
    """The table, folded away."""
    data = live.known_data(run.config)
    if data is None:
        return
    judge = judge_of(run.config.source) if is_judged(data) else None
    with st.expander("All measures, and what perfect samples would score", key="measures"):
        found = st.session_state.get("measured_fully")
        if found and found["run"] == run.id:
            rows = [_row(name, _first(e["value"]), e["floor"], e["n"], e["looks_at"], e) for name, e in found["metrics"].items()]
            whose = f" The first of {found['members']} members." if found["members"] > 1 else ""
            st.caption(f"At step {whole(found['step'])}, on up to {whole(found['samples'])} samples.{whose}")
        else:
            rows = _live_rows(run, data, judge)
            st.caption(f"At the last measurement, on {whole(samples_for(data))} samples.")
        if judge is not None:
            st.caption(f"Classes are told by a small classifier that was trained here. {_about(judge)}")
        st.dataframe(rows, hide_index=True, width="stretch", row_height=30)
        steps = runner.store.checkpoint_steps(run.id)
        with st.container(horizontal=True):
            st.button(
                "Measure everything",
                icon=":material/monitoring:",
                on_click=_measure,
                args=(runner, run.id),
                help="Every metric on up to 10,000 samples of the latest checkpoint. It may take a minute.",
                disabled=not steps,
            )
            if data.x.dim() == 4:
                st.button(
                    "Compare with training images",
                    icon=":material/content_copy:",
                    on_click=st.session_state.update,
                    kwargs={"compared": (run.id, steps[-1] if steps else 0)},
                    help="Shows the generated images that lie closest to images of the data: has it learnt, or copied?",
                    disabled=not steps,
                )
        of, step = st.session_state.get("compared", ("", 0))
        if of == run.id and data.x.dim() == 4:
            _neighbours(runner, run, step)


def _neighbours(runner: Runner, run: Run, step: int) -> None:
    """The closest pairs of a generated and a training image."""
    with shell.guarded():
        found = neighbours(opened(runner.store, run.id, step))
        st.caption(
            f"At step {whole(step)}, the {len(found.samples)} of {found.of} generated images that lie closest to the data: on "
            f"top the generated one, below it the training images nearest to it. The number is the distance to the nearest, "
            f"where 1 is usual between two real images. Near 0 it is a copy."
        )
        columns = [torch.cat([made[None], near]) for made, near in zip(found.samples, found.nearest, strict=True)]
        pictures = [enlarged(png_grid(images, 1), NEIGHBOUR_SIDE) for images in columns]
        st.image(pictures, caption=[f"{d:.2f}" for d in found.distance[:, 0].tolist()], width=NEIGHBOUR_SIDE)


def _measure(runner: Runner, run: str) -> None:
    with shell.attempt(), st.spinner("Measuring on up to 10,000 samples …"):
        config = runner.store.get(run).config
        slow = not NETWORKS[config.network].adversarial  # draws its images pixel by pixel
        st.session_state["measured_fully"] = evaluate(runner.store, run, samples=SLOW_SAMPLES if slow else None)


def _live_rows(run: Run, data: Data, judge: Judge | None) -> list[dict[str, str]]:
    """What was measured last while the run trained."""
    n = samples_for(data)
    perfect = floors(data, n, judge)
    return [
        _row(name, values[0], perfect.get(name), min(n, METRICS[name].at_most), features_of(name, data, judge), _told(name))
        for name, values in run.metrics.items()
        if name in METRICS
    ]


def _told(name: str) -> dict[str, str]:
    return {"title": METRICS[name].title, "better": METRICS[name].better}


def _about(judge: Judge) -> str:
    if not judge.ready:
        return "It is still learning."
    return f"It names {judge.accuracy:.1%} of {whole(judge.tested)} images correctly that it has not seen before."


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, list) else value


def _row(
    name: str, value: float | None, floor: float | None, n: int | None, looks_at: str, entry: dict[str, Any]
) -> dict[str, str]:
    told = METRICS.get(name) or SCORES.get(name)
    return {
        "Measure": entry["title"],
        "Value": readings.shown(name, math.nan if value is None else value),
        "Perfect": readings.shown(name, math.nan if floor is None else floor),
        "Samples": "–" if n is None else whole(n),
        "Looks at": looks_at,
        "": BETTER[entry.get("better", "")],
        "What it says": told.text if told else METRICS[name.partition("_")[0]].text,
        "Source": told.source if told else METRICS[name.partition("_")[0]].source,
    }
