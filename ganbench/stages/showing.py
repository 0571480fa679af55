"""What a study will take, as tables for a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from ganbench.stages import asking
from ganbench.stages.asking import Estimate
from ganbench.stages.plan import Plan
from ganbench.stages.profile import Profile


def estimates(plan: Plan, found: list[Estimate]) -> Table:
    """By contender: runs, packs, parameters, minutes of one core, and room on disk."""
    table = Table(
        title=f"{plan.study.study}: {len(plan.runs):,} runs in {len(plan.packs):,} packs", title_justify="left"
    )
    for column in ("contender", "runs", "packs", "parameters D + G", "core-minutes", "disk"):
        table.add_column(column, justify="left" if column == "contender" else "right", overflow="fold")
    for estimate in found:
        packs = sum(pack.runs[0].contender == estimate.contender for pack in plan.packs.values())
        sizes = " + ".join(f"{size:,}" for size in estimate.parameters)
        minutes = f"{estimate.runs * estimate.seconds / 60:.1f}"
        disk = f"{estimate.runs * estimate.bytes / 1e6:.1f} MB"
        table.add_row(estimate.contender, f"{estimate.runs:,}", f"{packs:,}", sizes, minutes, disk)
    return table


def demand(out: Console, plan: Plan, found: list[Estimate], cluster: Profile) -> None:
    """What the jobs that are to do will ask of a cluster, stage by stage."""
    known = {estimate.contender: estimate for estimate in found}
    rows = asking.summary(plan, known)
    if not rows:
        out.print(f"Nothing is left to ask of {cluster.executor}.")
        return
    title = f"asked of {cluster.executor}, at most {cluster.at_once} jobs at once"
    table = Table(title=title, title_justify="left")
    for column in ("stage", "jobs", "GPUs each", "memory each", "time each", "job-hours at most"):
        table.add_column(column, justify="left" if column == "stage" else "right")
    for stage, asked in rows.items():
        cells = (asked["gpu"], f"{asked['mem_mb']:,} MB", f"{asked['runtime']} min", f"{asked['hours']:,.1f}")
        table.add_row(stage, f"{asked['jobs']:,}", *map(str, cells))
    out.print(table)
    retried = (
        f"A job that is stopped, out of time or killed is tried again up to {cluster.retries} times: what is "
        "finished is kept, training goes on from its checkpoint, and who was short of memory gets twice as much."
        if cluster.retries
        else "A job that fails is not tried again: the profile has no retries."
    )
    out.print(f"{retried} Times are {asking.SAFETY:g} times the estimate for one CPU core; on GPUs packs take less.")
    needed = asking.attempts(plan, known)
    if needed > cluster.retries:
        out.print(
            f"Note: the slowest pack may take up to {needed} jobs of {plan.study.machine.longest_minutes} minutes; set "
            f"`retries: {needed}` in the profile, or a longer machine.longest_minutes."
        )
