"""Which device a job computes on. Several jobs of one machine each get a GPU of their own."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

from ganbench.core.errors import GanbenchError
from ganbench.core.locks import try_lock

POLL_SECONDS = 1.0


def available(wanted: str) -> None:
    """Refuse a device that this machine does not have.

    Raises:
        GanbenchError: "cuda" is wanted and there is none.
    """
    if wanted == "cuda" and not torch.cuda.is_available():
        raise GanbenchError(
            "machine.device: 'cuda' was asked for, but PyTorch sees no GPU here; valid: auto, cpu, cuda."
        )


@contextmanager
def device(wanted: str) -> Iterator[torch.device]:
    """The device to compute on, this process's own for the block where it is a GPU.

    Args:
        wanted: "cpu", "cuda", or "auto": a GPU where there is one.

    Raises:
        GanbenchError: "cuda" is wanted and there is none.
    """
    available(wanted)
    if wanted == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""  # for libraries that take a GPU wherever they see one
    if wanted == "cpu" or not torch.cuda.is_available():
        yield torch.device("cpu")
        return
    # Snakemake counts GPUs but does not say which one a job may use, so jobs settle it by locks named after the GPUs.
    names = [str(torch.cuda.get_device_properties(i).uuid) for i in range(torch.cuda.device_count())]
    with free(names, Path(tempfile.gettempdir())) as index:
        torch.cuda.set_device(index)
        torch.backends.cudnn.benchmark = False  # its choice of algorithm is a race; the same run must repeat itself
        torch.backends.cudnn.deterministic = True
        torch.backends.cudnn.allow_tf32 = False  # float32 means float32, as on a CPU
        yield torch.device("cuda", index)


@contextmanager
def free(names: Sequence[str], folder: Path) -> Iterator[int]:
    """Wait for one of the named devices to be free, and hold it for the block; yields its place in `names`."""
    waiting = False
    while True:
        for index, name in enumerate(names):
            lock = try_lock(folder / f"ganbench-device-{name}.lock")
            if lock is not None:
                with lock:
                    yield index
                return
        if not waiting:
            print(f"all {len(names)} GPUs are taken by other jobs; waiting for one", file=sys.stderr, flush=True)
            waiting = True
        time.sleep(POLL_SECONDS)
