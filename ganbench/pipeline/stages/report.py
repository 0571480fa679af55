"""Stage `report`: writes the HTML report of a study, and its tables as LaTeX and CSV."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from ganbench.analysis.collected import Collected
from ganbench.pipeline.execution.job_context import JobContext
from ganbench.pipeline.jobs import Job
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.resources.stage_times import compared
from ganbench.pipeline.results_folder import require_compared
from ganbench.pipeline.tasks import ReportTask, without_locations
from ganbench.report import paper
from ganbench.report.file_names import COMPARISON, PAPER, REPORT, paper_files
from ganbench.report.html import render
from ganbench.study.schema import parse
from ganbench.study.study_files import path_from_root


def run(job: Job, context: JobContext) -> list[Path]:
    """Write the report and its tables; returns their paths."""
    task = job.task
    out = task.folder / REPORT
    with context.progress("report", 3, "parts") as report:
        collected = Collected.read(task.collected)
        report(1)
        plan = Plan(parse(task.study, origin="the study that report was given"))
        times = compared(plan, task.folder)
        study = without_locations(task.study)
        results = {
            pack: [Path(os.path.relpath(path, task.folder)).as_posix() for path in vars(files).values() if path]
            for pack, files in task.results.items()
        }
        file = "" if task.file == Path() else path_from_root(task.file)
        about = {"file": file, "results": results, "own": _own_components(plan)}
        render(collected, study, task.figures, list(task.shown), out, times, **about)
        paper.write(collected, study, task.folder / PAPER)
        report(2)
        beside = [_beside(plan, collected, task)] if plan.study.compare else []
        report(3)
    return [out, *(task.folder / PAPER / name for name in paper_files()), *beside]


def _own_components(plan: Plan) -> list[str]:
    """The components of a study that are no part of the package, each with its file and a checksum of that."""
    chosen = [each for run in plan.grid.runs for choice in run.choices for each in (choice, *choice.parts)]
    chosen += [
        *plan.study.evaluate.metrics,
        *map(plan.grid.judge_of, plan.grid.datasets.values()),
        *(each.diagnostic for each in plan.study.diagnose),
    ]
    own = {choice.component.path: choice.family for choice in chosen if not choice.component.shipped}
    return [
        f"{family} {path_from_root(path)} (SHA-256 {hashlib.sha256(path.read_bytes()).hexdigest()[:16]})"
        for path, family in own.items()
    ]


def _beside(plan: Plan, collected: Collected, task: ReportTask) -> Path:
    """Write the report of the study beside those that it is compared with; returns its path."""
    from ganbench.pipeline.comparison_side import side  # with matplotlib, which other reports do without
    from ganbench.report import comparison_page

    require_compared(plan)  # again: another study's file may have been edited since this workflow was planned
    others = plan.compared
    sides = [side(plan, task.file, collected)]
    sides += [side(other, file, Collected.read(other.collect.path.parent)) for file, other in others.items()]
    return comparison_page.write(sides, task.folder / COMPARISON)
