"""Settings in words."""

from __future__ import annotations

from typing import Any

from gan_core import GANConfig
from gan_core.config import METAS
from ui.text import setting


def changes_in_words(changes: dict[str, Any]) -> str:
    """Settings and their new values: "Penalty: R1 + R2, Penalty weight: 0.1"."""
    return ", ".join(f"{GANConfig.model_fields[name].title}: {value_in_words(name, value)}" for name, value in changes.items())


def value_in_words(name: str, value: Any) -> str:
    """A setting's value as the form shows it."""
    choices = METAS[name].choices
    return choices[value].title if choices else setting(value)
