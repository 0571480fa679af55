"""The statistical tests of a study before its runs are made: how many runs they have, and how many would decide."""

from __future__ import annotations

import pandas as pd
from rich.table import Table

from ganbench.claims.procedures import PROCEDURES, efforts, families
from ganbench.core.errors import GanbenchError
from ganbench.core.formatting import plural
from ganbench.pipeline.plan import Plan
from ganbench.study.claim_tests import ClaimTest
from ganbench.study.selectors import matches


def planned_tests(plan: Plan) -> Table | None:
    """Tabulate the statistical tests of a study's claims; None if it has none.

    A test is decided with 80% power, at the level of the first of its family that is decided, if the effect is as its
    study states.
    """
    points = [run.point for run in plan.grid.runs]

    def seeds(test: ClaimTest) -> list[pd.Series]:
        groups = [selector for _, selector in test.selectors()]
        return [pd.Series([each["seed"] for each in points if matches(group, each)]) for group in groups]

    tests = [(claim, each.test) for claim in plan.study.claims for each in claim.tests]
    found = efforts(plan.study.claims, seeds)
    rows = [(claim, test, effort) for (claim, test), effort in zip(tests, found, strict=True) if effort is not None]
    if not rows:
        return None
    table = Table(title=f"{plural(len(rows), 'statistical test')} of claims", title_justify="left")
    for column in ("claim", "test", "quantity"):
        table.add_column(column)
    table.add_column("runs", justify="right", no_wrap=True)
    table.add_column("would decide, with 80% power")
    for claim, test, effort in rows:
        table.add_row(claim.id, test.kind, test.quantity.text, effort.runs, str(effort))
    return table


def refuse_unconfirmable(plan: Plan) -> None:
    """Refuse tests that no result could confirm, since their runs are too few beside the study's other tests.

    Raises:
        GanbenchError: a test is refused.
    """
    points = [run.point for run in plan.grid.runs]
    tests = [(claim, each.test) for claim in plan.study.claims for each in claim.tests]
    together = families(plan.study.claims)
    for claim, test in tests:
        if reason := PROCEDURES[type(test)].unconfirmable:
            runs = sum(matches(test.where, point) for point in points)
            if fault := reason(test, runs, len(together[claim.exploratory])):
                raise GanbenchError(f"claims.{claim.id}.{test.kind}: {fault}.")
