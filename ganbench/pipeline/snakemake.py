"""Functions that the Snakemake workflow calls when it is parsed and when it starts. Imports no torch."""

from __future__ import annotations

import atexit
import logging
import os
import re
import shlex
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ganbench.core.errors import GanbenchError
from ganbench.core.formatting import truncate
from ganbench.core.locks import describe_holder, try_lock
from ganbench.pipeline import job_files, results_folder
from ganbench.pipeline.execution import archives
from ganbench.pipeline.execution.processor import THREADS
from ganbench.pipeline.jobs import Job
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.preflight.check import Listeners, check
from ganbench.study.schema import parse
from ganbench.study.strict_yaml import read_yaml

LISTED_FILES = 3  # files of a job that Snakemake's messages list


class Shortened(logging.Filter):
    """A logging filter that shortens lists of files and long texts in Snakemake's messages about jobs.

    It also drops the message that Snakemake logs when a job fails before its output existed: that there is no backup to
    restore the output from.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Shorten a record.

        Returns:
            Whether to log the record.
        """
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
        config: the study, as Snakemake read it.
        origin: the name of the study's source in error messages.
        files: the files that Snakemake read the study from. Snakemake keeps the last of duplicate keys and runs
            templates, so the files are read again as strictly as `ganbench check` reads them.
        verify: whether to refuse damaged results, which would count as done, and to forget tracking whose store is
            lost. Jobs on a cluster parse the workflow again and need no verification.

    Returns:
        The plan.

    Raises:
        SystemExit: the study is not valid, its results are damaged, or a file that is to be put there by hand is
            missing.
    """
    with _plain_errors():
        paths = [Path(file) for file in files]
        for path in paths:
            read_yaml(path)
        plan = Plan(parse(config, origin=origin), paths[0] if len(paths) == 1 else None)
        if verify:
            results_folder.verify(plan)
            results_folder.drop_stale_stamp(plan)
            for archive in plan.needed_archives:
                # No rule makes one without an address, and Snakemake would not say where it can be had.
                if not archive.url and not Path(archive.path).exists():
                    archives.fetch(archive)
        return plan


def job_named(plan: Plan, stage: str, wildcards: Any) -> Job:
    """Find the job that a rule's wildcards `name` and `digest` stand for.

    Args:
        plan: the study's plan.
        stage: the stage.
        wildcards: the wildcards; a stage that runs once per study has none.

    Returns:
        The job.

    Raises:
        SystemExit: the job's digest is another one: a file was edited after the workflow was planned.
    """
    with _plain_errors():
        name = getattr(wildcards, "name", stage)
        job = plan.jobs(stage).get(name)
        if job is None or job.digest[:12] != getattr(wildcards, "digest", job.digest[:12]):
            raise GanbenchError(
                f"{stage} {name}-{wildcards.digest} is no job of this study: the study or the sources were "
                "edited after the workflow started. Start it again; finished results are kept."
            )
        return job


def set_job_environment() -> None:
    """Set the environment that jobs inherit from this process.

    `PATH` begins with the folder of this Python, so that jobs find `ganbench` if the environment is not activated.
    Libraries start one thread each, not one per core of the node.
    """
    os.environ["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    os.environ.update(dict.fromkeys(THREADS, "1"))


def before_first_job(plan: Plan, *, here: bool, parallel_jobs: int | None = None) -> None:
    """Prepare a workflow before its first job: lock the results folder, write the job files and try the study.

    Args:
        plan: the study's plan.
        here: whether the jobs run on this machine.
        parallel_jobs: the number of jobs that may run at the same time.

    Raises:
        SystemExit: the results folder is in use or cannot be written, or the trial of the study failed.
    """
    with _plain_errors():
        results_folder.create(plan)
        path = plan.folder / results_folder.LOCK
        lock = try_lock(path)
        if lock is None:
            raise GanbenchError(f"the results folder {plan.folder} is in use by {describe_holder(path)}.")
        atexit.register(lock.release)
        job_files.write(plan)
        stages = ("train", "evaluate", "diagnose", "tables")  # tables decide claims, which may name any measurement
        if all(job.done for stage in stages for job in plan.jobs(stage).values()):
            return
        check(
            plan,
            here=here,
            parallel_jobs=parallel_jobs,
            remeasure=False,
            to=Listeners(note=lambda text: print(f"Note: {text}", file=sys.stderr)),
        )


def failure_message(plan: Plan) -> str:
    """The message to print after jobs failed."""
    study = shlex.quote(str(plan.file)) if plan.file else "STUDY"  # read from several files, which commands do not take
    return (
        f"Some jobs of {plan.study.study} failed; the results of all others are kept. `ganbench status {study}` shows "
        f"causes and logs; `ganbench report {study} --partial` shows the present results; the same command goes on "
        "from here."
    )


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Turn `GanbenchError` into `SystemExit`, for which Snakemake prints no traceback."""
    try:
        yield
    except GanbenchError as error:
        raise SystemExit(f"Error: {error}") from None
