"""`ganbench status`: show the status of a study, once or until it is done."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ganbench.commands import DEFAULT, AStudy, out
from ganbench.core import strict_json
from ganbench.core.errors import GanbenchError
from ganbench.core.formatting import format_duration, format_number, format_percent, join_words, plural, truncate
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.status import (
    DONE,
    FAILED,
    RUNNING,
    SILENT,
    STATES,
    STOPPED,
    JobStatus,
    Known,
    StudyStatus,
    read_status,
)
from ganbench.study.schema import load

ROWS = 20  # number of jobs that are shown in each state
BAR = 14  # width of progress bars; the table fits in 80 columns
WATCH_SECONDS = 3.0
COLOURS = {RUNNING: "cyan", SILENT: "yellow", STOPPED: "yellow", FAILED: "bold red", DONE: "green"}
THEN = {
    STOPPED: "stopped, and goes on at its next attempt",
    SILENT: "has been silent",
    FAILED: "failed",
}


def status(
    study: AStudy = DEFAULT,
    every: Annotated[bool, typer.Option("--all", help="Show all jobs that run or failed, however many.")] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Show the status repeatedly while a workflow or a job runs.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the status of every job as JSON, for programs.")
    ] = False,
) -> None:
    """Show which jobs of a study are done, which run and how far they are, and which failed and why.

    The exit status is 1 if jobs have failed, and of a watch also if it ends before the study is done.
    """
    if watch and as_json:
        raise GanbenchError("--watch is for people and --json for programs; choose one of them.")
    plan, rows = Plan(load(study)), None if every else ROWS
    try:
        now = _watch(plan, f"{study}", rows) if watch else read_status(plan)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    if as_json:
        print(strict_json.dumps(now.about(), indent=1))
    elif not watch:
        for part in page(now, f"{study}", rows):
            out.print(part, soft_wrap=isinstance(part, Text))  # paths stay whole, to be copied
    if now.of(FAILED) or (watch and not now.done):
        raise typer.Exit(1)


def _watch(plan: Plan, study: str, rows: int | None) -> StudyStatus:
    """Show the status of a study while anything happens; returns the last status."""
    known = Known()
    with Live(console=out, auto_refresh=False) as live:
        while True:
            now = read_status(plan, known)
            live.update(Group(*page(now, study, rows)), refresh=True)
            if now.done or not now.under_way:
                return now
            time.sleep(WATCH_SECONDS)


def page(now: StudyStatus, study: str, rows: int | None) -> Iterator[RenderableType]:
    """The parts of a status that are shown on a terminal.

    Args:
        now: the status.
        study: the study's file, as commands name it.
        rows: the number of jobs to show in each state; None for all.
    """
    total = len(now.jobs)
    yield Text(f"{now.study}: {len(now.of(DONE)):,} of {plural(total, 'job')} done{_left(now)}. {_holder(now)}")
    yield _summary(now)
    if now.stopped_early:
        stopped = join_words([f"{count:,} for {outcome}" for outcome, count in sorted(now.stopped_early.items())])
        yield Text(f"\nRuns that were stopped early: {stopped}.")
    for state in (RUNNING, SILENT, STOPPED, FAILED):
        shown = now.of(state)
        yield from (_running(each) if state == RUNNING else _ended(each) for each in shown[:rows])
        if rows is not None and len(shown) > rows:
            yield Text(f"\n{len(shown) - rows:,} more {state}; --all shows them")
    last = "evaluate" if "evaluate" in now.counts() else "train"  # the stage after which a run's outcome is known
    if not now.done and any(each.job.stage == last for each in now.of(DONE)):
        yield Text(f"\nganbench report {study} --partial shows the present results.")


def _left(now: StudyStatus) -> str:
    return "" if now.done or now.seconds_left is None else f", about {format_duration(now.seconds_left)} left"


def _holder(now: StudyStatus) -> str:
    if now.held:
        return f"The results folder is in use by {now.held}."
    if not now.folder.exists():
        return f"There is no folder {now.folder.absolute()}: no workflow has begun in this working folder."
    return "" if now.done else "Nobody holds the results folder: no workflow is running."


def _summary(now: StudyStatus) -> Table:
    """A table of the number of jobs in each state, by stage and in all."""
    counts = now.counts()
    everything = {state: len(now.of(state)) for state in STATES}
    rare = [state for state in (SILENT, STOPPED) if not everything[state]]
    states = [state for state in STATES if state not in rare]
    table = Table(show_footer=True, box=None, pad_edge=False)
    table.add_column("stage", "all", no_wrap=True)
    for state in states:
        table.add_column(state, f"{everything[state]:,}", justify="right", style=COLOURS.get(state), overflow="fold")
    table.add_column("", _bar(everything[DONE], len(now.jobs)), max_width=BAR)
    table.add_column("", format_percent(everything[DONE] / max(len(now.jobs), 1)), justify="right")
    for stage, count in counts.items():
        cells = [Text(f"{count[state]:,}", "" if count[state] else "dim") for state in states]
        table.add_row(stage, *cells, _bar(count[DONE], count.total()), format_percent(count[DONE] / count.total()))
    return table


def _bar(done: int, total: int) -> ProgressBar:
    return ProgressBar(total=total, completed=done, complete_style="green", finished_style="green")


def _running(status: JobStatus) -> Text:
    """The description of a running job: its node, progress and rate."""
    entry = status.entry
    parts = [f"{entry.done:,.0f}/{entry.total:,.0f} {entry.unit}"] if entry.total else []
    parts += [f"{format_number(entry.rate)}/s"] if entry.rate > 0 else []
    parts += [f"{format_duration(entry.seconds_left)} left"] if entry.seconds_left is not None else []
    parts += [f"{entry.memory_mb:,.0f} MB"]
    text = Text(f"\n{status.job.stage} {status.job.name}", "bold")
    text.append(f" runs ({_where(status)})", COLOURS[RUNNING])
    return text.append(f"\n  {', '.join(parts)}", "not bold")


def _where(status: JobStatus) -> str:
    job, tries = status.entry.cluster_job, status.attempts
    parts = [status.entry.host, f"job {job}" if job else "", f"attempt {tries}" if tries > 1 else ""]
    return ", ".join(filter(None, parts))


def _ended(status: JobStatus) -> Text:
    """The description of a job that has ended or is silent: its state, node, cause and log."""
    silent = f" since {status.entry.at}" if status.state == SILENT else ""
    where = f" ({_where(status)})" if status.entry else ""
    text = Text(f"\n{status.job.stage} {status.job.name}", "bold")
    text.append(f" {THEN[status.state]}{silent}{where}", COLOURS[status.state])
    text.append(f"\n  {truncate(status.cause)}", "not bold")
    text.append(f"\n  {status.log or 'no log: it ran outside of the workflow'}", "not bold")
    return text
