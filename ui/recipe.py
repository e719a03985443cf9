"""The recipe: a form made from the config's metadata, and the draft that it edits.

The draft lives in the session, not in the widgets, because Streamlit forgets a widget's value when another page is shown.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import streamlit as st

from gan_core import DATASETS, NETWORKS, PENALTIES, PRESETS, ConfigError, GANConfig, PlaygroundError, Runner
from gan_core.config import GROUPS, METAS, Meta, limits
from gan_core.store import RESUMABLE, Run
from gan_core.trainer import check_trainable
from ui import drawing, shell
from ui.text import setting


def draft() -> dict[str, Any]:
    """The values in the form, which need not fit together. A first GAN to begin with."""
    return st.session_state.setdefault("draft", PRESETS["ring"].config.model_dump())


def load(config: GANConfig) -> None:
    """Put a config into the form. Only before the form is drawn, so from a callback or at the top of a page."""
    st.session_state["draft"] = config.model_dump()
    st.session_state["touched"] = set()
    # new keys make new widgets, which start from the draft; the values of existing ones cannot be taken back
    st.session_state["form_version"] = st.session_state.get("form_version", 0) + 1


def config() -> GANConfig:
    """The draft as a config.

    Raises:
        ConfigError: its values are out of range or do not fit together.
    """
    values = draft()
    return GANConfig.parse({name: _kept(name, values) for name in METAS})


def _kept(name: str, values: dict[str, Any]) -> Any:
    """The draft's value, or the default where the field is not shown: what is not seen must have no effect."""
    return values[name] if _applies(name, values) else GANConfig.model_fields[name].default


def _applies(name: str, values: dict[str, Any]) -> bool:
    return METAS[name].applies(GANConfig.model_construct(**values))


def may_go_on(run: Run) -> bool:
    """Whether an ended run can be resumed. One that failed before its first step cannot: its settings are free again."""
    return run.status in RESUMABLE and not (run.status == "failed" and run.step == 0)


def is_locked(run: Run | None) -> bool:
    """Whether the form is about a run that may go on, so that what it is made of stays as it is."""
    return run is not None and (run.is_live or may_go_on(run))


def form(runner: Runner, run: Run | None) -> None:
    """Every field, grouped; those that cannot change any more in a run that may go on are locked."""
    live = is_locked(run)
    values = draft()
    for group in GROUPS:
        names = [n for n, m in METAS.items() if m.group == group and _applies(n, values)]
        first = [n for n in names if METAS[n].primary]
        rest = [n for n in names if not METAS[n].primary]
        if first:
            st.markdown(f"**{group}**")
        for name in first:
            _widget(name, runner, run, live)
        if rest:
            with st.expander(f"More: {group.lower()}" if first else group, key=f"more_{group}"):
                for name in rest:
                    _widget(name, runner, run, live)


def _widget(name: str, runner: Runner, run: Run | None, live: bool) -> None:
    field, meta = GANConfig.model_fields[name], METAS[name]
    help = f"{field.description}  \n:small[{_about(meta, draft()[name])}]"
    key, value = _key(name), draft()[name]
    common = {
        "label": field.title,
        "key": key,
        "help": help,
        "disabled": live and not meta.live,
        "on_change": _changed,
        "args": (name, key, runner, run.id if live and run.is_live else None),
    }
    # The draft is each widget's default, and never set through the session: what Streamlit takes for a change when it
    # has lost a widget's value is then the draft's own value.
    if meta.choices is not None:
        options = list(meta.choices)
        st.selectbox(
            options=options,
            index=options.index(value) if value in options else 0,
            format_func=lambda v: getattr(meta.choices.get(v), "title", v),
            **common,
        )
        return
    if field.annotation is str:
        if meta.typed:
            st.text_input(value=value, max_chars=next(m.max_length for m in field.metadata if hasattr(m, "max_length")), **common)
        if name in drawing.GIVEN:
            drawing.GIVEN[name](value, partial(_put, name), run, common["disabled"])
        return
    low, high = limits(name)
    if field.annotation is int:
        st.number_input(value=int(value), min_value=int(low), max_value=int(high), step=_whole_step(name), **common)
    else:
        st.number_input(
            value=float(value),
            min_value=float(low),
            max_value=float(high),
            step=1e-4 if meta.scientific else 0.01,
            format="%.2g" if meta.scientific else "%g",
            **common,
        )


def _about(meta: Meta, value: Any) -> str:
    """What a setting does, when to use it and where it comes from; for a choice, what the chosen entry says of itself."""
    entry = meta.choices.get(value) if meta.choices else None
    told = entry if getattr(entry, "text", "") else meta
    words = [getattr(told, part, "").rstrip(".") for part in ("text", "formula", "use", "source")]
    return shell.plain(" · ".join(word for word in words if word) or meta.source)


def _key(name: str) -> str:
    return f"field_{name}_{st.session_state.get('form_version', 0)}_{st.session_state.get('renewed', {}).get(name, 0)}"


def _put(name: str, value: Any) -> None:
    """A value into the form that follows from another field. A new key makes a new widget, which starts from the draft."""
    draft()[name] = value
    renewed = st.session_state.setdefault("renewed", {})
    renewed[name] = renewed.get(name, 0) + 1


def _whole_step(name: str) -> int:
    return {"steps": 1000, "image_size": 4, "width": 16, "batch_size": 32}.get(name, 1)


def _changed(name: str, key: str, runner: Runner, run: str | None) -> None:
    """A widget changed: into the draft, and to the run if it is live."""
    if key != _key(name):
        return  # a widget of an older form, which Streamlit reports as changed when it is taken away
    before, value = dict(draft()), st.session_state[key]
    if value == before[name]:
        return
    changes = {**_that_follow(name, value), name: value}
    draft().update(changes)
    if run is None:
        st.session_state.setdefault("touched", set()).update(changes)
    else:
        try:
            runner.send(run, "set", changes)
        except PlaygroundError as error:
            st.session_state["notice"] = str(error)
            for changed in changes:  # the form goes on to show what the run does
                _put(changed, before[changed])
            return
        drafted = st.session_state.get("drafted")
        if drafted:  # the form already shows what the run is about to become
            st.session_state["drafted"] = drafted[0], drafted[1].but(**changes)
        st.toast(f"{GANConfig.model_fields[name].title}: {_shown(name, before[name])} → {_shown(name, value)}")
    for changed in changes:
        if changed != name:
            _put(changed, changes[changed])


def _that_follow(name: str, value: Any) -> dict[str, Any]:
    """What else changes with a setting: a penalty brings its usual weight, and what is not shown any more has no effect."""
    before, after = draft(), {**draft(), name: value}
    changes = {
        other: GANConfig.model_fields[other].default
        for other, meta in METAS.items()
        if meta.live and _applies(other, before) and not _applies(other, after)
    }
    changes = {other: usual for other, usual in changes.items() if usual != before[other]}
    if name == "dataset" and DATASETS[value].kind == "points" and NETWORKS[before["network"]].images_only:
        changes["network"] = "mlp"
    if name == "penalty" and value != "none":
        points = DATASETS[before["dataset"]].kind == "points"
        changes["penalty_weight"] = PENALTIES[value].weight_points if points else PENALTIES[value].weight
    return changes


def _shown(name: str, value: Any) -> str:
    choices = METAS[name].choices
    return choices[value].title if choices else setting(value)


def touched() -> dict[str, Any]:
    """What was set in this form since it was loaded, among the settings that may change in a run that has begun."""
    values = draft()  # also of a field that has no effect any more: it may have to be taken back
    return {name: _kept(name, values) for name in st.session_state.get("touched", set()) if METAS[name].live}


def problem() -> str:
    """Why the draft cannot be trained here, or ""."""
    try:
        check_trainable([config()])
    except ConfigError as error:
        return str(error)
    return ""
