"""Which device a job computes on. Several jobs of one machine each get a GPU of their own."""

from __future__ import annotations

import os
import socket
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

import torch

from ganbench.core.errors import GanbenchError
from ganbench.core.locks import try_lock
from ganbench.pipeline.execution import slurm
from ganbench.pipeline.execution.progress import log

POLL_SECONDS = 1.0


def check_device(wanted: str) -> None:
    """Refuse a device that this machine does not have.

    Raises:
        GanbenchError: "cuda" is wanted and there is none.
    """
    if wanted != "cuda" or torch.cuda.is_available():
        return
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if torch.version.cuda is None:
        why = "this PyTorch was built without CUDA: install one with it"
    elif visible in ("", "-1", "NoDevFiles"):  # the last is Slurm's, of a job that asked for none
        why = f"CUDA_VISIBLE_DEVICES is {visible!r}, so the scheduler gave this job none: ask it for one"
    else:
        why = "look whether nvidia-smi shows one there, and whether its driver is new enough for this PyTorch"
    raise GanbenchError(
        f"machine.device: 'cuda' was asked for, but PyTorch sees no GPU on {socket.gethostname()}; {why}. "
        "Valid: auto, cpu, cuda."
    )


def timed_on(wanted: str, here: bool) -> torch.device:
    """Where the steps of a study's packs are timed: the device that jobs of this machine would take, whether or not
    another process computes there; the CPU, where jobs run elsewhere."""
    gpu = here and wanted != "cpu" and torch.cuda.is_available()
    return torch.device("cuda" if gpu else "cpu")


@contextmanager
def acquire_device(wanted: str) -> Iterator[torch.device]:
    """The device to compute on, this process's own for the block where it is a GPU.

    Args:
        wanted: "cpu", "cuda", or "auto": a GPU where there is one.

    Raises:
        GanbenchError: "cuda" is wanted and there is none.
    """
    check_device(wanted)
    if wanted == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""  # for libraries that take a GPU wherever they see one
    if wanted == "cpu" or not torch.cuda.is_available():
        yield torch.device("cpu")
        return
    # Snakemake counts GPUs but does not say which one a job may use, so jobs settle it by locks named after the GPUs.
    names = [str(torch.cuda.get_device_properties(i).uuid) for i in range(torch.cuda.device_count())]
    with nullcontext(0) if assigned(len(names)) else acquire_free_gpu(names, Path(tempfile.gettempdir())) as index:
        torch.cuda.set_device(index)
        torch.backends.cudnn.benchmark = False  # its choice of algorithm is a race; the same run must repeat itself
        torch.backends.cudnn.deterministic = True
        torch.backends.cudnn.allow_tf32 = False  # float32 means float32, as on a CPU
        yield torch.device("cuda", index)


def assigned(visible: int) -> bool:
    """Whether a scheduler gave the job the one GPU it sees. It may give parts of one GPU to several jobs, which then
    have no reason to wait for each other.

    Args:
        visible: The number of GPUs that the job sees.
    """
    scheduled = slurm.job_id() or "KUBERNETES_SERVICE_HOST" in os.environ
    return visible == 1 and bool(scheduled)


@contextmanager
def acquire_free_gpu(names: Sequence[str], folder: Path) -> Iterator[int]:
    """Wait for one of the named devices to be free, and hold it for the block; yields its index in `names`.

    Where `folder` can hold no locks, the first device it is: a GPU that is shared beats none.
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
