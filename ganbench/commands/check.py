"""`ganbench check`: what a study will take, and whether it can run at all."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ganbench.commands import DEFAULT, AStudy, out
from ganbench.core.formatting import plural
from ganbench.pipeline import results_folder
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.resources import stored_estimates, summary
from ganbench.pipeline.resources.stored_estimates import Estimate
from ganbench.study.schema import load
from ganbench.study.strict_yaml import read_yaml

EVERY_SECONDS = 10.0  # least time between two lines of progress in a file


def check(
    study: AStudy = DEFAULT,
    profile: Annotated[
        Path | None,
        typer.Option(help="Profile of a cluster, such as workflow/profiles/slurm: show what jobs will request of it."),
    ] = None,
) -> None:
    """Validate a study, try its components, and show what it will take, before any job starts.

    Interrupted with Ctrl-C, it shows the methods that have been timed so far.
    """
    from ganbench.pipeline.preflight.check import Listeners
    from ganbench.pipeline.preflight.check import check as try_parts
    from ganbench.pipeline.preflight.planned_tests import planned_tests
    from ganbench.pipeline.resources import cluster_profile as profiles

    cluster = None if profile is None else profiles.read(profile)
    plan = Plan(load(study, over=cluster.config if cluster else {}), study)
    results_folder.prepare(plan)
    here = cluster is None or cluster.executor == profiles.LOCAL
    notes = [
        f"{other} has a study of the same name, whose results lie in the same folder; rename one of them."
        for other in results_folder.other_studies(plan)
    ]
    notes += cluster.replaced(read_yaml(study)) if cluster else ()
    known: list[Estimate] = []
    try:
        with _progress() as tell:
            estimates = try_parts(
                plan,
                here=here,
                parallel_jobs=cluster and cluster.workers,
                to=Listeners(notes.append, tell, known.append),
            )
    except KeyboardInterrupt:
        if known:
            out.print(summary.estimates(plan, known))
        done = f"{len(known):,} of {plural(len(plan.grid.methods), 'method')} timed"
        out.print(f"Interrupted: {done}; nothing was found wrong so far.", markup=False, emoji=False)
        raise SystemExit(130) from None
    out.print(summary.estimates(plan, estimates))
    where = "on this machine" if here else f"on {cluster.executor}, once jobs are started"
    for part in summary.timetable(plan, estimates, stored_estimates.read_timings(plan.folder), where):
        out.print(part)
    if (tests := planned_tests(plan)) is not None:
        out.print(tests)
    if cluster is not None:
        summary.demand(out, plan, estimates, cluster)
    for note in notes:
        out.print(f"Note: {note}", markup=False, emoji=False)
    out.print(f"Results: {plan.folder}", markup=False, emoji=False)


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """A function that shows what is being done, on standard error: in one line of a terminal that changes, or else as a
    line from time to time, so that a file stays short and short checks say nothing."""
    console = Console(stderr=True, highlight=False)
    if console.is_terminal:
        with console.status("starting") as status:
            yield lambda text: status.update(text.replace("[", r"\["))
        return
    began = told = time.monotonic()

    def tell(text: str) -> None:
        nonlocal told
        if time.monotonic() - told >= EVERY_SECONDS:
            told = time.monotonic()
            print(f"{told - began:.0f} s: {text}", file=sys.stderr, flush=True)

    yield tell
