"""Latent space: walk between noise vectors and see what the generator makes of the way."""

import hashlib
import time

import streamlit as st
import torch

from gan_core import DATASETS, GANConfig, Trainer
from gan_core.draws import seeded
from gan_core.frames import extent, pack, png_grid
from gan_core.latent import path
from gan_core.members import sample_latents
from gan_core.store import Run
from ui import live, shell
from ui.palette import PALETTE
from ui.text import whole

COLUMNS = 16  # of the sheet of frames
runner = shell.open_page("Latent space")
store = runner.store


@st.cache_resource(max_entries=4, show_spinner="Opening the checkpoint")
def opened(folder: str, run: str, step: int) -> Trainer:
    """A trainer as it stood at a kept step. Only looked at, never trained."""
    state = store.load_checkpoint(run, step)
    trainer = Trainer([GANConfig.parse(c) for c in state["configs"]])
    trainer.load_state_dict(state)
    return trainer


def controls(run: Run, steps: list[int]) -> dict:
    """Where to go from, where to, and how."""
    kept = st.session_state.setdefault("latent_step", {})
    step = min(steps, key=lambda s: abs(s - kept[run.id])) if run.id in kept else steps[-1]
    if len(steps) > 1:
        key = f"latent_step_{run.id}_{len(steps)}_{steps[-1]}"  # the kept steps change while the run trains
        step = st.select_slider(
            "Step of the run",
            steps,
            step,
            format_func=whole,
            key=key,
            on_change=lambda: kept.update({run.id: st.session_state[key]}),
            help="Checkpoints that were kept along the run. Earlier ones show what it knew then.",
        )
    ends = st.segmented_control(
        "End points",
        [2, 4],
        default=2,
        required=True,
        help="Two: from one to the other. Four: a round trip through all of them.",
    )
    if st.button("Other end points", icon=":material/casino:"):
        st.session_state["ends_from"] = st.session_state.get("ends_from", 0) + 4
        for k in range(4):
            st.session_state.pop(f"end_{k}", None)
    first = st.session_state.get("ends_from", 0)
    columns = st.columns(2)
    seeds = [
        columns[k % 2].number_input(
            f"Seed {'ABCD'[k]}", 0, 2**31 - 1, first + k, key=f"end_{k}", help="Each seed stands for one noise vector."
        )
        for k in range(ends)
    ]
    kind = st.segmented_control(
        "Way",
        ["slerp", "lerp"],
        default="slerp",
        required=True,
        format_func={"slerp": "Around (slerp)", "lerp": "Straight (lerp)"}.get,
        help=(
            "Noise vectors of many dimensions all have about the same length. Around the sphere (slerp) every point on the way "
            "has it too; a straight line (lerp) cuts through the middle, where the generator was never trained."
        ),
    )
    frames = st.slider("Frames for each leg", 8, 64, 24, 8)
    member = st.number_input("Member", 0, len(run.configs) - 1, 0) if len(run.configs) > 1 else 0
    label = None
    if run.config.conditional != "none":
        label = st.number_input("Class", 0, DATASETS[run.config.dataset].classes - 1, 0, help="The noise moves, the class stays.")
    return {"step": step, "seeds": seeds, "kind": kind, "frames": frames, "member": member, "label": label}


def message(trainer: Trainer, run: Run, choice: dict) -> bytes:
    """The frames of the way, ready to play."""
    config = trainer.configs[choice["member"]]
    anchors = torch.cat([sample_latents(config, 1, seeded(seed, "sample")) for seed in choice["seeds"]])
    way = path(anchors, choice["frames"], choice["kind"])
    labels = None if choice["label"] is None else torch.full((len(way),), choice["label"])
    noise = torch.randn((1, trainer.noise_numbers), generator=seeded(0, "noise")).expand(len(way), -1)  # it stands still
    made = trainer.generate(way, choice["member"], labels=labels, noise=noise if trainer.noise_numbers else None)
    key = hashlib.blake2b(repr((run.id, choice)).encode(), digest_size=8).hexdigest()
    header = {"made": time.monotonic(), "key": key, "frames": len(made), "palette": PALETTE}
    if made.dim() == 4:
        caption = "The strip shows frames along the way; a click jumps there."
        return pack(
            {**header, "kind": "images", "size": made.shape[-1], "columns": COLUMNS, "caption": caption},
            {"sheet": png_grid(made, COLUMNS)},
        )
    cloud = trainer.sample(600, choice["member"], seed=1, label=choice["label"])
    real = trainer.data.x[torch.randint(len(trainer.data.x), (600,), generator=seeded(0, "view"))]
    return pack(
        {
            **header,
            "kind": "points",
            "extent": extent(trainer.data),
            "step": trainer.step_count,
            "caption": "The line is the way of one sample while its noise vector moves. Between modes it crosses empty "
            "space: a connected noise space has a connected image.",
        },
        {"path": made.numpy(), "fake": cloud.numpy(), "real": real.cpu().numpy()},
    )


_STRIP = live.mount("strip", (live.STATIC / "strip.css").read_text(encoding="utf-8"))

with shell.guarded():
    runs = [run for run in store.runs(limit=200) if store.checkpoint_steps(run.id)]
    if not runs:
        st.subheader("Nothing to explore yet")
        st.write("Here you walk through the noise space of a trained generator. Train one first; it takes a minute.")
        st.page_link("playground.py", label="Go to the Playground", icon=":material/play_circle:")
        st.stop()
    focus = shell.focus_run(store)
    names = {run.id: run for run in runs}
    left, right = st.columns([1, 2.4], gap="large")
    with left:
        first = focus.id if focus and focus.id in names else runs[0].id
        chosen = st.selectbox(
            "Run",
            list(names),
            list(names).index(first),
            format_func=lambda run: f"{names[run].name} · {time.strftime('%H:%M', time.localtime(names[run].created))}",
            key=f"latent_run_{first}",
            on_change=lambda: shell.set_focus(st.session_state[f"latent_run_{first}"]),
        )
        choice = controls(names[chosen], store.checkpoint_steps(chosen))
    with right:
        trainer = opened(str(store.folder), chosen, choice["step"])
        _STRIP(data=message(trainer, names[chosen], choice), key="strip")
