"""The latent of a given sample: what to look for, the search, and what it found."""

from __future__ import annotations

import base64
import hashlib
import math
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import streamlit as st
import torch
from torch import Tensor

from gan_core import DataError
from gan_core.album import ENDINGS, UPLOAD_LIMIT, Fitted, fit_image
from gan_core.draws import seeded
from gan_core.explorer import Inversion
from gan_core.frames import extent, pack, png_grid
from gan_core.latents import LATENTS
from ui import components, shell
from ui.latent.choice import Field, Form, real, whole, word
from ui.latent.searches import SEARCHES, Gentle, Search
from ui.latent.spots import written
from ui.latent.tool import Answer, Ask, Tool
from ui.palette import PALETTE
from ui.text import significant

LETTERS = ("a", "b", "c", "d")  # fields that a found latent can go into
POINTS = 600  # of a cloud
ABOUT = 1.2  # times the least error counts as about as near
FAR = 1000.0  # no point of any data set lies further out
STATES = {
    "waiting": "Waiting for other searches",
    "searching": "Searching",
    "done": "Found",
    "stopped": "Stopped",
    "failed": "Failed",
}


def _hex(text: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{16}", text):
        raise ValueError(f"“{text[:40]}” is unknown: expected 16 hexadecimal digits.")
    return text


KEY = Field("", _hex)  # of a picture that is kept with the run, or of what was asked
FIELDS = {
    "target": word("data", ("data", "image", "drawing", "place")),
    "item": whole(0, 0, 10**9),
    "image": KEY,
    "drawing": KEY,
    "px": real(0.0, -FAR, FAR),
    "py": real(0.0, -FAR, FAR),
    "starts": word(8, (1, 4, 8, 16, 32)),
    "descent": word(300, (100, 300, 1000)),
    "any": word("no", ("no", "yes")),
    "stay": word("yes", ("yes", "no")),
    "sought": KEY,  # a search begins by itself where its question is this one: it ends as it ended here
}
GONE = "The picture that the link names is not kept here any more. Hand in another one."
_PAPER = components.mount("paper")


@dataclass
class Finding:
    """What of this tool no address holds: the tab that searches, and what was handed in, as it was, for other runs."""

    tab: str = field(default_factory=lambda: secrets.token_hex(8))
    file: tuple[str, bytes] | None = None  # name and content
    problem: str = ""  # of the last file
    files: int = 0
    drawing: bytes = b""  # of a square, grey, row by row
    followed: bool = False  # whether a link has begun a search


def _mine(ask: Ask) -> Finding:
    return ask.values.setdefault("finding", Finding())


def controls(form: Form, ask: Ask) -> bool:
    mine = _mine(ask)
    images = len(ask.explorer.shape) == 3
    sources = {"data": "Data set", "image": "Upload", "drawing": "Draw"} if images else {"data": "Data set", "place": "Place"}
    form.segments("target", "Look for", sources, "What the generator shall make. The search finds the noise of which it does.")
    source = _source(ask)
    if source == "data":
        last = len(ask.explorer.data.x) - 1
        what = "Image" if images else "Point"
        form.number("item", f"{what} of the data, 0 to {last}", 0, last, "Its number in the data set this run was trained on.")
    elif source == "place":
        left, right = st.columns(2)
        with left:
            form.number("px", "x", -FAR, FAR, "The place that the generator shall hit.")
        with right:
            form.number("py", "y", -FAR, FAR, "The place that the generator shall hit.")
    elif source == "image":
        _upload(mine, ask)
    else:
        _draw(mine, ask)
    form.segments(
        "starts",
        "Starts",
        {n: str(n) for n in (1, 4, 8, 16, 32)},
        "The search goes downhill, and may end in a hollow that is not the deepest. From several starts it finds a better one.",
    )
    form.segments("descent", "Steps", {n: str(n) for n in (100, 300, 1000)}, "How far each start goes. More take longer.")
    if usual_lengths(ask) is not None:
        form.segments(
            "stay",
            "Where to look",
            {"yes": "Where noise lies", "no": "Anywhere"},
            "Nearly all noise vectors are about equally long. Anywhere, the search may come nearer, but at noise on which the "
            "generator was never trained.",
        )
    if ask.explorer.classes and ask.space == "z":
        words = {"no": "The chosen one", "yes": "Any"}
        form.segments("any", "Class to look in", words, "With any class, the starts are spread over all of them.")
    search = _search(ask)
    if search is None and not _mine(ask).followed and _was_sought(ask) and SEARCHES.has_room:
        _mine(ask).followed = True  # a link to what a search found; later ones are for the button
        _begin(ask)
        search = _search(ask)
    live = search is not None and search.is_live  # once: it may end while this is drawn
    if live:
        st.button(
            "Stop", icon=":material/stop:", key="find_stop", on_click=search.stop, help="Ends it with what there is so far."
        )
    else:
        st.button(
            "Find",
            icon=":material/search:",
            type="primary",
            key="find_start",
            on_click=_begin,
            args=(ask,),
            disabled=target(ask) is None,
            help="Starts the search. It goes on while you look at something else on this page.",
        )
    found = search.found if search is not None and not live else None
    st.caption("Go on from it with the other tools: use it as")
    with st.container(horizontal=True):
        for letter in LETTERS:
            st.button(
                letter.upper(),
                key=f"find_use_{letter}",
                disabled=found is None,
                on_click=_use,
                args=(form, ask, found, letter),
                help=f"Puts the latent that was found into the field {letter.upper()}.",
            )
    if letters := [letter for letter in LETTERS if found is not None and ask.values[letter] == written(found.latent)]:
        names = " and ".join(letter.upper() for letter in letters)
        st.caption(f":material/check: {names} {'is' if len(letters) == 1 else 'are'} now what was found. Choose another tool.")
    return live


def usual_lengths(ask: Ask) -> tuple[float, float] | None:
    """Between which lengths noise vectors usually lie; None where their length tells little."""
    lengths = LATENTS[ask.explorer.config.latent].lengths
    return None if lengths is None or ask.space == "w" else lengths(ask.explorer.config.latent_dim)


def _use(form: Form, ask: Ask, found: Inversion, letter: str) -> None:
    """A found latent becomes a spot, seen as it was found: in its space, with its class, not truncated."""
    changes: dict[str, Any] = {letter: written(found.latent), "space": ask.space, "psi": 1.0}
    if found.label is not None and ask.space == "z":
        changes["label"] = found.label
    form.put(changes)


# What to look for


def _source(ask: Ask) -> str:
    chosen, images = ask.values["target"], len(ask.explorer.shape) == 3
    return chosen if chosen in (("data", "image", "drawing") if images else ("data", "place")) else "data"


def target(ask: Ask) -> Tensor | None:
    """What is looked for, in the shape of a sample; None where it has not been handed in yet."""
    source, shape = _source(ask), ask.explorer.shape
    if source == "data":
        x = ask.explorer.data.x
        return x[min(ask.values["item"], len(x) - 1)].cpu()
    if source == "place":
        return torch.tensor([ask.values["px"], ask.values["py"]])
    pixels = _kept(ask, source)
    if pixels is None or (source == "drawing" and not pixels.any()):
        return None
    return torch.from_numpy(pixels.astype(np.float32)).reshape(shape) / 127.5 - 1


def _kept(ask: Ask, source: str) -> np.ndarray | None:
    """The bytes (C * H * W,) of the picture that was handed in as an "image" or a "drawing"."""
    pixels = ask.store.picture(ask.run, ask.values[source]) if ask.values[source] else None
    return pixels if pixels is not None and len(pixels) == math.prod(ask.explorer.shape) else None


def _keep(ask: Ask, source: str, pixels: Tensor) -> None:
    """A picture (C, H, W) in [-1, 1] is what is looked for. It is kept with the run, so that the address can name it."""
    ask.values[source] = ask.store.put_picture(ask.run, ((pixels + 1) * 127.5).round().clamp(0, 255).byte().numpy())


@lru_cache(maxsize=4)
def _fit(content: bytes, size: int, channels: int) -> Fitted:
    return fit_image(content, size, channels)


def drawn(ask: Ask, drawing: bytes) -> Tensor:
    """A drawing in the shape of a sample."""
    shape, side = ask.explorer.shape, round(len(drawing) ** 0.5)
    pixels = torch.from_numpy(np.frombuffer(drawing, np.uint8).astype(np.float32)).reshape(1, 1, side, side) / 127.5 - 1
    if side != shape[1]:  # drawn for another run
        pixels = torch.nn.functional.interpolate(pixels, shape[1:], mode="bilinear", antialias=True)
    return pixels[0].expand(shape)


def _upload(mine: Finding, ask: Ask) -> None:
    key, (channels, size, _) = f"find_file_{mine.files}", ask.explorer.shape
    st.file_uploader(
        "An image",
        type=[ending.removeprefix(".") for ending in sorted(ENDINGS)],
        max_upload_size=UPLOAD_LIMIT // 2**20,
        key=key,
        on_change=_handed_in,
        args=(mine, ask, key),
        help="Its middle square is scaled to the size of the generator's images. That small copy is kept with the run, so that a "
        "link to this page shows it.",
    )
    if mine.file and _kept(ask, "image") is None:  # another run's
        with shell.attempt():
            _keep(ask, "image", _fit(mine.file[1], size, channels).pixels)
    if mine.problem:
        st.error(f":small[{shell.plain(mine.problem)}]")  # the form is narrow
    elif mine.file:
        notes = _fit(mine.file[1], size, channels).notes
        st.caption(shell.plain(f"{mine.file[0]}: {' '.join(notes) or 'taken as it is.'}"))
    elif ask.values["image"] and _kept(ask, "image") is None:
        st.caption(GONE)


def _handed_in(mine: Finding, ask: Ask, key: str) -> None:
    """A file has arrived: it is what is looked for, or a sentence says why not."""
    file = st.session_state.get(key)
    if file is None:
        return
    mine.files += 1  # a new, empty place: the file is read
    channels, size, _ = ask.explorer.shape
    mine.file, mine.problem, ask.values["image"] = None, "", ""
    try:
        fitted = _fit(file.getvalue(), size, channels)
    except DataError as error:
        mine.problem = f"{file.name}: {error}"
        return
    mine.file = file.name, file.getvalue()
    with shell.attempt():
        _keep(ask, "image", fitted.pixels)


def _draw(mine: Finding, ask: Ask) -> None:
    channels, size, _ = ask.explorer.shape
    if any(mine.drawing) and _kept(ask, "drawing") is None:  # another run's
        with shell.attempt():
            _keep(ask, "drawing", drawn(ask, mine.drawing))
    pixels = _kept(ask, "drawing")
    if pixels is None and ask.values["drawing"]:
        st.caption(GONE)
    grey = np.zeros(size * size, np.uint8) if pixels is None else pixels[: size * size]
    _PAPER(
        data=pack({"size": size, "palette": PALETTE}, {"pixels": grey}),
        key=f"find_paper_{size}",
        on_drawn_change=lambda: _take_drawing(mine, ask),
    )


def _take_drawing(mine: Finding, ask: Ask) -> None:
    """Take over a drawing that has just arrived: base64 of its values, row by row."""
    size = ask.explorer.shape[1]
    text = getattr(st.session_state.get(f"find_paper_{size}"), "drawn", None)
    try:
        content = base64.b64decode(text, validate=True)
    except (TypeError, ValueError):
        return
    if len(content) != size * size:
        return
    mine.drawing, ask.values["drawing"] = content, ""
    if any(content):
        with shell.attempt():
            _keep(ask, "drawing", drawn(ask, content))


# The search


def _key(ask: Ask, wanted: Tensor) -> str:
    """What is asked."""
    values = ask.values
    label = ask.label if values["any"] == "no" else "any"
    names = ("step", "member", "weights", "starts", "descent", "stay")
    asked = (ask.run, ask.space, label, *(values[name] for name in names))
    return hashlib.blake2b(repr(asked).encode() + wanted.contiguous().numpy().tobytes(), digest_size=8).hexdigest()


def _search(ask: Ask) -> Search | None:
    wanted = target(ask)
    return SEARCHES.get(_mine(ask).tab, "" if wanted is None else _key(ask, wanted))


def _was_sought(ask: Ask) -> bool:
    """Whether the address says that this has been searched for."""
    wanted = target(ask)
    return wanted is not None and ask.values["sought"] == _key(ask, wanted)


def _begin(ask: Ask) -> None:
    wanted = target(ask)
    if wanted is None:
        return
    explorer, space, values = ask.explorer, ask.space, dict(ask.values)
    label = None if values["any"] == "yes" or space == "w" else ask.label

    def work(progress: Callable[[float, float], None], stop: Callable[[], bool]) -> Inversion:
        gentle = Gentle(lambda: bool(ask.store.runs(("running",), limit=1, kind=None)))

        def told(share: float, least: float) -> None:
            progress(share, least)
            gentle.rest()

        return explorer.invert(
            wanted,
            space,
            starts=values["starts"],
            steps=values["descent"],
            label=label,
            stay=values["stay"] == "yes",
            progress=told,
            stop=stop,
        )

    with shell.attempt():
        SEARCHES.start(_mine(ask).tab, _key(ask, wanted), work)
        ask.values["sought"] = _key(ask, wanted)


def busy(ask: Ask) -> bool:
    """Whether the answer is still on its way."""
    search = _search(ask)
    return search is not None and search.is_live


# What the view draws


def answer(ask: Ask) -> Answer:
    wanted, search, explorer = target(ask), _search(ask), ask.explorer
    images = len(explorer.shape) == 3
    header: dict[str, Any] = {"kind": "images" if images else "points", "unit": " %" if images else "", "state": "none"}
    header |= {
        "label": "Ready" if wanted is not None else "Nothing to look for yet",
        "share": 0.0,
        "caption": _waiting(ask, wanted),
    }
    arrays: dict[str, np.ndarray | bytes] = {"course": np.zeros(0, np.float32)}
    if not images:
        arrays |= _clouds(ask)
        header |= {"extent": extent(explorer.data), "step": ask.step}
    key = "none" if wanted is None else _key(ask, wanted)
    if wanted is not None:
        arrays["target"] = png_grid(wanted[None], 1) if images else wanted.numpy()
        header["size"] = wanted.shape[-1]
    if search is not None:
        search.look()
        state = search.state  # before what it found
        header |= {"state": state, "label": STATES[state], "share": search.share}
        header["caption"] = search.problem or f"Searching from {ask.values['starts']} starts."
        arrays["course"] = _off(np.array(search.course, np.float32), images)
        if search.found is not None and not search.is_live:
            key += "!"
            _tell(search, search.found, wanted, header, arrays)
            if usual := usual_lengths(ask):
                length = float(search.found.latent.norm())
                header["caption"] += f" Its noise vector is {length:.1f} long; usual is {usual[0]:.1f} to {usual[1]:.1f}."
        elif state == "stopped":
            header["caption"] = "It was stopped before its first step."
    return {**header, "key": f"{key}{ask.step if not images else ''}"}, arrays


def _off(errors: np.ndarray, images: bool) -> np.ndarray:
    """Mean squared differences (N,) as % of the way from black to white, or as distances of points."""
    return np.sqrt(errors) * 50 if images else np.sqrt(2 * errors)


def _waiting(ask: Ask, wanted: Tensor | None) -> str:
    if wanted is not None:
        return "Press Find: the noise is sought of which the generator makes this, as nearly as it can."
    if _source(ask) == "drawing":
        return "Draw on the black square with the mouse, a pen or a finger."
    return "Upload an image that the generator shall make."


def _tell(search: Search, found: Inversion, wanted: Tensor, header: dict[str, Any], arrays: dict) -> None:
    """What was found: pictures, errors, and a sentence."""
    order = found.errors.argsort()
    errors = arrays["errors"] = _off(found.errors[order].numpy(), wanted.dim() > 1)
    taken = f"{found.steps} steps, {search.seconds:.1f} s"
    if wanted.dim() == 1:
        arrays["made"] = found.reconstruction.numpy()
        header["caption"] = f"The generator comes as near as {significant(float(errors[0]))} to the place ({taken})."
    else:
        apart = (found.reconstruction - wanted).abs().mean(0)  # (H, W)
        most = float(apart.max())
        arrays["made"] = png_grid(found.reconstruction[None].clamp(-1, 1), 1)
        arrays["apart"] = (apart / max(most, 1e-6) * 255).round().byte().numpy()
        header["most"] = most
        header["caption"] = (
            f"A pixel is off by {significant(float(errors[0]))} % of the way from black to white, as a root mean square "
            f"({taken})."
        )
    others, near = len(errors) - 1, int((errors <= ABOUT * errors[0]).sum()) - 1
    if others:
        how_many = {0: "none", others: "all"}.get(near, near)
        header["caption"] += f" Of the {others} other starts {how_many} ended about as near."
    if found.label is not None:
        header["caption"] += f" It was made as class {found.label}."


def _clouds(ask: Ask) -> dict[str, np.ndarray]:
    """Generated and real points (N, 2)."""
    explorer = ask.explorer
    rows = torch.randint(len(explorer.data.x), (POINTS,), generator=seeded(0, "view"))
    fake = explorer.images(explorer.sample(POINTS, seed=1), labels=ask.labels(POINTS))
    return {"fake": fake.numpy(), "real": explorer.data.x[rows].cpu().numpy()}


FIND = Tool(
    "Find",
    "The noise of which the generator makes an image of yours, or one of the data.",
    "find",
    FIELDS,
    controls,
    answer,
    busy=busy,
    without=("psi",),
    seen=("found",),
)
