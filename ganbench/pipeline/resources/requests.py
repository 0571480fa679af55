"""What jobs request of a cluster: memory, minutes and GPUs.

From the study's own estimates, which `check` leaves beside the results, and from how a job's earlier attempts ended;
see `retries`. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

from ganbench.pipeline.execution import journal
from ganbench.pipeline.jobs import Job
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.resources.job_costs import job_seconds, members_estimates, memory_mb
from ganbench.pipeline.resources.retries import ended_attempts, memory_factor, time_factor
from ganbench.pipeline.resources.stored_estimates import Estimate, Timings
from ganbench.pipeline.stages import STAGES

LOCAL = ("track",)  # run by whoever submits the jobs: compute nodes may have no network
ON_GPUS = ("train", "evaluate", "diagnose")
RESUMED = ("train", "evaluate")  # where an earlier attempt had to end; in diagnosis, that is between experiments only

# An estimate is good to a factor of a few, and asking for too much costs a place in the queue, for too little the work.
SAFETY = 3.0
OVERHEAD_MINUTES = 10  # start-up on a slow file system, loading, writing
ROUNDED_MINUTES = 5
UNKNOWN_MINUTES = 50  # of jobs that nobody estimated
BASE_MB = {"cpu": 1500, "gpu": 4000}  # a process with its libraries; CUDA's take host memory too
ROUNDED_MB = 100
ATTEMPTS = 3  # again after a failure, where time is not the cause


@dataclass(frozen=True)
class ResourceRequest:
    """What a job requests."""

    gpu: int
    mem_mb: int
    runtime: int  # minutes


def request(plan: Plan, job: Job, estimates: Mapping[str, Estimate], attempt: int = 1) -> ResourceRequest:
    """What a job requests at its next attempt.

    Args:
        plan: The study's plan.
        job: The job.
        estimates: The estimates, by method.
        attempt: How often this workflow will have tried the job then.
    """
    machine, gpu = plan.study.machine, gpus(plan, job.stage)
    ends = ended_attempts(journal.read(journal.path_of(plan.folder, job.stage, job.path)), attempt)
    minutes = (OVERHEAD_MINUTES + SAFETY * _minutes(plan, job, estimates)) * time_factor(job.stage, ends)
    memory = (BASE_MB["gpu" if gpu else "cpu"] + memory_mb(job, estimates)) * memory_factor(ends)
    return ResourceRequest(
        gpu,
        _rounded(memory, ROUNDED_MB, machine.most_memory_mb),
        _rounded(minutes, ROUNDED_MINUTES, machine.longest_minutes),
    )


def gpus(plan: Plan, stage: str) -> int:
    """GPUs of each of a stage's jobs."""
    return int(stage in ON_GPUS and plan.study.machine.device != "cpu")


def attempts(plan: Plan, estimates: Mapping[str, Estimate]) -> int:
    """How often work on the slowest pack may have to go on in another job, with some to spare for failures; 0 where
    jobs may take as long as they like."""
    longest = plan.study.machine.longest_minutes
    if longest is None:
        return 0
    most = max(_minutes(plan, job, estimates) for stage in RESUMED for job in plan.jobs(stage).values())
    # The start of an attempt and its end cost some of its time.
    return ATTEMPTS + ceil(SAFETY * most / max(longest - 2, 0.5 * longest))


def _minutes(plan: Plan, job: Job, estimates: Mapping[str, Estimate]) -> float:
    """Minutes of one core that a job takes."""
    runs = members_estimates(job, estimates)
    if not runs or None in runs:
        return UNKNOWN_MINUTES / SAFETY
    if job.stage in RESUMED:
        return job_seconds(plan, job, estimates, Timings()) / 60
    return UNKNOWN_MINUTES / SAFETY + sum(run.seconds for run in runs) / 60


def _rounded(value: float, to: int, most: int | None) -> int:
    asked = to * ceil(value / to)
    return asked if most is None else min(asked, most)


def totals(plan: Plan, estimates: Mapping[str, Estimate]) -> dict[str, dict[str, Any]]:
    """By stage, what its jobs that are still to do ask for: how many, each at most, and in all."""
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
