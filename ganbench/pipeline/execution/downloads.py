"""Download of files from servers, with a time limit and lines of progress.

`torch.hub.download_url_to_file` is not used: it has no time limit (measured: it still waits after 90 s for a server
that accepts the connection and never answers), and its progress bar does not fit a job's log.
"""

from __future__ import annotations

import urllib.request
from collections.abc import Callable
from http.client import HTTPException, IncompleteRead
from pathlib import Path
from typing import BinaryIO

from ganbench.core.atomic_files import atomic_write
from ganbench.pipeline.execution.progress import progress

TIMEOUT_SECONDS = 30
PART_BYTES = 2**20


def download(url: str, path: Path, what: str, verify: Callable[[Path], None]) -> None:
    """Download a file, which appears under its name once it is complete and verified.

    Args:
        url: the address.
        path: the file.
        what: its name in lines of progress.
        verify: called with the temporary file; raises an error of a file that must not be kept.

    Raises:
        OSError: the download failed, or ended before the whole file had come.
    """
    with atomic_write(path) as temporary:
        try:
            with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as response, temporary.open("wb") as file:
                _copy(response, file, what, int(response.headers.get("Content-Length") or 0))
        except HTTPException as error:  # of an answer that is no HTTP; none of them is an OSError
            raise OSError(
                f"the server's answer cannot be read, {type(error).__name__}: {str(error).strip()}"
            ) from error
        verify(temporary)


def _copy(response: BinaryIO, file: BinaryIO, what: str, size: int) -> None:
    """Copy the server's response to a file and show progress; `size` is in bytes, 0 if unknown.

    Raises:
        OSError: the response ended early.
    """
    with progress(what, size / 1e6, "MB") as report:
        fetched = 0
        try:
            while part := response.read(PART_BYTES):
                file.write(part)
                fetched += len(part)
                report(fetched / 1e6)
        except IncompleteRead as error:  # of an answer in chunks
            raise OSError("the download ended early, and its size is unknown") from error
        if fetched < size:
            raise OSError(f"the download ended early, {fetched:,} of {size:,} bytes")
