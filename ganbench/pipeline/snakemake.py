"""What the workflow needs of the package when it is parsed and when it starts. Imports no torch."""

from __future__ import annotations

import atexit
import logging
import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ganbench.core.errors import GanbenchError
from ganbench.core.formatting import truncate
from ganbench.core.locks import describe_holder, try_lock
from ganbench.pipeline import job_files, results_folder
from ganbench.pipeline.execution.processor import THREADS
from ganbench.pipeline.jobs import Job
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.preflight.check import check
from ganbench.study.schema import parse
from ganbench.study.strict_yaml import read

LISTED_FILES = 3  # of a job, where Snakemake lists them


class Shortened(logging.Filter):
    """Keeps what Snakemake says of a job readable: of long lists of files the first, of a long text the beginning. It
    says, too, whenever a job ends early, that an output is not restored that was not there before; that is passed over.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if re.fullmatch(r"Cannot restore .*: no backup found\.", record.getMessage()):
            return False
        for name in ("reason", "shellcmd"):
            if isinstance(text := getattr(record, name, None), str):
                setattr(record, name, truncate(text))
        for name in ("input", "output"):
            files = getattr(record, name, None)
            if isinstance(files, list) and len(files) > LISTED_FILES:
                setattr(record, name, [*files[:LISTED_FILES], f"and {len(files) - LISTED_FILES} more"])
        return True


def plan_of(config: dict[str, Any], origin: str, *, files: Iterable[str] = (), verify: bool) -> Plan:
    """The plan of the study in a workflow's configuration.

    Args:
        config: The study, as Snakemake read it.
        origin: What errors call it.
        files: The files that Snakemake read it from. It keeps the last of what stands in them twice, and runs programs
            in them; they are read once more, as strictly as `ganbench check` does.
        verify: Whether to refuse damaged results, which would count as done. Jobs on a cluster, which parse the
            workflow once more each, need not.
    """
    with _plain_errors():
        for file in files:
            read(Path(file))
        plan = Plan(parse(config, origin=origin))
        if verify:
            results_folder.verify(plan)
        return plan


def job_named(plan: Plan, stage: str, wildcards: Any) -> Job:
    """The job that a rule's wildcards `name` and `digest` mean; that of a stage that runs once, without them.

    Raises:
        SystemExit: The digest is another one: a file was edited between planning the workflow and running this job.
    """
    with _plain_errors():
        name = getattr(wildcards, "name", stage)  # a stage that runs once a study has no wildcards
        job = plan.jobs(stage).get(name)
        if job is None or job.digest[:12] != getattr(wildcards, "digest", job.digest[:12]):
            raise GanbenchError(
                f"{stage} {name}-{wildcards.digest} is no job of this study: the study or the sources were "
                "edited after the workflow started. Start it again; what is computed is kept."
            )
        return job


def set_job_environment() -> None:
    """Give this process the surroundings that jobs inherit: the programs that Snakemake itself runs with, activated or
    not, and libraries that begin with one thread, where a node of many cores would have each of its jobs start as
    many."""
    os.environ["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    os.environ.update(dict.fromkeys(THREADS, "1"))


def before_first_job(plan: Plan, *, here: bool, parallel_jobs: int | None = None) -> None:
    """Before the first job: take the results folder, and try what can be tried.

    Args:
        plan: The study's plan.
        here: Whether the jobs run on this machine.
        parallel_jobs: The number of jobs that may run at the same time.

    Raises:
        SystemExit: There is something that a job would stumble over.
    """
    with _plain_errors():
        results_folder.create(plan)
        path = plan.folder / results_folder.LOCK
        lock = try_lock(path)
        if lock is None:
            raise GanbenchError(f"the results folder {plan.folder} is in use by {describe_holder(path)}.")
        atexit.register(lock.release)
        job_files.write(plan)
        stages = ("train", "evaluate", "diagnose", "tables")  # tables decide claims, which may ask for anything
        if all(job.done for stage in stages for job in plan.jobs(stage).values()):
            return
        check(
            plan,
            here=here,
            parallel_jobs=parallel_jobs,
            remeasure=False,
            note=lambda text: print(f"Note: {text}", file=sys.stderr),
        )


def failure_message(plan: Plan) -> str:
    """What to say after jobs failed."""
    return (
        f"Some jobs of {plan.study.study} failed; all others' results are kept. `ganbench status STUDY` names them, "
        "with cause and log; `ganbench report STUDY --partial` shows what there is; the same command goes on from here."
    )


@contextmanager
def _plain_errors() -> Iterator[None]:
    """End with the message alone: Snakemake prints a traceback with every exception, its own ones included."""
    try:
        yield
    except GanbenchError as error:
        raise SystemExit(f"Error: {error}") from None
