"""Download of the Inception network's weights, for the FID and the judge `inception`."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from ganbench.core.errors import GanbenchError
from ganbench.pipeline.execution.downloads import download
from ganbench.pipeline.tasks import WEIGHTS, InceptionWeights

URL = f"https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/{WEIGHTS}"


def fetch(path: Path, sha256: str) -> None:
    """Download the weights if the file does not exist, and verify them.

    Args:
        path: the file.
        sha256: the first characters of the file's SHA-256.

    Raises:
        GanbenchError: the download failed, or the file has another SHA-256. The message says which file to put where.
    """
    if not path.exists():
        try:
            download(URL, path, "weights", lambda temporary: verify(temporary, sha256, path))
        except OSError as error:
            raise GanbenchError(
                f"evaluate: the metric fid and the judge inception need weights, and fetching them failed ({error}). "
                + _remedy(path, sha256)
            ) from None
    verify(path, sha256)


def provide(weights: InceptionWeights | None) -> None:
    """Verify the weights that a job uses, and have pytorch-fid find them, where torch.hub keeps downloads.

    Raises:
        GanbenchError: the weights are not valid.
    """
    if weights is not None:
        verify(weights.path, weights.sha256)
        os.environ["TORCH_HOME"] = str(weights.path.parents[2])


def verify(path: Path, sha256: str, expected_path: Path | None = None) -> None:
    """Refuse weights whose SHA-256 does not begin with `sha256`.

    Args:
        path: the file.
        sha256: the first characters of the file's SHA-256.
        expected_path: the path where the file belongs, if it is another one.

    Raises:
        GanbenchError: the file cannot be read or has another SHA-256. The message says which file to put where.
    """
    remedy = _remedy(expected_path or path, sha256)
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise GanbenchError(f"evaluate.inception: {path} cannot be read: {error.strerror}. {remedy}") from None
    if not found.startswith(sha256):
        raise GanbenchError(f"evaluate.inception: {path} has the SHA-256 {found}, not {sha256}... {remedy}")


def _remedy(path: Path, sha256: str) -> str:
    return f"Put the file {WEIGHTS} of pytorch-fid's releases, whose SHA-256 begins with {sha256}, at {path}."
