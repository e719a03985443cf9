"""The story of a preset: where to look, and when, beside the run that it tells of."""

from __future__ import annotations

from functools import lru_cache

import streamlit as st

from gan_core import GANConfig
from gan_core.presets import preset_of
from ui import shell


@lru_cache(maxsize=256)
def story_of(config: GANConfig) -> tuple[str, str] | None:
    """(title, story) of the preset that a config is of; None for settings of one's own."""
    preset = preset_of(config)
    return (preset.title, preset.story) if preset and preset.story else None


def below_the_board(config: GANConfig) -> None:
    """The story, where the board to paint on stands in the place of the stage, which shows it itself."""
    if told := story_of(config):
        st.markdown(f":small[**{shell.plain(told[0])}.** {shell.plain(told[1])}]")
