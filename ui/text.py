"""Numbers and names as people read them."""

import time
from collections import Counter
from collections.abc import Iterable

from gan_core.store import Run

THIN = "\u202f"


def whole(value: float) -> str:
    """1234567 -> "1 234 567", with thin spaces."""
    return f"{round(value):,}".replace(",", THIN)


def duration(seconds: float) -> str:
    """80 -> "1 m 20 s"."""
    s = round(seconds)
    if s < 60:
        return f"{s}{THIN}s"
    if s < 3600:
        return f"{s // 60}{THIN}m {s % 60}{THIN}s"
    return f"{s // 3600}{THIN}h {s % 3600 // 60}{THIN}m"


def ago(moment: float) -> str:
    """A moment in seconds since 1970 -> "3 m ago"."""
    seconds = max(0.0, time.time() - moment)
    if seconds < 60:
        return "just now"
    if seconds < 3600:
        return f"{int(seconds // 60)}{THIN}m ago"
    if seconds < 86_400:
        return f"{int(seconds // 3600)}{THIN}h ago"
    return time.strftime("%d %b %Y", time.localtime(moment))


def significant(value: float) -> str:
    """A number with the digits that mean something."""
    size = abs(value)
    if value != value:
        return "–"
    if size >= 1000:
        return whole(value)
    if size >= 10:
        return f"{value:.1f}"
    if size >= 0.001 or size == 0:
        return f"{value:.3g}"
    return f"{value:.1e}"


def setting(value) -> str:
    """A config value as in the form: 0.001, 16, ring8."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def told_apart(runs: Iterable[Run]) -> dict[str, str]:
    """Id -> name and time of each run, as menus show it. Streamlit takes the first of two options that read alike, so runs of
    one name and minute also say the end of their id."""
    told = {run.id: f"{run.name} · {time.strftime('%H:%M', time.localtime(run.created))}" for run in runs}
    often = Counter(told.values())
    return {run: f"{text} · {run[-6:]}" if often[text] > 1 else text for run, text in told.items()}
