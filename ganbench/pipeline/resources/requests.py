"""What jobs ask of a cluster: memory, minutes and GPUs.

From the study's own estimate, which `check` leaves beside the results, and from how a job's earlier attempts ended: one
that ran out of memory or time asks for twice as much. Time that training ran out of is no loss: it goes on in the next
job, and asks for no more of it. Imports no torch.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import ceil
from pathlib import Path
from typing import Any

from ganbench.core import strict_json
from ganbench.core.atomic_files import replacing
from ganbench.pipeline.execution import journal
from ganbench.pipeline.execution.journal import KILLED, OUT_OF_MEMORY, OUT_OF_TIME, End
from ganbench.pipeline.jobs import Job
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.stages import STAGES

ESTIMATES = ".estimates.json"  # in the study's folder
LOCAL = ("track",)  # run by whoever submits the jobs: compute nodes may have no network
ON_GPUS = ("train", "evaluate", "diagnose")
RESUMED = ("train", "evaluate")  # where an earlier attempt had to end; in diagnosis, that is between experiments only

# An estimate is good to a factor of a few, and asking for too much costs a place in the queue, for too little the work.
SAFETY = 3.0
OVERHEAD_MINUTES = 10  # start-up on a slow file system, loading, writing
ROUNDED_MINUTES = 5
UNKNOWN_MINUTES = 50  # of jobs that nobody estimated
BASE_MB = {"cpu": 1500, "gpu": 4000}  # a process with its libraries; CUDA's take host memory too
UNKNOWN_MB = 2000  # beside that, for jobs over all results
ROUNDED_MB = 100
HIGH = 0.4  # of the memory asked for: who used less when killed was most likely not killed for memory
ATTEMPTS = 3  # again after a failure, where time is not the cause


@dataclass(frozen=True)
class Estimate:
    """What a run of a method will take."""

    method: str
    runs: int
    parameters: tuple[int, int]  # of both players
    seconds: float  # of one CPU core, to train a run
    bytes: int  # on disk, of a run
    memory: int  # bytes beside the libraries', to train a run
    scoring: float  # seconds of one CPU core, to evaluate a run
    scoring_memory: int  # bytes beside the libraries', to evaluate a pack
    digest: str = ""  # of all that can change these numbers, but for the machine


@dataclass(frozen=True)
class ResourceRequest:
    """What a job asks for."""

    gpu: int
    mem_mb: int
    runtime: int  # minutes


def write_estimates(plan: Plan, estimates: list[Estimate]) -> None:
    """Leave the estimates where the workflow, its jobs and `ganbench check` find them."""
    with replacing(plan.folder / ESTIMATES) as temporary:
        temporary.write_text(strict_json.dumps([asdict(estimate) for estimate in estimates], indent=1))


def read_estimates(folder: Path) -> dict[str, Estimate]:
    """By method: the estimates, as far as there are any."""
    try:
        found = [Estimate(**each) for each in json.loads((folder / ESTIMATES).read_text())]
    except (OSError, ValueError, TypeError):
        return {}
    return {estimate.method: estimate for estimate in found}


def request(plan: Plan, job: Job, estimates: Mapping[str, Estimate], attempt: int = 1) -> ResourceRequest:
    """What a job asks for at its next attempt.

    Args:
        plan: of the study.
        job: the job.
        estimates: by method.
        attempt: how often this workflow will have tried it then. A job that said it was running just now was killed if
            this workflow had begun it; another one's goes on.
    """
    machine, gpu = plan.study.machine, gpus(plan, job.stage)
    entry = journal.read(journal.place(plan.folder, job.stage, job.path))
    ends = () if entry is None else entry.past if attempt > 1 or entry.silent else entry.ends
    minutes, memory = _needs(plan, job, estimates)
    minutes = OVERHEAD_MINUTES + SAFETY * minutes
    if job.stage != "train":
        minutes *= 2 ** journal.ended(ends, OUT_OF_TIME)
    memory = (BASE_MB["gpu" if gpu else "cpu"] + memory) * 2 ** _starved(ends)
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
    most = max(_needs(plan, job, estimates)[0] for stage in RESUMED for job in plan.jobs(stage).values())
    # The start of an attempt and its end cost some of its time.
    return ATTEMPTS + ceil(SAFETY * most / max(longest - 2, 0.5 * longest))


def _needs(plan: Plan, job: Job, estimates: Mapping[str, Estimate]) -> tuple[float, float]:
    """Minutes of one core, and MB beside the libraries', of a job."""
    members = getattr(job.task, "members", ())
    runs = [estimates.get(member.method) for member in members]
    if not members or None in runs:
        return UNKNOWN_MINUTES / SAFETY, UNKNOWN_MB
    training = sum(run.seconds for run in runs) / 60, sum(run.memory for run in runs) / 2**20
    if job.stage == "train":
        return training
    if job.stage == "evaluate":
        return sum(run.scoring for run in runs) / 60, max(run.scoring_memory for run in runs) / 2**20
    return UNKNOWN_MINUTES / SAFETY + training[0], UNKNOWN_MB + training[1]


def _starved(ends: tuple[End, ...]) -> int:
    """How many attempts ended for lack of memory. Of those killed without a word, the first that was far from what it
    had asked for is taken to have gone down with its node."""
    sure = [
        end for end in ends if end.how == OUT_OF_MEMORY or (end.how == KILLED and end.memory_mb >= HIGH * end.asked_mb)
    ]
    killed = journal.ended(ends, KILLED, OUT_OF_MEMORY)
    return max(len(sure), killed - 1)


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
