"""Small tools for putting pieces of Python code together."""

from __future__ import annotations

import re
from textwrap import indent, wrap


def joined(*parts: str | bool | int | None) -> str:
    """The parts as lines, without those that are empty or false."""
    return "\n".join(part for part in parts if isinstance(part, str) and part)


def indented(text: str, levels: int = 1) -> str:
    """Every line of it so many times four spaces further in."""
    return indent(text, "    " * levels)


def uses(code: str, name: str) -> bool:
    """Whether a name stands in the code, other than as an attribute of something."""
    return re.search(rf"(?<![\w.]){re.escape(name)}\b", code) is not None


def docstring(text: str) -> str:
    """A docstring for a function, wrapped where it is long."""
    if len(text) <= 110:
        return f'"""{text}"""'
    first, *rest = wrap(text, 110)
    return "\n".join([f'"""{first}', *rest, '"""'])


def literal(value: object) -> str:
    """A value as code; text in double quotes where it may stand in them as it is."""
    plain = isinstance(value, str) and value.isprintable() and not set(value) & set('"\\')
    return f'"{value}"' if plain else repr(value)
