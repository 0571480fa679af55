"""What a machine can be made to compute with: the kernels that libraries have for other processors."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache

from needs import need

from ganbench.pipeline.execution.processor import KERNELS, THREADS

# The environment of the tests, without what chooses kernels and threads.
AS_IT_IS = {name: value for name, value in os.environ.items() if name not in (*KERNELS, *THREADS)}

CORES = ("Prescott", "Nehalem", "Sandybridge", "Haswell", "SkylakeX", "Zen")  # some that OpenBLAS has kernels for
SHOWN = """
import numpy, threadpoolctl
numpy.ones((64, 64)) @ numpy.ones((64, 64))
print(*(pool["architecture"] for pool in threadpoolctl.threadpool_info() if pool["internal_api"] == "openblas"))
"""


@cache
def blas_kernels() -> tuple[dict[str, str], ...]:
    """Environments under which NumPy's BLAS takes one of several kernels, each another; at least two."""
    found: dict[str, dict[str, str]] = {}
    for core in CORES:
        environment = {"OPENBLAS_CORETYPE": core}
        done = subprocess.run(
            [sys.executable, "-c", SHOWN], env=AS_IT_IS | environment, capture_output=True, text=True, check=False
        )
        if done.returncode == 0 and done.stdout.strip():  # a processor ends a program whose instructions it lacks
            found.setdefault(done.stdout, environment)
    if len(found) < 2:
        need("NumPy's BLAS has one kernel for this machine")
    return tuple(found.values())
