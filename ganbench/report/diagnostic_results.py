"""Results of an experiment for every run: arrays and numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ganbench.analysis.collected import Collected


@dataclass(frozen=True)
class DiagnosticArrays:
    """The arrays of one run in the results of an experiment."""

    run: pd.Series  # its row in the table of runs
    arrays: dict[str, np.ndarray]


def arrays_of_runs(collected: Collected, experiment: str, names: Sequence[str]) -> list[DiagnosticArrays]:
    """The runs of an experiment with all of these arrays and at least one number in each, in their order."""
    arrays = collected.arrays(experiment)
    return [
        DiagnosticArrays(run, mine)
        for _, run in collected.runs[collected.runs["run"].isin(arrays)].iterrows()
        if all(name in (mine := arrays[run["run"]]) and np.isfinite(mine[name]).any() for name in names)
    ]


def values_by_run(collected: Collected, experiment: str) -> pd.DataFrame:
    """The values of an experiment, one row per run (its index) and one column per quantity, in documented order."""
    prefix = f"{experiment}."
    mine = collected.measurements[collected.measurements["quantity"].str.startswith(prefix)]
    wide = mine.pivot(index="run", columns="quantity", values="value")
    wide = wide.reindex(columns=[name for name in collected.quantities if name in wide.columns])
    return wide.rename(columns=lambda name: name.removeprefix(prefix))


def runs_table(shown: Iterable[DiagnosticArrays]) -> pd.DataFrame:
    """The rows of these runs as one table."""
    return pd.DataFrame([result.run for result in shown])
