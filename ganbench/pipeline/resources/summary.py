"""Tables for a terminal about what a study will take."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from ganbench.core.formatting import format_duration, plural
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.resources import requests
from ganbench.pipeline.resources.cluster_profile import Profile
from ganbench.pipeline.resources.job_costs import job_seconds, left_to_compute
from ganbench.pipeline.resources.stage_times import WORKFLOW_SECONDS, by_stage, elapsed
from ganbench.pipeline.resources.stored_estimates import Estimate, Timings, read_held
from ganbench.pipeline.stage_names import STAGES


class BreakingName:
    """A name in a cell of a table, which breaks after hyphens if it is too long.

    Args:
        name: the name.
    """

    def __init__(self, name: str) -> None:
        self._parts = re.findall(r"[^-]+-*|-+", name)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(max(map(len, self._parts)), sum(map(len, self._parts)))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = [""]
        for part in self._parts:
            if lines[-1] and len(lines[-1] + part) > options.max_width:
                lines.append("")
            lines[-1] += part
        yield Text("\n".join(lines), overflow="fold")


def estimates(plan: Plan, found: list[Estimate]) -> Table:
    """A table of the runs, packs, steps, parameters, minutes of one core and disk space of every method."""
    title = f"{plan.study.study}: {plural(len(plan.grid.runs), 'run')} in {plural(len(plan.grid.packs), 'pack')}"
    table = Table(title=title, title_justify="left")
    table.add_column("method")
    for column in ("runs", "packs", "steps", "parameters\nD + G", "core-\nminutes", "disk"):
        table.add_column(column, justify="right", no_wrap=True)
    for estimate in found:
        packs = sum(pack.runs[0].method == estimate.method for pack in plan.grid.packs.values())
        steps = [run.train.steps for run in plan.grid.runs if run.method == estimate.method]
        span = " to ".join(f"{end:,}" for end in dict.fromkeys((min(steps), max(steps))))
        sizes = " + ".join(f"{size:,}" for size in estimate.parameters)
        minutes = f"{estimate.runs * estimate.seconds / 60:.1f}"
        disk = f"{estimate.runs * estimate.bytes / 1e6:.1f} MB"
        table.add_row(BreakingName(estimate.method), f"{estimate.runs:,}", f"{packs:,}", span, sizes, minutes, disk)
    return table


def timetable(plan: Plan, found: list[Estimate], timings: Timings, where: str) -> Iterator[RenderableType]:
    """A table of the jobs of every stage, and a sentence about the time until all are done.

    The table has the number of jobs, the number that are to do, and the minutes of one core that these take.

    Args:
        plan: the study's plan.
        found: the estimates of all methods.
        timings: the timings of all other work.
        where: where the jobs run, in words.
    """
    known = {estimate.method: estimate for estimate in found}
    jobs = [job for stage in STAGES for job in plan.jobs(stage).values()]
    waiting = [job for job in jobs if not job.done]
    held = read_held(plan.folder)
    seconds = {job.path: job_seconds(plan, left_to_compute(job, held), known, timings) for job in waiting}
    counts, todo = Counter(job.stage for job in jobs), by_stage(seconds, waiting)
    table = Table()
    table.add_column("stage", no_wrap=True)
    for column in ("jobs", "to do", "core-minutes"):
        table.add_column(column, justify="right", no_wrap=True)
    for stage, count in counts.items():
        left, total = todo.get(stage, (0, 0.0))
        table.add_row(stage, f"{count:,}", f"{left:,}", f"{total / 60:.1f}")
    yield table
    if not waiting:
        yield f"{plural(len(jobs), 'job')}, all up to date."
        return
    whole = elapsed(seconds, waiting, timings.parallel_jobs) + WORKFLOW_SECONDS
    yield (
        f"{plural(len(jobs), 'job')}, {len(waiting):,} of them to do; Snakemake counts {len(waiting) + 1:,}, its rule "
        f"`all` among them. About {format_duration(whole)} {where}, {plural(timings.parallel_jobs, 'job')} at a time "
        f"({sum(seconds.values()) / 60:,.0f} core-minutes)."
    )


def demand(out: Console, plan: Plan, found: list[Estimate], cluster: Profile) -> None:
    """Print what the jobs that are to do will request of a cluster, stage by stage.

    Args:
        out: the console.
        plan: the study's plan.
        found: the estimates of all methods.
        cluster: the profile of the cluster.
    """
    known = {estimate.method: estimate for estimate in found}
    rows = requests.totals(plan, known)
    if not rows:
        out.print(f"No job is left to submit to {cluster.executor}.")
        return
    title = f"requested of {cluster.executor}, at most {cluster.parallel_jobs} jobs at once"
    table = Table(title=title, title_justify="left")
    for column in ("stage", "jobs", "GPUs each", "memory each", "time each", "job-hours at most"):
        table.add_column(column, justify="left" if column == "stage" else "right")
    for stage, asked in rows.items():
        cells = (asked["gpu"], f"{asked['mem_mb']:,} MB", f"{asked['runtime']} min", f"{asked['hours']:,.1f}")
        table.add_row(stage, f"{asked['jobs']:,}", *map(str, cells))
    out.print(table)
    retried = (
        f"A job that is stopped, out of time or killed is tried again up to {plural(cluster.retries, 'time')}: what is "
        "finished is kept, training goes on from its checkpoint, and a job that was short of memory requests twice "
        "as much."
        if cluster.retries
        else "A job that fails is not tried again: the profile has no retries."
    )
    out.print(f"{retried} Times are {requests.SAFETY:g} times the estimate for one CPU core; on GPUs packs take less.")
    needed = requests.attempts(plan, known)
    if needed > cluster.retries:
        out.print(
            f"Note: the slowest pack may take up to {plural(needed, 'job')} of {plan.study.machine.max_runtime} "
            f"minutes; set `retries: {needed}` in the profile, or a larger machine.max_runtime."
        )
