"""Settings of whoever runs the server: numbers in environment variables."""

from __future__ import annotations

import math
import os

from .errors import RunError

GB = 1e9
LEAST_FREE = 0.2 * GB  # of a volume: with less than that, nothing new begins


def number(name: str, usual: float, what: str) -> float:
    """A number above 0 that an environment variable names, or the usual one.

    Args:
        what: what the number is, for the message.

    Raises:
        RunError: it is no number above 0.
    """
    text = os.environ.get(name, "")
    value = usual
    if text:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
    if not 0 < value < math.inf:
        raise RunError(f"{name} = {text[:40]} is not usable: expected {what}, a number above 0, for example {usual:g}.")
    return value
