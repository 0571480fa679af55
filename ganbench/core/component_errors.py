"""Messages about faulty components. The first line gives file, line and error, the second the family's contract."""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from pathlib import Path

from ganbench.core.errors import GanbenchError
from ganbench.core.escaping import escape_control

MAX_MESSAGE = 300  # characters that are kept of an exception's message


def describe_exception(error: BaseException) -> str:
    """The type of an exception and the first line of its message: "ValueError: too wide".

    The type of a `GanbenchError` is left out.
    """
    try:
        text = str(error).strip().split("\n")[0]
    except Exception:  # raised by a component's own __str__
        text = ""
    text = escape_control(text if len(text) <= MAX_MESSAGE else f"{text[:MAX_MESSAGE]} ...").rstrip(".")
    notes = "".join(f", {note}" for note in getattr(error, "__notes__", ()))
    return text if isinstance(error, GanbenchError) else f"{type(error).__name__}{text and ': ' + text}{notes}"


def find_line(error: BaseException, files: Iterable[Path]) -> tuple[Path, int] | None:
    """The innermost line of an exception's traceback that lies in one of the given files.

    Args:
        error: the exception.
        files: resolved paths.

    Returns:
        The file and the line number; None if no line of the traceback lies in the files.
    """
    known = {str(path): path for path in files}
    if isinstance(error, SyntaxError) and error.filename in known:
        return known[error.filename], error.lineno or 1
    locations = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    return next(((known[name], line) for name, line in reversed(locations) if name in known), None)


def contract_message(what: str, fault: str, contract: str) -> str:
    """A message about a component that breaks the contract of its family.

    Args:
        what: the component with its file, as in "metric /here/my.py, line 12".
        fault: the fault, as a clause.
        contract: the requirements of the family, as a sentence.
    """
    return f"{what}: {fault}.\n{contract}"
