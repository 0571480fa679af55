"""Labels: a component's name with options in brackets, as in `consensus(gamma=0.5)`."""

from __future__ import annotations

import re


def split_signature(label: str) -> tuple[str, list[tuple[str, str]]]:
    """The parts of a label, as text. Commas inside brackets and quotes separate nothing.

    Returns:
        The name, and the options as (name, value) in their order; the name is "" where an option has none. A text that
        does not end in brackets is a name without options.
    """
    match = re.fullmatch(r"([^(]+)\((.*)\)", label.strip(), re.DOTALL)
    if match is None:
        return label.strip(), []
    return match[1].strip(), [_option(text) for text in _split(match[2])]


def _option(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    return (name.strip(), value.strip()) if equals else ("", text.strip())


def _split(text: str) -> list[str]:
    """The text between those commas that stand outside brackets and quotes."""
    pieces, start, depth, quote, escaped = [], 0, 0, "", False
    for index, sign in enumerate(text):
        if quote:
            quote = "" if sign == quote and not escaped else quote
            escaped = sign == "\\" and not escaped
        elif sign in "'\"":
            quote = sign
        elif sign == "," and depth == 0:
            pieces.append(text[start:index])
            start = index + 1
        else:
            depth += (sign in "([{") - (sign in ")]}")
    return [piece for piece in [*pieces, text[start:]] if piece.strip()]
