"""How long the jobs of packs have worked, those before them included whose results they took over."""

from __future__ import annotations

from ganbench.core import result_files
from ganbench.pipeline.execution import journal
from ganbench.pipeline.jobs import Job
from ganbench.pipeline.plan import Plan

CLOCKS = {"train": "train_seconds", "evaluate": "seconds", "diagnose": "seconds"}  # by stage, what its results note


def work_times(plan: Plan) -> dict[tuple[str, str], float]:
    """The seconds of work in the results of every pack, by stage and name of the job.

    A job that takes over what another version of the study has computed works less than its results took, so its own
    journal understates them; their own clocks leave out the start of the process. The larger of both is given. Results
    of evaluation and diagnosis that were written before they had clocks count as far as the journal has them.

    Args:
        plan: the plan of a study that is done.
    """
    found = {}
    for stage, clock in CLOCKS.items():
        for name, job in plan.jobs(stage).items():
            entry = journal.read(journal.path_of(plan.folder, stage, job.path))
            found[stage, name] = max(entry.seconds if entry else 0.0, _of_results(job, clock))
    return found


def _of_results(job: Job, clock: str) -> float:
    with result_files.open_file(job.path, job.stage) as file:
        runs = result_files.descend(file, "runs")
        notes = [result_files.read_tree(result_files.descend(runs, digest, "about")) for digest in runs]
    return float(sum(about.get(clock, 0.0) for about in notes))
