"""What follows training, per run: the stages that gather, draw, report and track the results of many small runs."""

from __future__ import annotations

import copy
import resource
import tempfile
import time
from pathlib import Path

from benchmarks.sheets import Sheet

FOLLOWING = ("collect", "tables", "figures", "report", "track")
STUDY = {
    "study": "many",
    "grid": [
        {
            "dataset": {"name": "ring8", "examples": 2000},
            "architecture": {"name": "mlp", "width": 32},
            "regularizer": ["none", {"name": "r1", "gamma": 0.1}],
            "learning_rate": [2e-3, 2e-2],
        }
    ],
    "train": {"steps": 50, "batch_size": 32, "snapshots": {"count": 3, "spacing": "even"}},
    "evaluate": {"metrics": ["fd", "mode_coverage"], "samples": 200},
}


def measure(sizes: tuple[int, ...] = (25, 100)) -> Sheet:
    """Processor time of each stage for two numbers of seeds of four settings, and the difference per run.

    Args:
        sizes: numbers of seeds, in ascending order.
    """
    sheet = Sheet(
        "What follows training",
        ["runs", *(f"{stage}, s" for stage in FOLLOWING), "all, s", "peak memory, MB"],
        "Processor time of the stages after evaluation, of runs of 50 steps on a ring. The last row is the difference "
        "of the two above it per run, without what a study of any size takes.",
    )
    taken = []
    for seeds in sizes:
        with tempfile.TemporaryDirectory() as folder:
            taken.append(stage_seconds(Path(folder), seeds))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # of all so far, hence the ascending order
        sheet.add(f"{4 * seeds:,}", *(f"{value:.1f}" for value in [*taken[-1], sum(taken[-1])]), f"{peak:,.0f}")
    runs = 4 * (sizes[-1] - sizes[0])
    rates = [(last - first) / runs for first, last in zip(taken[0], taken[-1], strict=True)]
    sheet.add("per run", *(f"{rate:.4f}" for rate in [*rates, sum(rates)]), "")
    return sheet


def stage_seconds(folder: Path, seeds: int) -> list[float]:
    """Run a study, and return the processor time of each stage of `FOLLOWING`.

    Args:
        folder: where the study and its results are written.
        seeds: number of seeds of each of four settings.
    """
    import yaml

    from ganbench.pipeline.plan import Plan
    from ganbench.pipeline.stages import run
    from ganbench.study.schema import load

    study = copy.deepcopy(STUDY) | {"results": str(folder / "results")}
    study["grid"][0]["seed"] = {"count": seeds}
    file = folder / "many.yaml"
    file.write_text(yaml.safe_dump(study))
    plan = Plan(load(file), file)
    taken = dict.fromkeys(FOLLOWING, 0.0)
    for job in plan.all_jobs():
        began = time.process_time()
        run(job)
        if job.stage in taken:
            taken[job.stage] += time.process_time() - began
    return [taken[stage] for stage in FOLLOWING]
