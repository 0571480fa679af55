"""The address of an MLflow store: a writable SQLite file, or an HTTP server."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

from ganbench.core.errors import GanbenchError


def database_file(uri: str) -> Path | None:
    """The file of an SQLite store, which need not exist; None for an address of another kind."""
    name = uri.removeprefix("sqlite:///").partition("?")[0]
    return Path(name) if uri.startswith("sqlite:///") else None


def sqlite_path(uri: str) -> Path | None:
    """The file of an SQLite store, after a check that it can be written.

    Args:
        uri: `sqlite:///path/to/file.db`, or the http(s) address of a server.

    Returns:
        The file; None for a server.

    Raises:
        GanbenchError: an address of another kind, a missing or read-only folder, or a file that is not an
            SQLite database or cannot be written.
    """
    shown = f"track.uri {redact_credentials(uri)!r}"
    if urlsplit(uri).scheme in ("http", "https") and urlsplit(uri).hostname:
        return None
    path = database_file(uri)
    if path is None or path.name in ("", ":memory:"):
        raise GanbenchError(
            f"{shown} is neither sqlite:///path/to/file.db nor the address of a server, http(s)://host."
        )
    if not path.parent.is_dir():
        raise GanbenchError(f"{shown}: there is no folder {path.parent}. Create it (mkdir -p {path.parent}).")
    if not os.access(path.parent, os.W_OK | os.X_OK) or (path.exists() and not os.access(path, os.R_OK | os.W_OK)):
        raise GanbenchError(f"{shown} cannot be written: give yourself the rights to {path.parent} and the file in it.")
    # SQLAlchemy would try for minutes to open a file that is not a database.
    if path.is_dir() or (path.exists() and _first_bytes(path) not in (b"", b"SQLite format 3\0")):
        raise GanbenchError(f"{shown}: {path} exists and is not an SQLite database. Name another file.")
    return path


def check_tracking_uri(uri: str, to_be_made: Path) -> None:
    """Check that an MLflow store at an address can be written.

    Args:
        uri: address of the store in the study.
        to_be_made: folder that the study will create with its parents. Missing folders on its path are no fault.

    Raises:
        GanbenchError: `sqlite_path` refuses the address.
    """
    path, made = database_file(uri), (to_be_made.absolute(), *to_be_made.absolute().parents)
    if path is None or path.parent.exists() or path.parent.absolute() not in made:
        sqlite_path(uri)


def _first_bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(16)


def redact_credentials(uri: str) -> str:
    """An address without user name and password, for messages, since logs keep them."""
    parts = urlsplit(uri)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl() if "@" in parts.netloc else uri
