"""Which files of a folder cannot be decoded as images: found once, and remembered until a file changes."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from ganbench.core import strict_json
from ganbench.core.atomic_files import atomic_write
from ganbench.core.errors import GanbenchError
from ganbench.data._images import processors

# By path in the folder: size, time stamp and Pillow's version, and the fault, "" for a sound image.
REMEMBERED = ".ganbench-decoded.json"
SETTLED_SECONDS = 10.0  # age from which a time stamp is trusted: a file may change twice within its resolution


def broken_images(folder: Path, paths: Sequence[Path]) -> dict[Path, str]:
    """The files that cannot be decoded, each with the reason.

    Every file is decoded once. What was found is kept in a hidden file of the folder, and holds for files of the same
    size and time stamp and for the same version of Pillow. Files that have just been written are decoded again the next
    time; where the folder cannot be written, all files are decoded by each process that asks.

    Args:
        folder: the folder.
        paths: files in it.

    Raises:
        GanbenchError: a file that the disk or its permissions keep from being read, which says nothing of its content.
    """
    import PIL

    before, after, now = _read(folder / REMEMBERED), {}, time.time()
    unknown = []
    for path in paths:
        stat, name = path.stat(), path.relative_to(folder).as_posix()
        state = f"{stat.st_size} {stat.st_mtime_ns} {PIL.__version__}"
        known = before.get(name, ("", ""))
        after[name] = (state if now - stat.st_mtime > SETTLED_SECONDS else "", known[1])
        if known[0] != state:
            unknown.append(path)
    with ThreadPoolExecutor(processors()) as pool:
        for path, fault in zip(unknown, pool.map(_fault, unknown), strict=True):
            name = path.relative_to(folder).as_posix()
            after[name] = (after[name][0], fault)
    if after != before:
        with suppress(OSError), atomic_write(folder / REMEMBERED) as temporary:
            temporary.write_text(strict_json.dumps(after))
    return {folder / name: fault for name, (_, fault) in after.items() if fault}


def _fault(path: Path) -> str:
    from PIL import Image

    try:
        with Image.open(path) as image:
            image.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # of the system; a decoder's errors have no number
            raise GanbenchError(f"data set 'image_folder': {path} cannot be read: {error.strerror}.") from None
        return str(error) or type(error).__name__
    return ""


def _read(path: Path) -> dict[str, tuple[str, str]]:
    try:
        return {name: (state, fault) for name, (state, fault) in json.loads(path.read_text()).items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
