"""The user's own data: the board on which points are painted, and files that are handed in. The engine judges all of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from gan_core import DataError, PlaygroundError
from gan_core.album import ENDINGS
from gan_core.frames import pack
from gan_core.points import DRAWN_LIMIT, decode_points, encode_points
from gan_core.store import Run
from gan_core.uploads import IMAGES_LIMIT, TABLE_LIMIT, keep_images, read_table
from ui import components, shell
from ui.palette import PALETTE
from ui.text import whole

_BOARD = components.mount("canvas")
Put = Callable[[Any], None]  # puts a value into the form


def is_open(values: dict[str, Any], run: Run | None) -> bool:
    """Whether the board stands on the stage: for a drawing that the run in focus, which is over, was not trained on."""
    return values["dataset"] == "drawn" and not _is_of(run, values["points"])


def awaited(values: dict[str, Any], run: Run | None) -> bool:
    """Whether nothing has been painted or handed in yet, and the stage says so itself: not a mistake, but a beginning."""
    if values["dataset"] == "folder":
        return run is None and not values["path"]
    return is_open(values, run) and not values["points"]


def _is_of(run: Run | None, points: str) -> bool:
    return run is not None and (run.config.dataset, run.config.points) == ("drawn", points)


def board(values: dict[str, Any]) -> None:
    """The board, with the points of the form's `values`. Each stroke puts the whole drawing into them."""
    text, problem = values["points"], ""
    try:
        cells = np.rint((decode_points(text).numpy() + 1) * 127.5).astype(np.uint8) if text else np.zeros((0, 2), np.uint8)
    except DataError as error:
        cells, problem = np.zeros((0, 2), np.uint8), str(error)
    if st.session_state.get("board_text") != text:  # somebody else than the board has changed the drawing
        st.session_state.update(board_text=text, board_revision=str(time.time_ns()))
    header = {
        "made": time.monotonic(),
        "revision": st.session_state["board_revision"],
        "limit": DRAWN_LIMIT,
        "palette": PALETTE,
    }
    _BOARD(data=pack(header, {"cells": cells}), key="board", on_drawn_change=take)
    if problem:
        st.error(shell.plain(problem))


def take() -> None:
    """Put a drawing that has just arrived, as text as `encode_points` writes it, into the form. Again does no harm."""
    text = getattr(st.session_state.get("board"), "drawn", None)
    if not isinstance(text, str):
        return
    with shell.attempt():
        if text:
            decode_points(text)  # refuses what is no drawing
        st.session_state["draft"]["points"] = st.session_state["board_text"] = text


def points_file(points: str, put: Put, run: Run | None, locked: bool) -> None:
    """What stands in the form for the points as text: how many there are, and a file to read them from."""
    try:
        count = len(decode_points(points)) if points else 0
    except DataError:
        count = 0
    if count and (locked or _is_of(run, points)):
        st.caption(f"{whole(count)} points were drawn.")
    if locked:
        return
    if _is_of(run, points):
        st.button(
            "Draw on",
            icon=":material/brush:",
            key="draw_on",
            on_click=shell.set_focus,
            args=(None,),
            help="A fresh start with these points. The run is kept.",
        )
    _file("points", points, put, _read_points, "Points from a file", ["csv", "tsv", "txt", "dat"], False, TABLE_LIMIT)


def images_file(path: str, put: Put, run: Run | None, locked: bool) -> None:
    """Below the path: images that are handed in, whose path is then put there."""
    if not locked:
        kinds = ["zip", *(ending.removeprefix(".") for ending in sorted(ENDINGS))]
        _file("path", path, put, _read_images, "Or upload a zip or images", kinds, True, IMAGES_LIMIT)


def _read_points(files: list[UploadedFile]) -> tuple[str, str]:
    table = read_table(files[0].getvalue())
    return encode_points(table.points), " ".join(table.notes)


def _read_images(files: list[UploadedFile]) -> tuple[str, str]:
    kept = keep_images([(file.name, file.getvalue()) for file in files])
    return str(kept.path), f"{kept.images:,} images were taken."


def _file(
    field: str,
    value: str,
    put: Put,
    read: Callable[[list[UploadedFile]], tuple[str, str]],
    label: str,
    kinds: list[str],
    many: bool,
    limit: int,
) -> None:
    """A place for files, and what became of the last ones, until the field changes otherwise. `limit`: bytes."""
    key = f"file_{field}_{st.session_state.get('files', 0)}"
    st.file_uploader(
        label,
        type=kinds,
        accept_multiple_files=many,
        max_upload_size=limit // 2**20,
        key=key,
        on_change=_handed_in,
        args=(field, key, put, read),
        help=_HELP[field],
    )
    told_of, told_at, good, words = st.session_state.get("file_told", ("", "", True, ""))
    if (told_of, told_at) == (field, value):
        (st.success if good else st.error)(f":small[{shell.plain(words)}]")  # the form is narrow


_HELP = {
    "points": (
        "A CSV file or the like: two numbers on each line, x and y, between them a comma, a semicolon, a tab or spaces. They are "
        f"scaled to fit; of more than {DRAWN_LIMIT:,} points as many are drawn."
    ),
    "path": "One zip file, or several images at once. They are kept in the data folder, where runs find them again.",
}


def _handed_in(field: str, key: str, put: Put, read: Callable[[list[UploadedFile]], tuple[str, str]]) -> None:
    """Files have arrived: what they hold goes into the form, or a sentence says why not."""
    found = st.session_state.get(key)
    files = found if isinstance(found, list) else [found] if found else []
    if not files:
        return
    st.session_state["files"] = st.session_state.get("files", 0) + 1  # a new, empty place: the files are read
    name = files[0].name if len(files) == 1 else f"{len(files)} files"
    try:
        value, words = read(files)
    except PlaygroundError as error:
        st.session_state["file_told"] = field, st.session_state["draft"][field], False, f"{name}: {error}"
        return
    put(value)
    st.session_state["file_told"] = field, value, True, f"{name}: {words}"


GIVEN = {"points": points_file, "path": images_file}  # fields that a file can fill
