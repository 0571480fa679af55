"""The costs of jobs: seconds of one core, and memory. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import replace

from ganbench.pipeline.jobs import Job
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.resources.stored_estimates import Estimate, Timings
from ganbench.pipeline.stage_names import OF_DATASETS, OF_PACKS
from ganbench.report.figure_info import figure_infos

# Times of the stages that run once per study, measured on studies of ten to a few hundred runs on one core.
COLLECT_SECONDS = 0.03  # per run
TRACK_SECONDS = 4.0  # MLflow's imports and its store
TRACK_RUN_SECONDS = 0.02  # per run
TRACK_PICTURED_SECONDS = 0.04  # per run whose samples are drawn
TRACK_MODEL_SECONDS = 0.8  # per model
TABLES_SECONDS = 2.0
FIGURE_SECONDS = 1.0  # per figure
FILM_SECONDS = 5.0  # per figure of a dozen frames
REPORT_SECONDS = 2.0
NOTHING_TIMED = Timings()
UNKNOWN_MB = 2000  # memory beside the libraries' where there is no estimate


def left_to_compute(job: Job, held: Set[str]) -> Job:
    """A job of a pack without the runs and observations that it copies from result files; another job as it is.

    Args:
        job: the job.
        held: the digests of runs and observations that result files hold.
    """
    items, task = job.items if held else (), job.task
    new = tuple(item for item in items if item.digest not in held)
    if len(new) == len(items):
        return job
    if job.stage != "diagnose":
        return replace(job, task=replace(task, members=new))
    index = {member: index for index, member in enumerate(dict.fromkeys(each.member for each in new if each.member))}
    selected: dict[str, tuple[int, ...]] = {each.experiment: () for each in new}
    for each in new:
        selected[each.experiment] += (index[each.member],) if each.member else ()
    experiments = {name: task.experiments[name] for name in selected}
    return replace(job, task=replace(task, members=tuple(index), experiments=experiments, selected=selected))


def only_copies(job: Job) -> bool:
    """Whether nothing of a pack's job is left to compute."""
    return job.stage in OF_PACKS and not job.items


def members_estimates(job: Job, estimates: Mapping[str, Estimate]) -> list[Estimate | None]:
    """The estimates of a pack's members, in their order; None for a member whose method has no estimate."""
    return [estimates.get(member.method) for member in getattr(job.task, "members", ())]


def memory_mb(job: Job, estimates: Mapping[str, Estimate], timings: Timings = NOTHING_TIMED) -> float:
    """The memory of a job in MB, without the libraries' memory.

    Args:
        job: the job.
        estimates: the estimates, by method.
        timings: the timings, which hold the memory of references.
    """
    if job.stage == "reference" and job.name in timings.reference_memory:
        return timings.reference_memory[job.name] / 2**20
    runs = members_estimates(job, estimates)
    if not runs or None in runs:
        return 0 if only_copies(job) else UNKNOWN_MB
    if job.stage == "evaluate":
        return max(run.scoring_memory for run in runs) / 2**20
    once = max(run.examples for run in runs) + max(run.turns for run in runs)
    training = (sum(run.memory for run in runs) + once) / 2**20
    if job.stage == "train":
        return training
    of_judge = max(run.scoring_memory for run in runs) / 2**20 if judged(job) else 0  # and of examples
    trajectories = 2 * sum(run.bytes for run in runs) / 2**20  # all snapshots, and their trajectories
    return UNKNOWN_MB + training + trajectories + of_judge


def judged(job: Job) -> bool:
    """Whether a diagnosis job judges examples."""
    return any(each.judge for each in job.task.experiments.values())


def job_seconds(plan: Plan, job: Job, estimates: Mapping[str, Estimate], timings: Timings) -> float:
    """The seconds of one core from the start of a job's process to its end.

    Args:
        plan: the study's plan.
        job: the job.
        estimates: the estimates, by method.
        timings: the timings of all other work.
    """
    runs = [run for run in members_estimates(job, estimates) if run]
    summaries = {
        "collect": COLLECT_SECONDS * len(plan.grid.runs),
        "track": TRACK_SECONDS
        + TRACK_RUN_SECONDS * len(plan.grid.runs)
        + TRACK_PICTURED_SECONDS * min(plan.study.track.pictures, len(plan.grid.runs))
        + TRACK_MODEL_SECONDS * len(plan.grid.gans) * len(plan.study.track.models),
        "tables": TABLES_SECONDS,
        "figures": sum(
            FILM_SECONDS if figure_infos()[kind].animated else FIGURE_SECONDS for kind, _ in plan.figures.task.shown
        ),
        "report": REPORT_SECONDS,
    }
    if job.stage in summaries:
        return timings.start + summaries[job.stage]
    if job.stage in OF_DATASETS:
        return timings.start + getattr(timings, job.stage).get(job.name, 0.0)
    if job.stage == "train":
        return timings.start + sum(run.seconds for run in runs)
    if job.stage == "evaluate":
        return timings.start + sum(run.scoring for run in runs)
    return timings.start + _observing(job, timings)


def _observing(job: Job, timings: Timings) -> float:
    """The seconds of the observations of a diagnosis job.

    Games of a few numbers are observed together in the time of one; networks are observed one after the other.
    """
    seconds: dict[tuple[str, str], list[float]] = {}
    for each in job.task.observations:
        key = each.experiment, each.member.method if each.member else ""
        seconds.setdefault(key, []).append(timings.observation(*key))
    return sum(sum(each) if job.task.prepared else each[0] for each in seconds.values())
