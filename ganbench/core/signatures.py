"""Signatures: a component's name with options in brackets, as in `consensus(gamma=0.5)`, or a sum of several."""

from __future__ import annotations

import ast
import re
from typing import Any


def parse_signature(text: str) -> tuple[str, dict[str, Any]]:
    """The name and the options in a signature.

    Values are parsed as literals, without running code. A word without quotes is a string.

    Args:
        text: the signature.

    Raises:
        ValueError: brackets that do not match, an option without a name, an option given twice, or a value that is
            neither a literal nor a word.
    """
    name, given = split_signature(text)
    if name.count("(") != name.count(")") and not _is_path(name):
        raise ValueError("its brackets do not match")
    options: dict[str, Any] = {}
    for key, value in given:
        if not key.isidentifier():
            raise ValueError("every option needs its name")
        if key in options:
            raise ValueError(f"option {key!r} stands there twice")
        try:
            options[key] = ast.literal_eval(value)
        except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
            if not value.isidentifier():
                raise ValueError(f"{key} is {value!r}, which is no number or word") from None
            options[key] = value
    return name, options


def split_signature(text: str) -> tuple[str, list[tuple[str, str]]]:
    """The parts of a signature as text. Commas inside brackets and quotes do not separate options.

    Args:
        text: the signature. A text that does not end in brackets, or a sum, is a name without options.

    Returns:
        The name, and the options as (name, value) in their order. The name of an option is "" if it has no name.
    """
    match = re.fullmatch(r"([^(]+)\((.*)\)", text.strip(), re.DOTALL)
    if match is None or len(split_sum(text)) > 1:
        return text.strip(), []
    return match[1].strip(), [_option(piece) for piece in _split(match[2], ",") if piece.strip()]


def split_sum(text: str) -> list[str]:
    """The signatures in a sum such as `r1(gamma=10) + r2`: pluses with blanks around them, outside brackets and quotes.

    Args:
        text: the sum; a single signature is a sum of one.
    """
    return [piece.strip() for piece in _split(text, " + ")]


def read_sum(text: str) -> list[str]:
    """The signatures in a sum as somebody writes it, where blanks may be missing: `r1+r2`. Paths of files stay whole.

    Args:
        text: the sum; a single signature is a sum of one. Nothing before, between or after pluses is an empty part.
    """
    pieces = _split(f" {text.strip()} ", " + ")
    return [part.strip() for piece in pieces for part in ([piece] if _is_path(piece) else _split(piece, "+"))]


def _is_path(text: str) -> bool:
    name = re.sub(r"\(.*\)", "", text).strip()
    return "/" in name or "\\" in name or name.endswith(".py")


def without_options(signature: str) -> str:
    """The names in a signature or in a sum of several, without their options: `r1 + r2`."""
    return " + ".join(split_signature(each)[0].partition("(")[0] for each in split_sum(signature))


def _option(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    return (name.strip(), value.strip()) if equals else ("", text.strip())


def _split(text: str, separator: str) -> list[str]:
    """The parts of a text between separators outside brackets and quotes."""
    pieces, start, depth, quote, escaped = [], 0, 0, "", False
    for index, sign in enumerate(text):
        if quote:
            quote = "" if sign == quote and not escaped else quote
            escaped = sign == "\\" and not escaped
        elif sign in "'\"":
            quote = sign
        elif depth == 0 and index >= start and text.startswith(separator, index):
            pieces.append(text[start:index])
            start = index + len(separator)
        else:
            depth += (sign in "([{") - (sign in ")]}")
    return [*pieces, text[start:]]
