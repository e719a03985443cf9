"""A config as the part of a web address after the question mark, and back: `dataset=grid25&lr_g=0.0005`.

A link may come from anywhere, so whatever stands in one is checked: what cannot be used is named and left out, and the rest
is used. A link never names a folder or a file of the machine that it is opened on.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Any

from .config import METAS, GANConfig, refusal
from .errors import ConfigError, DataError
from .points import decode_points

PRIVATE = ("path",)  # settings that are about one machine
NAMES_LIMIT = 200  # names of a link that are looked at; a config has a third of that
WORD_LIMIT = 100  # characters of a value, where the setting itself has no limit
SHOWN = 40  # characters of a name or a value that a sentence repeats
SENTENCES = 12  # what has been left out beyond so many is only counted


def to_query(config: GANConfig, short: bool = True) -> dict[str, str]:
    """Names and values of a link, as text. Images of one's own (`path`) are not in it: see `is_whole`.

    Args:
        short: leave out what is at its default, so that the link means the same only as long as the defaults do.
    """
    values = config.changed() if short else config.model_dump()
    return {name: _text(value) for name, value in values.items() if name not in PRIVATE and value != ""}


def is_whole(config: GANConfig) -> bool:
    """Whether a link can carry everything that the config is about."""
    return not any(getattr(config, name) for name in PRIVATE)


def from_query(query: Mapping[str, Any]) -> tuple[GANConfig, list[str]]:
    """The config that a link means, and a sentence for each thing in it that was left out. Never raises."""
    values, ignored = {}, []
    for k, (name, value) in enumerate(query.items()):
        if k == NAMES_LIMIT:
            ignored.append(f"The link has more than {NAMES_LIMIT} settings; those after them were not read.")
            break
        name = str(name)
        if sentence := _wrong(name, value):
            ignored.append(sentence)
        else:
            values[name] = _last(value)
    config = None
    while config is None:
        try:
            config = GANConfig.parse(values)
        except ConfigError as error:
            name = _culprit(str(error), values)
            ignored.append(f"{name} = {_shown(values.pop(name))} does not go with the rest. {error}")
    if len(ignored) > SENTENCES:
        ignored[SENTENCES:] = [f"{len(ignored) - SENTENCES} more were left out."]
    return config, ignored


def _text(value: Any) -> str:
    if not isinstance(value, float):
        return str(value)
    brief = f"{value:g}"
    return brief if float(brief) == value else repr(value)


def _last(value: Any) -> Any:
    """Of a name that stands in the link several times, the last value."""
    return value[-1] if isinstance(value, list | tuple) and value else value


def _wrong(name: str, value: Any) -> str:
    """Why one setting of a link cannot be used, whatever the others are, or ""."""
    if name in PRIVATE:
        return f"{name} is not taken from a link, which may name no folder or file of this machine. Choose your images again."
    if name not in METAS:
        near = difflib.get_close_matches(name[:SHOWN], METAS, 1)
        return f"There is no setting {_shown(name)}." + (f" Did you mean {near[0]}?" if near else "")
    value = _last(value)
    if not isinstance(value, str | int | float):
        return f"{name} has no value that can be read."
    limit = next((rule.max_length for rule in GANConfig.model_fields[name].metadata if hasattr(rule, "max_length")), WORD_LIMIT)
    if isinstance(value, str) and len(value) > limit:
        return f"{name} = {_shown(value)} is too long: expected at most {limit:,} characters."
    if sentence := refusal(name, value):
        return sentence
    if name == "points":
        try:
            decode_points(value)
        except DataError as error:
            return f"points: {error}"
    return ""


def _culprit(sentence: str, values: Mapping[str, Any]) -> str:
    """Which setting of a link to leave out, where some do not go together: the one that the sentence is about, else one that
    it names, else the last."""
    return next((name for name in re.findall(r"[a-z][a-z_0-9]*", sentence) if name in values), None) or list(values)[-1]


def _shown(value: Any) -> str:
    text = str(_last(value))
    text = text.encode(errors="replace").decode()  # half of a pair of surrogates cannot be shown
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
