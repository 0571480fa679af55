"""tables: the collected results as CSV and Parquet, documented column by column."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ganbench.analysis.collected import Collected
from ganbench.pipeline.execution.job_context import Work
from ganbench.report.file_names import table_files
from ganbench.report.tables import write
from ganbench.study.claims import Claim


def run(slice: dict[str, Any], path: Path, work: Work) -> list[Path]:
    claims = [Claim.model_validate(claim) for claim in slice["claims"]]
    folder = Path(slice["folder"])
    with work.progress("tables", 2, "parts") as report:
        collected = Collected.read(Path(slice["collected"]))
        report(1)
        write(collected, folder, claims)
        report(2)
    return [folder / name for name in table_files()]
