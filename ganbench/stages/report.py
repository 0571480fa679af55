"""report: one HTML file of a study."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ganbench.analysis.collected import Collected
from ganbench.core.study import parse
from ganbench.report.html import render
from ganbench.stages.jobs import placeless
from ganbench.stages.plan import Plan
from ganbench.stages.timetable import compared
from ganbench.stages.work import Work


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
