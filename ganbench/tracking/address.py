"""Where the MLflow view goes: an SQLite file that can be written, or a server's address."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

from ganbench.core.errors import GanbenchError


def sqlite_path(uri: str) -> Path | None:
    """The file of an SQLite store that can be written, or None for a server's address."""
    shown = f"track.uri {redact_credentials(uri)!r}"
    if urlsplit(uri).scheme in ("http", "https") and urlsplit(uri).hostname:
        return None
    name = uri.removeprefix("sqlite:///").partition("?")[0]
    if not uri.startswith("sqlite:///") or name in ("", ":memory:"):
        raise GanbenchError(
            f"{shown} is neither sqlite:///path/to/file.db nor the address of a server, http(s)://host."
        )
    path = Path(name)
    if not path.parent.is_dir():
        raise GanbenchError(f"{shown}: there is no folder {path.parent}. Create it (mkdir -p {path.parent}).")
    if not os.access(path.parent, os.W_OK | os.X_OK) or (path.exists() and not os.access(path, os.R_OK | os.W_OK)):
        raise GanbenchError(f"{shown} cannot be written: give yourself the rights to {path.parent} and the file in it.")
    # SQLAlchemy would try again for minutes to open what is not a database.
    if path.is_dir() or (path.exists() and _first_bytes(path) not in (b"", b"SQLite format 3\0")):
        raise GanbenchError(f"{shown}: {path} exists and is not an SQLite database. Name another file.")
    return path


def check_tracking_uri(uri: str, to_be_made: Path) -> None:
    """Refuse an address that nothing could be written to.

    Args:
        uri: of the study.
        to_be_made: a folder that exists by then, with those above it.

    Raises:
        GanbenchError: its folder is missing or cannot be written, or its file is none of SQLite.
    """
    name = Path(uri.removeprefix("sqlite:///").partition("?")[0])
    if name.parent.exists() or name.parent.absolute() not in (to_be_made.absolute(), *to_be_made.absolute().parents):
        sqlite_path(uri)


def _first_bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(16)


def redact_credentials(uri: str) -> str:
    """The URI without a user name and password: messages end up in logs."""
    parts = urlsplit(uri)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl() if "@" in parts.netloc else uri
