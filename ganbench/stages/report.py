"""report: one HTML file of a study."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ganbench.analysis.collected import Collected
from ganbench.report.html import render
from ganbench.stages.work import Work


def run(slice: dict[str, Any], path: Path, work: Work) -> None:
    with work.progress("report", 2, "parts") as report:
        collected = Collected.read(Path(slice["collected"]))
        report(1)
        render(
            collected,
            slice["study"],
            Path(slice["figures"]),
            [(kind, of) for kind, of in slice["shown"]],
            Path(slice["folder"]) / "report.html",
        )
        report(2)
