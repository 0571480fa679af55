"""How a process computes on the CPU: with one thread, and by whose kernels.

The sum of floating-point numbers depends on the order in which they are added. That order depends on how many threads
share the work, which a process settles for itself here; and on the kernels that libraries choose by the processor, of
which a result keeps a record. Imports PyTorch only where it is there already: the workflow needs the names alone.
"""

from __future__ import annotations

import os
import platform
import re
import sys
from functools import cache
from pathlib import Path

# Variables that say with how many threads libraries begin.
THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "GOTO_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
# Variables by which the owner of a machine, or of a study, chooses kernels. Nothing here ever sets one: kernels for an
# older processor are slower, and those for a newer one end the process. Where they are set, jobs get them too.
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
    """The variables that choose kernels in this process's environment, as far as they are set."""
    return {name: os.environ[name] for name in KERNELS if os.environ.get(name)}


def one_thread() -> None:
    """Compute with one thread from here on, whatever the environment says: a machine's cores are filled by jobs, and
    results must not depend on how many it has.

    Libraries that are loaded already are told; those that come later, and processes that this one starts, read the
    environment.
    """
    from threadpoolctl import threadpool_limits

    os.environ.update(dict.fromkeys(THREADS, "1"))
    threadpool_limits(1)
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)
        if torch.get_num_interop_threads() != 1:  # which may be set once a process
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
    # Other packages may bring a BLAS of their own, of which every job loads some; NumPy's wheel has its own beside it.
    folder = Path(numpy.__file__).parent
    own = [pool for pool in pools if {folder, folder.with_name("numpy.libs")} & {*Path(pool["filepath"]).parents}]
    names = (
        " ".join(filter(None, (pool["internal_api"], pool["version"], pool.get("architecture"))))
        for pool in own or pools
    )
    return ", ".join(sorted(set(names))) or UNKNOWN


@cache
def model() -> str:
    """The processor as its maker names it, with what libraries know it by: "AMD EPYC, family 25 model 1"."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        text = ""
    # Several lines for each core; those of the first one.
    about = dict(re.findall(r"^(.+?)\s*:\s*(.+)$", text.split("\n\n")[0], flags=re.MULTILINE))
    if "model name" not in about:
        return platform.processor() or platform.machine() or UNKNOWN
    return f"{about['model name']}, family {about.get('cpu family', '?')} model {about.get('model', '?')}"
