"""The refusal of claims, and of published numbers, about what no run of theirs is measured or known to have."""

from __future__ import annotations

from collections.abc import Iterator

from ganbench.analysis.columns import OUTCOMES
from ganbench.claims import event_quantities
from ganbench.core.errors import GanbenchError, unknown
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.preflight.claimed_outcomes import (
    critics,
    recorded,
    refuse_unrecorded,
    refuse_unseen,
    unmeasured,
    unseen,
)
from ganbench.pipeline.preflight.trial_diagnostics import DiagnosticTrials
from ganbench.pipeline.preflight.trial_metrics import MetricTrials
from ganbench.study.choices import Choice
from ganbench.study.judging import known_modes
from ganbench.study.selectors import Selector


def refuse_claims(plan: Plan, metrics: MetricTrials, diagnostics: DiagnosticTrials) -> None:
    """Refuse claims and published numbers about what is not measured.

    Args:
        plan: the study's plan.
        metrics: the trials of its metrics, all of which have been made.
        diagnostics: those of its diagnostics.

    Raises:
        GanbenchError: a claim or a published number is refused.
    """
    outcomes = {f"outcome.{outcome.replace('-', '_')}" for outcome in (*OUTCOMES, "failed")}
    of_runs = [
        (run.point, recorded(diagnostics.series[run.method], data=run.choice("dataset") is not None))
        for run in plan.grid.runs
    ]
    measured = (metrics.measured | diagnostics.measured | outcomes | event_quantities.NAMES).union(
        *(has for _, has in of_runs)
    )
    datasets = dict.fromkeys(dataset for run in plan.grid.runs if (dataset := run.choice("dataset")))
    hidden = {dataset: _unseen(plan, metrics, dataset) for dataset in datasets}
    points = [
        (run.point, hidden[dataset] | critics(run.choice("objective")))
        for run in plan.grid.runs
        if (dataset := run.choice("dataset"))
    ]
    for where, names, selectors in _named(plan):
        refuse_unseen(where, names, selectors, points)
        for quantity in sorted(names - measured):
            alike = {name for name in measured if name.partition(".")[0] == quantity.partition(".")[0]}
            raise GanbenchError(f"{where}: " + unknown("measurement", quantity, alike or measured))
        refuse_unrecorded(where, names, selectors, of_runs)


def _named(plan: Plan) -> Iterator[tuple[str, set[str], list[Selector]]]:
    """The measurements that tests of claims and published numbers name: location, dotted names, selected runs."""
    for claim in plan.study.claims:
        for test in (each.test for each in claim.tests):
            names, selectors = test.variables, [of for _, of in test.selectors()]
            yield f"claims.{claim.id}", {name for name in names if "." in name}, selectors
    for index, each in enumerate(plan.study.published):
        yield f"published[{index}]", {name for name in each.quantity.names if "." in name}, [each.where]


def _unseen(plan: Plan, metrics: MetricTrials, dataset: Choice) -> dict[str, str]:
    """What claims cannot name of runs on a data set, each with the reason."""
    columns = metrics.fitting(dataset)
    return unseen(columns, known_modes(plan.grid.judge_of(dataset), dataset)) | unmeasured(columns)
