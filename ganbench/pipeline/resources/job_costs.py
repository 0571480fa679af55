"""What a job costs: seconds of one core, and memory. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping

from ganbench.pipeline.jobs import Job
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.resources.stored_estimates import Estimate, Timings

# Of the stages over all results; read off studies of ten to a few hundred runs on one core.
COLLECT_SECONDS = 0.03  # a run
TRACK_SECONDS = 4.0  # MLflow's imports and its store
TRACK_RUN_SECONDS = 0.15
TABLES_SECONDS = 2.0
FIGURE_SECONDS = 1.0
REPORT_SECONDS = 2.0
UNKNOWN_MB = 2000  # beside the libraries', of jobs over all results


def members_estimates(job: Job, estimates: Mapping[str, Estimate]) -> list[Estimate | None]:
    """The estimates of a pack's members, in their order; None for one whose method has none."""
    return [estimates.get(member.method) for member in getattr(job.task, "members", ())]


def memory_mb(job: Job, estimates: Mapping[str, Estimate]) -> float:
    """The memory of a job in MB, beside the libraries'."""
    runs = members_estimates(job, estimates)
    if not runs or None in runs:
        return UNKNOWN_MB
    if job.stage == "evaluate":
        return max(run.scoring_memory for run in runs) / 2**20
    training = sum(run.memory for run in runs) / 2**20
    return training if job.stage == "train" else UNKNOWN_MB + training


def job_seconds(plan: Plan, job: Job, estimates: Mapping[str, Estimate], timings: Timings) -> float:
    """Of one core, for a job from its start to its end.

    Args:
        plan: The study's plan.
        job: A job of it.
        estimates: The estimates, by method.
        timings: The timings of what is no matter of a method.
    """
    runs = [run for run in members_estimates(job, estimates) if run]
    summaries = {
        "collect": COLLECT_SECONDS * len(plan.runs) + sum(timings.scorer.values()),
        "track": TRACK_SECONDS + TRACK_RUN_SECONDS * len(plan.runs),
        "tables": TABLES_SECONDS,
        "figures": FIGURE_SECONDS * len(plan.shown),
        "report": REPORT_SECONDS,
    }
    if job.stage in summaries:
        return timings.start + summaries[job.stage]
    if job.stage in ("prepare", "judge"):
        return timings.start + getattr(timings, job.stage).get(job.name, 0.0)
    if job.stage == "train":
        return timings.start + sum(run.seconds for run in runs)
    if job.stage == "evaluate":
        dataset = plan.packs[job.name].runs[0].choice("dataset")
        return timings.start + timings.scorer.get(dataset.signature, 0.0) + sum(run.scoring for run in runs)
    return timings.start + _observing(job, timings)


def _observing(job: Job, timings: Timings) -> float:
    """Seconds of the observations of a job of `diagnose`. Games of a few numbers are observed together, in the time of
    one; networks take their time each."""
    seconds: dict[tuple[str, str], list[float]] = {}
    for each in job.task.observations:
        key = each.experiment, each.member.method if each.member else ""
        seconds.setdefault(key, []).append(timings.observation(*key))
    return sum(sum(each) if job.task.prepared else each[0] for each in seconds.values())
