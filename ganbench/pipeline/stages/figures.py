"""figures: the collected results as pictures, SVG and PNG."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ganbench.analysis.collected import Collected
from ganbench.pipeline.execution.job_context import Work
from ganbench.report.figures import write
from ganbench.report.file_names import figure_files


def run(slice: dict[str, Any], path: Path, work: Work) -> list[Path]:
    folder, shown = Path(slice["folder"]), [(kind, of) for kind, of in slice["shown"]]
    with work.progress("figures", len(shown), "figures") as report:
        write(Collected.read(Path(slice["collected"])), folder, shown, report)
    return [folder / name for name in figure_files(shown)]
