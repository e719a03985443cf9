"""What the lab compares: a set-up that fails and a cure, chosen on its pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from gan_core import DATASETS, GANConfig, PlaygroundError
from gan_core.cures import CURES
from gan_core.data import is_here, load
from gan_core.lab import LAB_CURES, PROBLEMS, Rate, difference, effect, measured
from gan_core.networks import NETWORKS
from gan_core.store import Run, RunStore
from ui import shell
from ui.words import value_in_words

OWN = "own"  # the settings of the run in focus


@dataclass(frozen=True)
class Choice:
    """A comparison: keys of PROBLEMS (or OWN) and CURES, and the two configs."""

    problem: str
    cure: str
    fails: GANConfig
    holds: GANConfig

    @property
    def label(self) -> str:
        return f"{self.problem}/{self.cure}"

    @property
    def names(self) -> tuple[str, str]:
        return "Without", CURES[self.cure].title


def problem_config(problem: str, own: GANConfig | None) -> GANConfig:
    return own if problem == OWN and own is not None else PROBLEMS[problem].config


def cures_for(config: GANConfig) -> list[str]:
    """Cures that change something about a config: those of the lab first."""
    order = [*LAB_CURES, *(name for name in CURES if name not in LAB_CURES)]
    return [name for name in order if CURES[name].apply(config) is not None]


def has_modes(config: GANConfig) -> bool:
    """Whether modes or classes can be counted for a config's data."""
    entry = DATASETS[config.dataset]
    if entry.kind == "images":
        return entry.classes > 0
    return load(config.source).centres is not None


def own_config(store: RunStore, many: bool) -> GANConfig | None:
    """The settings of the run in focus, where the lab can train them; `many`: as members of one trainer."""
    run = shell.focus_run(store)
    return run.config if run is not None and can_be_compared(run.config, many) else None


def can_be_compared(config: GANConfig, many: bool) -> bool:
    """Whether the lab can train a config and count its modes; `many`: as members of one trainer."""
    network = NETWORKS[config.network]
    try:
        return network.adversarial and (network.has_members or not many) and is_here(config.source) and has_modes(config)
    except PlaygroundError:  # its points cannot be read any more
        return False


def choose(columns: Sequence, store: RunStore, runs: list[Run], many: bool) -> Choice:
    """The two menus, in two columns. `runs`: the pair that this tab looks at; `many`: networks that train as members."""
    locked, shown = any(run.is_live for run in runs), pair_label(runs) or ""
    wanted = st.session_state.pop("lab_wanted", None)
    kept = st.session_state.get("lab_changed") and not locked  # what the user has chosen counts
    of_pair = shown.startswith(f"{OWN}/") and not wanted and not kept
    own = runs[0].config.but(seed=0) if of_pair else own_config(store, many)
    problems = [name for name, p in PROBLEMS.items() if is_here(p.config.source)] + ([OWN] if own else [])
    problem, _, cure = (wanted or ("" if kept else shown)).partition("/")
    if problem in problems:
        st.session_state["lab_problem"], st.session_state["lab_cure"] = problem, cure
    if st.session_state.get("lab_problem") not in problems:
        st.session_state["lab_problem"] = problems[0]
    with columns[0]:
        problem = st.selectbox(
            "What fails",
            problems,
            problems.index(st.session_state["lab_problem"]),
            key="lab_problem",
            disabled=locked,
            format_func=_title,
            on_change=_keep,
        )
    config = problem_config(problem, own)
    cures = cures_for(config)
    if st.session_state.get("lab_cure") not in cures:
        st.session_state["lab_cure"] = cures[0]
    with columns[1]:
        cure = st.selectbox(
            "What may help",
            cures,
            cures.index(st.session_state["lab_cure"]),
            key="lab_cure",
            disabled=locked,
            format_func=lambda n: CURES[n].title,
            on_change=_keep,
        )
    return Choice(problem, cure, config, CURES[cure].apply(config))


def _keep() -> None:
    """A menu was used: what is shown is no longer what was asked for."""
    st.session_state["lab_changed"] = True


def _title(problem: str) -> str:
    return "The run in focus, as it is" if problem == OWN else PROBLEMS[problem].title


def explain(choice: Choice) -> None:
    """What fails, what the cure does about it, what changes, and what was measured."""
    told = "The settings of the run in focus." if choice.problem == OWN else PROBLEMS[choice.problem].text
    changed = shell.plain(difference_in_words(choice.fails, choice.holds))
    with st.container(key="explained"):
        st.markdown(f":small[{shell.plain(told)} **{CURES[choice.cure].title}:** {shell.plain(CURES[choice.cure].text)}]")
        st.markdown(f":small[{changed}.  \n**{shell.plain(proof(choice))}**]")


def difference_in_words(one: GANConfig, two: GANConfig) -> str:
    """Settings that differ: "Learning rate: 0.001 → 0.0001"."""
    return ", ".join(
        f"{GANConfig.model_fields[name].title}: {value_in_words(name, a)} → {value_in_words(name, b)}"
        for name, (a, b) in difference(one, two).items()
    )


def proof(choice: Choice) -> str:
    """What the benchmark found, in words."""
    found: dict[str, Any] | None = measured().get("pairs", {}).get(choice.label)
    if found is None:
        return "Not measured beforehand: try it over many seeds."
    before, after = found["before"], found["after"]
    rates = [Rate(arm["successes"], arm["n"], arm["low"], arm["high"]) for arm in (before, after)]
    return f"Measured over {after['n']} seeds: {effect(*rates, before['held'], after['held'])}"


def pair_label(runs: list[Run]) -> str | None:
    """The label of the comparison that two runs belong to."""
    return runs[0].pair.split(":")[1] if len(runs) == 2 and runs[0].pair and runs[0].pair.count(":") == 2 else None


def is_of(choice: Choice, runs: list[Run]) -> bool:
    """Whether two runs are what the menus ask for: the same comparison of the same settings."""
    same = zip(runs, (choice.fails, choice.holds), strict=False)
    return choice.label == pair_label(runs) and not any(difference(run.config, config) for run, config in same)
