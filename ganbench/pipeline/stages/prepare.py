"""prepare: a data set's examples, checked against what it says of itself, in one file."""

from __future__ import annotations

from dataclasses import asdict

from ganbench.contracts import CONTRACTS
from ganbench.contracts.data import loaded
from ganbench.core import store
from ganbench.core.errors import GanbenchError
from ganbench.core.user_errors import two_lines
from ganbench.pipeline.execution.instantiation import build, verify
from ganbench.pipeline.execution.job_context import JobContext
from ganbench.pipeline.jobs import Job


def run(job: Job, context: JobContext) -> None:
    task = job.task
    verify(task.sources, [("dataset", task.dataset)])
    dataset = build("dataset", task.dataset)
    with context.progress(f"prepare {job.name}", dataset.spec.train, "training examples") as report:
        examples, fault = loaded(dataset)
        if fault:
            raise GanbenchError(two_lines(f"data set {task.dataset.name}", fault, CONTRACTS["dataset"]))
        with store.writing(job.path, "prepare") as file:
            store.save(file.create_group("examples"), asdict(examples))
        report(len(examples.train))
