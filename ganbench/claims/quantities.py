"""Look-up of every number that a claim may name: measurements, metrics, curves, events, outcomes, axes and options."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from scipy import stats

from ganbench.analysis.collected import Collected
from ganbench.analysis.columns import OUTCOMES
from ganbench.analysis.methods import failed, outcome_indicator, undetermined
from ganbench.claims.curve_quantities import curve_quantity
from ganbench.claims.event_quantities import event_quantity
from ganbench.core.errors import GanbenchError, unknown
from ganbench.study.claim_tests import OF_CURVES, OF_EVENTS
from ganbench.study.expressions import Expression
from ganbench.study.selectors import NUMERIC, Selector, matches
from ganbench.study.train_axes import COLUMNS

STUDY = ""  # in place of a run's identifier, where a measurement belongs to the study and to no run


class Quantities:
    """The numbers that claims name, for every run.

    In an unfinished study, the runs whose results are missing are selected like the others. They have no numbers, so
    that a test is decided only where the missing numbers cannot change its verdict.

    Args:
        collected: the collected results of the study.
    """

    def __init__(self, collected: Collected) -> None:
        self._collected = collected
        self._runs = collected.runs.set_index("run", drop=False)
        self._rows = self._runs.to_dict("records")
        self._all = self._runs
        if collected.missing is not None:
            self._rows += collected.missing.runs.to_dict("records")
            self._all = pd.DataFrame(self._rows, index=[row["run"] for row in self._rows])
        self._known: dict[str, Mapping[str, float]] = {}

    def selected(self, selector: Selector) -> pd.DataFrame:
        """Select the rows of runs, indexed by their identifiers; for the study itself, one row without columns."""
        if selector.study:
            return pd.DataFrame(index=[STUDY])
        return self._all[np.array([matches(selector, row) for row in self._rows], dtype=bool)]

    def values(self, expression: Expression, runs: Iterable[str]) -> np.ndarray:
        """Evaluate an expression in every run.

        Args:
            expression: the expression to evaluate.
            runs: the identifiers of the runs.

        Returns:
            The values, NaN where a run has none, shape (runs,).
        """
        columns = {name: self._column(name) for name in expression.names}
        return np.array(
            [expression.value({name: column.get(run, math.nan) for name, column in columns.items()}) for run in runs],
            dtype=np.float64,
        )

    def of_quality(self, expression: Expression) -> bool:
        """Whether an expression holds the value of a metric that has a better end, be it high or low."""
        parts = [name.partition(".") for name in expression.names]
        named = [what for source, _, what in parts if source in ("final", "best", "first")]
        return any(name in self._collected.metrics and self._collected.metrics[name].best != "none" for name in named)

    def bounds(self, expression: Expression) -> tuple[float, float]:
        """The least and the largest value that an expression can have; infinite unless it is a bounded metric alone."""
        source, _, what = expression.text.partition(".")
        info = self._collected.metrics.get(what) if source in ("final", "best", "first") else None
        lower, upper = (None, None) if info is None else (info.lower, info.upper)
        return -math.inf if lower is None else lower, math.inf if upper is None else upper

    def _column(self, name: str) -> Mapping[str, float]:
        if name not in self._known:
            self._known[name] = self._look_up(name)
        return self._known[name]

    def _look_up(self, name: str) -> Mapping[str, float]:
        source, _, what = name.partition(".")
        match source:
            case "outcome":
                return self._outcome(what)
            case "final":
                return self._of_runs(f"{what}_final")
            case "best" | "first" | "distinct" | "rank_correlation":
                return self._over_snapshots(source, what)
            case _ if source in OF_CURVES:
                return curve_quantity(source, what, self._collected.curves, self._runs)
            case _ if source in OF_EVENTS:
                return event_quantity(source, what, self._collected.events, self._runs)
            case "time" if not what:
                return (self._of_runs("steps") * self._of_runs("learning_rate")).to_dict()
            case _ if what:
                measured = self._collected.measurements
                mine = measured[measured["quantity"] == name].set_index("run")["value"]
                return pd.to_numeric(mine).astype("float64").to_dict()
            case "generator_learning_rate":
                return self._of_runs(name).fillna(self._of_runs("learning_rate")).to_dict()
            case _ if name in NUMERIC:
                return self._of_runs(name).to_dict()
            case _:
                return self._of_runs(COLUMNS.get(name, name)).to_dict()

    def _of_runs(self, column: str) -> pd.Series:
        """A column of numbers, NaN in runs that lack it, and where an option is text."""
        if column not in self._runs:
            return pd.Series(math.nan, index=self._runs.index)
        return pd.to_numeric(self._runs[column], errors="coerce").astype("float64")

    def _outcome(self, what: str) -> Mapping[str, float]:
        outcomes = {name.replace("-", "_"): name for name in OUTCOMES}
        if what not in (*outcomes, "failed"):
            # NaN or 0 in every run would make a misspelt outcome look like an outcome that never happens.
            raise GanbenchError(f"outcome.{what}: {unknown('outcome', what, [*outcomes, 'failed'])}")
        if what == "failed":
            return failed(self._runs).astype("float64").mask(undetermined(self._runs)).to_dict()
        return outcome_indicator(self._runs, outcomes[what]).to_dict()

    def _over_snapshots(self, how: str, metric: str) -> Mapping[str, float]:
        info = self._collected.metrics.get(metric)
        if info is None:
            return {}
        if how == "best" and info.best == "none":
            raise GanbenchError(f"best.{metric}: {info.title} has no better end; use final.{metric} or first.{metric}.")
        snapshots = self._collected.snapshots.sort_values("step")
        later = snapshots if how == "best" else snapshots[snapshots["step"] > 0]
        found = {}
        for run, rows in later.groupby("run"):
            values = pd.to_numeric(rows[metric]).to_numpy(dtype=np.float64)
            if how == "best":
                kept = values[~np.isnan(values)]
                best = max if info.best == "high" else min
                found[run] = float(best(kept, default=math.nan))
            elif how == "first":
                found[run] = float(values[0])
            elif how == "distinct":
                kept = np.unique(values[np.isfinite(values)])
                found[run] = float(len(kept)) if len(kept) else math.nan
            else:
                found[run] = _rank_correlation(values, self._generator_loss(run, rows["step"].to_numpy()))
        return found

    def _generator_loss(self, run: str, steps: np.ndarray) -> np.ndarray:
        """The generator's mean loss in the bin of each step, NaN where no bin holds the step, shape of `steps`."""
        curves = self._collected.curves
        bins = curves[(curves["run"] == run) & (curves["series"] == "generator_loss")]
        first, last, mean = (bins[name].to_numpy(dtype=np.float64) for name in ("first_step", "last_step", "mean"))
        held = [mean[(first <= step) & (step <= last)] for step in steps]
        return np.array([found[0] if len(found) else math.nan for found in held])


def _rank_correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Spearman's correlation over the pairs of finite values; NaN for fewer than three, or if either is constant."""
    kept = np.isfinite(one) & np.isfinite(other)
    if kept.sum() < 3 or np.ptp(one[kept]) == 0 or np.ptp(other[kept]) == 0:
        return math.nan
    return float(stats.spearmanr(one[kept], other[kept]).statistic)
