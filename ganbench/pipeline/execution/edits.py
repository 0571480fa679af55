"""Refusal of jobs whose files were edited after the jobs were planned."""

from __future__ import annotations

from ganbench.core.errors import GanbenchError


def refuse_edited(planned: str, found: str, what: str = "source files") -> None:
    """Refuse to compute, or to write, under a digest that covers other files than are there now.

    Args:
        planned: the digest of the files when the job was planned.
        found: their digest now.
        what: the files, in words.

    Raises:
        GanbenchError: the digests differ.
    """
    if found != planned:
        raise GanbenchError(
            f"{what} were edited after this job was planned, so its result would carry a wrong digest. Start the "
            "workflow again; finished results are kept."
        )
