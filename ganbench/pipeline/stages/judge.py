"""judge: fit the judge of a data set's modes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ganbench.contracts import CONTRACTS
from ganbench.contracts.data import judge_fault
from ganbench.core import result_files
from ganbench.core.errors import GanbenchError
from ganbench.core.member_errors import contract_message
from ganbench.pipeline.execution import result_cache
from ganbench.pipeline.execution.instantiation import CPU, examples, make, verify
from ganbench.pipeline.execution.job_context import Work
from ganbench.pipeline.execution.provenance import versions


def run(slice: dict[str, Any], path: Path, work: Work) -> None:
    verify(slice["sources"], [("judge", slice["judge"])])
    judge, known = make("judge", slice["judge"]), examples(Path(slice["prepared"]))
    with work.progress(f"judge {path.stem[: -result_cache.DIGEST]}", 100, "%") as report:
        state = judge.fit(known, lambda done, total: report(100 * done / total))
        report(100)
    fault = judge_fault(judge, state, known.heldout, int(known.train_modes.max()) + 1)
    if fault:
        raise GanbenchError(contract_message(f"judge {slice['judge']['name']}", fault, CONTRACTS["judge"]))
    with result_files.create_file(path, "judge") as file:
        result_files.write_tree(file.create_group("memory"), state)
        result_files.write_tree(file.create_group("about"), versions(CPU))
