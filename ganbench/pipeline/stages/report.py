"""report: one HTML file of a study."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ganbench.analysis.collected import Collected
from ganbench.pipeline.execution.job_context import Work
from ganbench.pipeline.jobs import placeless
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.resources.stage_times import compared
from ganbench.report.html import render
from ganbench.study.schema import parse


def run(slice: dict[str, Any], path: Path, work: Work) -> list[Path]:
    folder = Path(slice["folder"])
    out = folder / "report.html"
    with work.progress("report", 2, "parts") as report:
        collected = Collected.read(Path(slice["collected"]))
        report(1)
        render(
            collected,
            placeless(slice["study"]),
            Path(slice["figures"]),
            [(kind, of) for kind, of in slice["shown"]],
            out,
            compared(Plan(parse(slice["study"], origin="the study that report was given")), folder),
        )
        report(2)
    return [out]
