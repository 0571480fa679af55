"""judge: fit the judge of a data set's modes."""

from __future__ import annotations

from ganbench.contracts import CONTRACTS
from ganbench.contracts.data import judge_fault
from ganbench.core import store
from ganbench.core.errors import GanbenchError
from ganbench.core.user_errors import two_lines
from ganbench.pipeline.execution.instantiation import CPU, build, examples, verify
from ganbench.pipeline.execution.job_context import JobContext
from ganbench.pipeline.execution.provenance import versions
from ganbench.pipeline.jobs import Job


def run(job: Job, context: JobContext) -> None:
    task = job.task
    verify(task.sources, [("judge", task.judge)])
    judge, known = build("judge", task.judge), examples(task.prepared)
    with context.progress(f"judge {job.name}", 100, "%") as report:
        state = judge.fit(known, lambda done, total: report(100 * done / total))
        report(100)
    fault = judge_fault(judge, state, known.heldout, int(known.train_modes.max()) + 1)
    if fault:
        raise GanbenchError(two_lines(f"judge {task.judge.name}", fault, CONTRACTS["judge"]))
    with store.writing(job.path, "judge") as file:
        store.save(file.create_group("memory"), state)
        store.save(file.create_group("about"), versions(CPU))
