"""figures: the collected results as pictures, SVG and PNG."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ganbench.analysis.collected import Collected
from ganbench.report.figures import write
from ganbench.stages.work import Work


def run(slice: dict[str, Any], path: Path, work: Work) -> None:
    shown = [(kind, of) for kind, of in slice["shown"]]
    with work.progress("figures", len(shown), "figures") as report:
        write(Collected.read(Path(slice["collected"])), Path(slice["folder"]), shown, report)
