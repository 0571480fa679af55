"""Exceptions out of members' files, told in two lines: file, line and error; what the contract wants."""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from pathlib import Path

from ganbench.core.display import visible
from ganbench.core.errors import GanbenchError

LONGEST_MESSAGE = 300  # characters of an exception's own words


def described(error: BaseException) -> str:
    """The kind of an exception and the first line of its words: "ValueError: too wide"."""
    try:
        text = str(error).strip().split("\n")[0]
    except Exception:  # of an exception whose words are a member's own code
        text = ""
    text = visible(text if len(text) <= LONGEST_MESSAGE else f"{text[:LONGEST_MESSAGE]} ...").rstrip(".")
    notes = "".join(f", {note}" for note in getattr(error, "__notes__", ()))
    return text if isinstance(error, GanbenchError) else f"{type(error).__name__}{text and ': ' + text}{notes}"


def line_of(error: BaseException, files: Iterable[Path]) -> tuple[Path, int] | None:
    """Where in these files an exception was raised, or what called what raised it; None where it came from elsewhere.

    Args:
        files: resolved paths.
    """
    known = {str(path): path for path in files}
    if isinstance(error, SyntaxError) and error.filename in known:
        return known[error.filename], error.lineno or 1
    places = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    return next(((known[name], line) for name, line in reversed(places) if name in known), None)


def two_lines(what: str, fault: str, contract: str) -> str:
    """A fault of a member, and what its family's contract wants.

    Args:
        what: the member with its file, as in "metric /here/my.py, line 12".
        fault: what is wrong, a clause.
        contract: a sentence.
    """
    return f"{what}: {fault}.\n{contract}"
