"""tables: the collected results as CSV and Parquet, documented column by column."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ganbench.analysis.collected import Collected
from ganbench.core.claims import Claim
from ganbench.report.tables import write
from ganbench.stages.work import Work


def run(slice: dict[str, Any], path: Path, work: Work) -> None:
    claims = [Claim.model_validate(claim) for claim in slice["claims"]]
    with work.progress("tables", 2, "parts") as report:
        collected = Collected.read(Path(slice["collected"]))
        report(1)
        write(collected, Path(slice["folder"]), claims)
        report(2)
