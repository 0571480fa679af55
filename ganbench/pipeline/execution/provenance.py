"""Records of the device, the libraries and the versions that a result was computed with."""

from __future__ import annotations

import platform
import subprocess
from functools import cache
from importlib.metadata import version
from typing import Any

import numpy as np
import torch

from ganbench.core.registry import PACKAGE
from ganbench.pipeline.execution import processor


def versions(device: torch.device) -> dict[str, Any]:
    """The device, processor, kernels, threads and versions that a job computes with, as its results record them."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"cpu ({platform.machine()})"
    return {
        "device": name,
        "processor": processor.model(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "blas": processor.blas(),
        "threads": processor.threads(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": version("scipy"),  # with its LAPACK, metrics of many features compute too
        "torch": torch.__version__,
        "cuda": torch.version.cuda if device.type == "cuda" else "",
        "tf32": _tf32() if device.type == "cuda" else "",
        "commit": commit(),
    }


def _tf32() -> str:
    """PyTorch's flags of TensorFloat-32, which hold for all work but training with the precision tf32."""
    flags = {"matmul": torch.backends.cuda.matmul.allow_tf32, "cudnn": torch.backends.cudnn.allow_tf32}
    return ", ".join(f"{name} {'on' if value else 'off'}" for name, value in flags.items())


def computed_on(about: dict[str, Any]) -> str:
    """A record of `versions` in words, without versions of Python, NumPy, SciPy, PyTorch and CUDA.

    Example: "cpu (x86_64), AMD EPYC, family 25 model 1, PyTorch AVX2, openblas 0.3.30 Haswell, 1 thread".
    """
    threads = about["threads"]
    parts = [about["device"], about["processor"], f"PyTorch {about['cpu_capability']}", about["blas"]]
    return ", ".join([*parts, f"{threads} {'thread' if threads == 1 else 'threads'}"])


@cache
def commit() -> str:
    """The git commit of the sources, with '+' if the working tree differs from it; empty outside a repository."""

    def git(*words: str) -> str:
        done = subprocess.run(["git", "-C", str(PACKAGE), *words], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    try:
        return git("rev-parse", "--short=12", "HEAD") + ("+" if git("status", "--porcelain", ".") else "")
    except (OSError, subprocess.CalledProcessError):
        return ""
