"""What the latent page shows, as values of this tab and as text in the address."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ui.latent.spots import spot

LAST = -1  # a step: the last one


@dataclass(frozen=True)
class Field:
    """A value. `read(text)` raises ValueError where a text is none."""

    default: Any
    read: Callable[[str], Any]

    def write(self, value: Any) -> str:
        return f"{value:g}" if isinstance(value, float) else str(int(value) if isinstance(value, bool) else value)


def whole(default: int, low: int, high: int) -> Field:
    return _number(default, low, high, int)


def real(default: float, low: float, high: float) -> Field:
    return _number(default, low, high, float)


def _number(default: float, low: float, high: float, kind: type) -> Field:
    def read(text: str) -> float:
        value = kind(text[:20])
        if not low <= value <= high:  # nor nan
            raise ValueError(f"{value} is out of range: expected {low} to {high}.")
        return value

    return Field(default, read)


def word(default: Any, options: Mapping[Any, Any] | tuple) -> Field:
    """One of some options, known by their texts."""
    texts = {str(option): option for option in options}

    def read(text: str) -> Any:
        if text not in texts:
            raise ValueError(f"“{text[:40]}” is unknown: expected one of {', '.join(texts)}.")
        return texts[text]

    return Field(default, read)


def place(seed: int) -> Field:
    """A spot, see `ui.latent.spots`."""
    return Field(str(seed), spot)


def read(query: Mapping[str, str], fields: Mapping[str, Field]) -> tuple[dict[str, Any], list[str]]:
    """Values of a query, defaults for the rest, and a sentence about each that could not be used."""
    values, ignored = {name: field.default for name, field in fields.items()}, []
    for name in fields.keys() & query.keys():
        try:
            values[name] = fields[name].read(query[name])
        except ValueError as error:
            ignored.append(f"{name}: {error}")
    return values, ignored


def write(values: Mapping[str, Any], fields: Mapping[str, Field]) -> dict[str, str]:
    """A query that leaves out what is at its default."""
    return {name: field.write(values[name]) for name, field in fields.items() if values[name] != field.default}


COMMON = {
    "step": whole(LAST, LAST, 10**9),
    "member": whole(0, 0, 10**4),
    "weights": word("ema", ("ema", "raw")),
    "space": word("z", ("z", "w")),
    "label": whole(0, 0, 10**4),
    "psi": real(1.0, 0.0, 2.0),
}


def arrive(fields: Mapping[str, Field], page: str = "latent") -> dict[str, Any]:
    """The values of a page in this tab: those of the link that it was opened with, once; then what was chosen."""
    if page not in st.session_state:
        link = st.session_state.get("arrived") or {}
        values, ignored = read(link, fields)
        st.session_state.update({page: values, f"{page}_left_out": ignored})
        if fields.keys() & link.keys():
            st.session_state["arrived"] = {}  # it was meant for this page
    return st.session_state[page]


class Form:
    """Widgets whose values are those of this tab, by the names of their fields."""

    def __init__(self, values: dict[str, Any], fields: Mapping[str, Field], page: str = "latent"):
        self.values, self.fields, self.page = values, fields, page
        self.spots: dict[str, str] = {}  # names and labels of the fields for spots that were drawn
        self.below: DeltaGenerator | None = None  # room under them

    def _shown(self, name: str, value: Any) -> dict[str, Any]:
        """What binds a widget to its value, which is to be its default too.

        A run of the page that is overtaken by the next one reaches the browser in part or not at all. Without a default a
        new widget would then be empty, and say so at the next click; and one whose value came from elsewhere would say the
        old one, which does not count until a run has come to its end.
        """
        key = f"{self.page}_{name}"
        before = st.session_state.get(key, value)
        if before != value:  # only then: what is being typed is not to be overwritten
            st.session_state[key] = value
            self._untold().setdefault(key, before)
        return {"key": key, "on_change": self._taken(name, key)}

    def _untold(self) -> dict[str, Any]:
        """What the browser may still show for a value that came from elsewhere, by the widget's key."""
        return st.session_state.setdefault(f"{self.page}_untold", {})

    def told(self) -> None:
        """The run of the page has come to its end: the browser shows what was put."""
        self._untold().clear()

    def _taken(self, name: str, key: str) -> Callable[[], None]:
        """Takes over what a widget says."""

        def take() -> None:
            value, untold = st.session_state[key], self._untold()
            if value is None or (key in untold and untold[key] == value):
                return
            if isinstance(value, str):  # typed, or one of some words
                try:
                    value = self.fields[name].read(value)
                except ValueError as error:
                    st.session_state["notice"] = str(error)
                    return
            self.values[name] = value

        return take

    def put(self, changes: Mapping[str, Any]) -> None:
        """Values that come from elsewhere, before the widgets are drawn."""
        self.values.update(changes)

    def segments(self, name: str, label: str, options: Mapping[Any, str], help: str) -> None:
        value = self.values[name] if self.values[name] in options else next(iter(options))
        shown = self._shown(name, value)
        st.segmented_control(label, list(options), default=value, required=True, format_func=options.get, help=help, **shown)

    def choose(self, name: str, label: str, options: Mapping[Any, str], help: str) -> None:
        value = self.values[name] if self.values[name] in options else next(iter(options))
        at = list(options).index(value)
        st.selectbox(label, list(options), at, format_func=options.get, help=help, **self._shown(name, value))

    def slide(self, name: str, label: str, low: float, high: float, step: float, help: str) -> None:
        value = min(max(self.values[name], low), high)
        st.slider(label, low, high, value, step, help=help, **self._shown(name, value))

    def number(self, name: str, label: str, low: float, high: float, help: str) -> None:
        """Whole where the ends are."""
        value = min(max(self.values[name], low), high)
        st.number_input(label, low, high, value, help=help, **self._shown(name, value))

    def places(self, names: tuple[str, ...], labels: tuple[str, ...]) -> None:
        """Fields for spots, two in a row, and room under them for `ui.latent.picker`."""
        columns = [column for _ in names[::2] for column in st.columns(2)]  # row by row, also where they stand below each other
        for name, label, column in zip(names, labels, columns[: len(names)], strict=True):
            value = self.values[name]
            column.text_input(label, value, 4000, help=_PLACE, **self._shown(name, value))
        self.spots |= dict(zip(names, labels, strict=True))
        self.below = st.container()


_PLACE = (
    "A seed stands for one noise vector. Sums work too: 1,2-3,4+5 is the mean of the noise of seeds 1 and 2, less that of 3 and "
    "4, plus that of 5."
)
