"""How a process computes on the CPU: the number of threads, and the kernels that libraries choose.

The sum of floating-point numbers depends on the order of addition. That order depends on the number of threads, which
is set to one here, and on the kernels that libraries choose by the processor, which results record. This module does
not import PyTorch, but configures it if it has been imported: the workflow needs the names of variables alone.
"""

from __future__ import annotations

import os
import platform
import re
import sys
from functools import cache
from pathlib import Path

# Environment variables that set the number of threads of libraries.
THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "GOTO_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
# Environment variables by which users choose kernels. If they are set, jobs inherit them. ganbench never sets one:
# kernels for an older processor are slower, and kernels for a newer one end the process.
KERNELS = (
    "ATEN_CPU_CAPABILITY",
    "MKL_CBWR",
    "MKL_ENABLE_INSTRUCTIONS",
    "NPY_DISABLE_CPU_FEATURES",
    "ONEDNN_MAX_CPU_ISA",
    "OPENBLAS_CORETYPE",
)
UNKNOWN = "unknown"


def chosen_kernels() -> dict[str, str]:
    """The variables that choose kernels and are set in this process's environment."""
    return {name: os.environ[name] for name in KERNELS if os.environ.get(name)}


def one_thread() -> None:
    """Compute with one thread from now on, whatever the environment says.

    Parallel jobs fill the cores of a machine, and results must not depend on the number of cores. Loaded libraries are
    set at once; libraries that are loaded later, and child processes, read the environment.
    """
    from threadpoolctl import threadpool_limits

    os.environ.update(dict.fromkeys(THREADS, "1"))
    threadpool_limits(1)
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)
        if torch.get_num_interop_threads() != 1:  # PyTorch allows setting it only once in a process
            torch.set_num_interop_threads(1)


def threads() -> int:
    """The largest number of threads that a library of this process computes with."""
    from threadpoolctl import threadpool_info

    counts = [pool["num_threads"] for pool in threadpool_info()]
    if torch := sys.modules.get("torch"):
        counts += [torch.get_num_threads(), torch.get_num_interop_threads()]
    return max(counts, default=1)


def blas() -> str:
    """NumPy's BLAS, its version and the processor that its kernels are for: "openblas 0.3.30 Haswell"."""
    import numpy
    from threadpoolctl import threadpool_info

    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    # Other packages may load their own BLAS; NumPy's wheel keeps its own in `numpy.libs`.
    folder = Path(numpy.__file__).parent
    own = [pool for pool in pools if {folder, folder.with_name("numpy.libs")} & {*Path(pool["filepath"]).parents}]
    names = (
        " ".join(filter(None, (pool["internal_api"], pool["version"], pool.get("architecture"))))
        for pool in own or pools
    )
    return ", ".join(sorted(set(names))) or UNKNOWN


@cache
def model() -> str:
    """The processor's name, with the numbers by which libraries identify it: "AMD EPYC, family 25 model 1"."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        text = ""
    # The file has one paragraph per core; the first is read.
    about = dict(re.findall(r"^(.+?)\s*:\s*(.+)$", text.split("\n\n")[0], flags=re.MULTILINE))
    if "model name" not in about:
        return platform.processor() or platform.machine() or UNKNOWN
    return f"{about['model name']}, family {about.get('cpu family', '?')} model {about.get('model', '?')}"
