"""report: one HTML file of a study."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ganbench.analysis.collected import Collected
from ganbench.report.html import render
from ganbench.stages.work import Work


def run(slice: dict[str, Any], path: Path, work: Work) -> list[Path]:
    out = Path(slice["folder"]) / "report.html"
    render(
        Collected.read(Path(slice["collected"])),
        slice["study"],
        Path(slice["figures"]),
        [(kind, of) for kind, of in slice["shown"]],
        out,
    )
    return [out]
