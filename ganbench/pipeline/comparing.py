"""Studies compared with one another: their results are read, set side by side, and reported."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ganbench.core.errors import GanbenchError
from ganbench.pipeline.comparison_side import side
from ganbench.pipeline.plan import Plan, distinct_names
from ganbench.pipeline.present_results import read
from ganbench.report import comparison_page
from ganbench.study.schema import load
from ganbench.study.study_files import find_study


def compare(studies: Sequence[Path | str], folder: Path | None = None) -> Path:
    """Write tables, figures and a report of several studies side by side.

    Args:
        studies: the studies' files, or their names.
        folder: the folder to write; by default `compare-<names>` beside the results of the first study.

    Returns:
        The path of the report.

    Raises:
        GanbenchError: fewer than two studies, a study twice, two of one name, or a study without results.
    """
    files = [find_study(study) for study in studies]
    twice = [str(file) for file, count in Counter(file.resolve() for file in files).items() if count > 1]
    if len(files) < 2 or twice:
        received = f"{twice[0]} twice" if twice else ", ".join(map(str, files)) or "none"
        raise GanbenchError(f"a comparison is of two studies or more, each given once; received {received}.")
    plans = [Plan(load(file)) for file in files]
    names = distinct_names(plans)
    sides = [side(plan, file, read(plan, file)) for plan, file in zip(plans, files, strict=True)]
    return comparison_page.write(sides, folder or plans[0].study.results / f"compare-{'-'.join(names)}")
