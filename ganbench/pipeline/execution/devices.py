"""Choice of the device that a job computes on. Jobs of one machine get different GPUs."""

from __future__ import annotations

import os
import socket
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

import torch

from ganbench.core.allocator import keep_freed_memory
from ganbench.core.errors import GanbenchError
from ganbench.core.locks import try_lock
from ganbench.engine.precision import set_numeric_mode
from ganbench.pipeline.execution import slurm
from ganbench.pipeline.execution.progress import log

POLL_SECONDS = 1.0


def check_device(wanted: str) -> None:
    """Refuse a device that this machine does not have.

    Args:
        wanted: "cpu", "cuda" or "auto".

    Raises:
        GanbenchError: "cuda" is wanted, but PyTorch sees no GPU.
    """
    if wanted != "cuda" or torch.cuda.is_available():
        return
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if torch.version.cuda is None:
        why = "this PyTorch was built without CUDA: install one with it"
    elif visible in ("", "-1", "NoDevFiles"):  # Slurm sets "NoDevFiles" for a job that asked for no GPU
        why = f"CUDA_VISIBLE_DEVICES is {visible!r}, so the scheduler gave this job no GPU: request one"
    else:
        why = "check whether nvidia-smi shows a GPU there, and whether its driver is new enough for this PyTorch"
    raise GanbenchError(
        f"machine.device: 'cuda' was asked for, but PyTorch sees no GPU on {socket.gethostname()}; {why}. "
        "Valid: auto, cpu, cuda."
    )


def timed_on(wanted: str, here: bool) -> torch.device:
    """The device to time training steps on, whether or not another process computes there.

    Args:
        wanted: "cpu", "cuda" or "auto".
        here: whether jobs will run on this machine; if not, steps are timed on the CPU.
    """
    gpu = here and wanted != "cpu" and torch.cuda.is_available()
    return torch.device("cuda" if gpu else "cpu")


@contextmanager
def acquire_device(wanted: str) -> Iterator[torch.device]:
    """Acquire the device to compute on. A GPU is held by this process alone until the block ends.

    Args:
        wanted: "cpu", "cuda", or "auto" for a GPU if there is one.

    Yields:
        The device.

    Raises:
        GanbenchError: "cuda" is wanted, but PyTorch sees no GPU.
    """
    check_device(wanted)
    if wanted == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""  # for libraries that use any GPU they see
    if wanted == "cpu" or not torch.cuda.is_available():
        keep_freed_memory()
        yield torch.device("cpu")
        return
    # Snakemake counts GPUs but does not assign one to a job, so jobs choose GPUs by locks named after them.
    names = [str(torch.cuda.get_device_properties(i).uuid) for i in range(torch.cuda.device_count())]
    with nullcontext(0) if assigned(len(names)) else acquire_free_gpu(names, Path(tempfile.gettempdir())) as index:
        torch.cuda.set_device(index)
        set_numeric_mode()
        yield torch.device("cuda", index)


def assigned(visible: int) -> bool:
    """Whether a scheduler assigned the job the only GPU that it sees.

    A scheduler may assign parts of one GPU to several jobs, which must not wait for each other.

    Args:
        visible: the number of GPUs that the job sees.
    """
    scheduled = slurm.job_id() or "KUBERNETES_SERVICE_HOST" in os.environ
    return visible == 1 and bool(scheduled)


@contextmanager
def acquire_free_gpu(names: Sequence[str], folder: Path) -> Iterator[int]:
    """Wait until one of the named GPUs is free, and hold it for the block.

    If `folder` can hold no locks, the first GPU is taken without a lock.

    Args:
        names: the names of the GPUs.
        folder: the folder of the locks.

    Yields:
        The index of the GPU in `names`.
    """
    waiting = False
    while True:
        for index, name in enumerate(names):
            path = folder / f"ganbench-device-{name}.lock"
            try:
                lock = try_lock(path)
            except OSError as error:
                log(f"no lock on GPU {name}: {path}: {error.strerror}")
                lock = nullcontext()
            if lock is not None:
                with lock:
                    yield index
                return
        if not waiting:
            log(f"all {len(names)} GPUs are taken by other jobs; waiting for one")
            waiting = True
        time.sleep(POLL_SECONDS)
