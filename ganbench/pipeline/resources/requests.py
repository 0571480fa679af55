"""Requests of jobs to a cluster: memory, minutes and GPUs.

They are computed from the study's estimates, which `check` writes beside the results, and from how a job's earlier
attempts ended; see `retries`. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

from ganbench.pipeline.execution import journal
from ganbench.pipeline.jobs import Job
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.resources.job_costs import (
    job_seconds,
    left_to_compute,
    members_estimates,
    memory_mb,
    only_copies,
)
from ganbench.pipeline.resources.retries import ended_attempts, memory_factor, time_factor
from ganbench.pipeline.resources.stored_estimates import Estimate, Timings, read_held, read_timings
from ganbench.pipeline.stage_names import STAGES

LOCAL = ("track",)  # run on the submitting machine, since compute nodes may have no network
ON_GPUS = ("train", "evaluate", "diagnose")
EMBEDDING = ("judge", "reference")  # compute on a GPU what the Inception network makes of images, and nothing else
RESUMED = ("train", "evaluate")  # go on between chunks or runs; `diagnose` goes on between experiments only

# Estimates are good to a factor of a few. A request that is too large waits longer in the queue; one that is too small
# loses work.
SAFETY = 3.0
OVERHEAD_MINUTES = 10  # start-up on a slow file system, loading, writing
ROUNDED_MINUTES = 5
UNKNOWN_MINUTES = 50  # time of jobs without an estimate
# Memory of a process with its libraries, and of a compiler for a while. CUDA's libraries take host memory too.
BASE_MB = {"cpu": 2500, "gpu": 4000}
ROUNDED_MB = 100
ATTEMPTS = 3  # attempts to spare for failures whose cause is not time


@dataclass(frozen=True)
class ResourceRequest:
    """The request of a job."""

    gpu: int  # number of GPUs
    mem_mb: int
    runtime: int  # minutes


def request(plan: Plan, job: Job, estimates: Mapping[str, Estimate], attempt: int = 1) -> ResourceRequest:
    """The request of a job's next attempt.

    Args:
        plan: the study's plan.
        job: the job.
        estimates: the estimates, by method.
        attempt: the number of the attempt in this workflow, from 1.
    """
    machine, gpu = plan.study.machine, gpus(plan, job.stage)
    ends = ended_attempts(journal.read(journal.path_of(plan.folder, job.stage, job.path)), attempt)
    minutes = (OVERHEAD_MINUTES + SAFETY * _minutes(plan, job, estimates)) * time_factor(job.stage, ends)
    left = left_to_compute(job, read_held(plan.folder))
    needed = memory_mb(left, estimates, read_timings(plan.folder) or Timings())
    memory = (BASE_MB["gpu" if gpu else "cpu"] + needed) * memory_factor(ends)
    return ResourceRequest(
        gpu,
        _rounded(memory, ROUNDED_MB, machine.max_mem_mb),
        _rounded(minutes, ROUNDED_MINUTES, machine.max_runtime),
    )


def gpus(plan: Plan, stage: str) -> int:
    """The number of GPUs that each job of a stage requests."""
    embeds = stage in EMBEDDING and any(job.task.weights for job in plan.jobs(stage).values())
    return int((stage in ON_GPUS or embeds) and plan.study.machine.device != "cpu")


def attempts(plan: Plan, estimates: Mapping[str, Estimate]) -> int:
    """The number of jobs that the slowest pack may still need, with some to spare for failures; 0 without a time limit.

    Args:
        plan: the study's plan.
        estimates: the estimates, by method.
    """
    max_runtime = plan.study.machine.max_runtime
    if max_runtime is None:
        return 0
    waiting = [job for stage in RESUMED for job in plan.jobs(stage).values() if not job.done]
    most = max((_minutes(plan, job, estimates) for job in waiting), default=0)
    # Each attempt loses some of its time at its start and its end.
    return ATTEMPTS + ceil(SAFETY * most / max(max_runtime - 2, 0.5 * max_runtime))


def _minutes(plan: Plan, job: Job, estimates: Mapping[str, Estimate]) -> float:
    """The minutes of one core that a job takes to compute what no result file holds yet."""
    job = left_to_compute(job, read_held(plan.folder))
    known = read_timings(plan.folder) if job.stage == "reference" else None
    if known is not None and job.name in known.reference:
        return job_seconds(plan, job, estimates, known) / 60
    runs = members_estimates(job, estimates)
    if not runs or None in runs:
        return 0 if only_copies(job) else UNKNOWN_MINUTES / SAFETY
    if job.stage in RESUMED:
        return job_seconds(plan, job, estimates, Timings()) / 60
    return UNKNOWN_MINUTES / SAFETY + sum(run.seconds for run in runs) / 60


def _rounded(value: float, to: int, most: int | None) -> int:
    asked = to * ceil(value / to)
    return asked if most is None else min(asked, most)


def totals(plan: Plan, estimates: Mapping[str, Estimate]) -> dict[str, dict[str, Any]]:
    """The requests of the jobs that are still to do, by stage.

    Args:
        plan: the study's plan.
        estimates: the estimates, by method.

    Returns:
        By stage: the number of jobs, the largest request of each kind, and the job-hours in all.
    """
    table = {}
    for stage in STAGES:
        if stage in LOCAL:
            continue
        waiting = [job for job in plan.jobs(stage).values() if not job.done]
        asks = [request(plan, job, estimates) for job in waiting]
        if asks:
            table[stage] = {
                "jobs": len(asks),
                "gpu": max(each.gpu for each in asks),
                "mem_mb": max(each.mem_mb for each in asks),
                "runtime": max(each.runtime for each in asks),
                "hours": sum(each.runtime for each in asks) / 60,
            }
    return table
