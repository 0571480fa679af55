"""Checks of a study's experiments, claims and published numbers: their runs exist, and what they need is measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from typing import Any

from ganbench.core.errors import GanbenchError, unknown
from ganbench.core.formatting import truncate
from ganbench.study.claim_tests import NUMBERS, PREFIXES, ClaimTest
from ganbench.study.claims import Claim, option_names, plain_names, run_selectors
from ganbench.study.expressions import Expression
from ganbench.study.published import Published
from ganbench.study.selectors import Selector, matches
from ganbench.study.train_axes import COLUMNS


def validate_targets(
    experiments: Sequence[Any],
    claims: Sequence[Claim],
    published: Sequence[Published],
    points: Sequence[Mapping[str, Any]],
    variables: Sequence[Mapping[str, float]],
) -> None:
    """Refuse experiments, claims and published numbers that the runs of a study cannot serve.

    Args:
        experiments: the experiments of the study, with `name`, `where` and `diagnostic`.
        claims: the claims of the study.
        published: the published numbers that the study sets its own beside.
        points: by run, the values that selectors match.
        variables: by run, the numbers that are known before it starts: axes, steps, numeric options of its components.

    Raises:
        GanbenchError: a selector matches no run, a claim or a published number needs a measurement that no experiment
            of the study makes or an option that no run has, or an expression is finite in no run.
    """
    numbers = {name for known in variables for name in known if name not in NUMBERS}
    for experiment in experiments:
        if experiment.of_study and experiment.where != Selector():
            raise GanbenchError(
                f"diagnose.{experiment.name}.where: this diagnostic measures no runs; leave 'where' out."
            )
    wanted = [(f"diagnose.{experiment.name}.where", experiment.where) for experiment in experiments]
    wanted += [(f"claims.{claim.id}.{where}", selector) for claim in claims for where, selector in run_selectors(claim)]
    wanted += [(f"published[{index}].where", each.where) for index, each in enumerate(published)]
    for where, selector in wanted:
        if not selector.study and not any(matches(selector, point) for point in points):
            raise GanbenchError(f"{where}: no run of the grid matches {selector}. {_unmatched(selector, points)}")
    by_name = {each.name: each for each in experiments}
    for claim in claims:
        for option in sorted(option_names(claim) - numbers):
            raise GanbenchError(f"claims.{claim.id}: " + unknown("option", option, numbers))
        for test in (each.test for each in claim.tests):
            names = {name for name in test.variables if "." in name}
            at = (f"claims.{claim.id}", f"claims.{claim.id}.{test.kind}")
            _check_measured(names, list(test.selectors()), at, by_name, points)
            _check_finite(at[1], test, points, variables)
    for index, each in enumerate(published):
        at = f"published[{index}]"
        for option in sorted(plain_names(each.quantity.names) - numbers):
            raise GanbenchError(f"{at}: " + unknown("option", option, numbers))
        names = {name for name in each.quantity.names if "." in name}
        _check_measured(names, [("where", each.where)], (at, at), by_name, points)


def _unmatched(selector: Selector, points: Sequence[Mapping[str, Any]]) -> str:
    """The first value of a selector that no run has, with those that there are; or that no run has all of them."""
    for axis, values in selector.axes:
        one = Selector(((axis, values),))
        if not any(matches(one, point) for point in points):
            column = COLUMNS.get(axis, axis)
            found = dict.fromkeys(str(point[column]) for point in points if point.get(column) is not None)
            return f"No run has {one}; the runs have {truncate(', '.join(found)) or 'none'}."
    return "Some runs have each of these values, and none has all of them."


def _check_measured(
    names: Iterable[str],
    selectors: Sequence[tuple[str, Selector]],
    at: tuple[str, str],
    experiments: Mapping[str, Any],
    points: Sequence[Mapping[str, Any]],
) -> None:
    """Refuse measurements of an experiment which does not measure all runs of a test.

    Args:
        names: the dotted names of the measurements.
        selectors: the selectors of the test, each with its location in the test.
        at: the locations of what holds the test, and of the test.
        experiments: the experiments of the study by name.
        points: by run, the values that selectors match.
    """
    named = {name.partition(".")[0] for name in names}
    if named & set(PREFIXES) and any(selector.study for _, selector in selectors):
        raise GanbenchError(f"{at[1]}: {', '.join(sorted(named))} are of runs, not of the study.")
    named -= set(PREFIXES)
    for name in sorted(named):
        if name not in experiments:
            raise GanbenchError(f"{at[0]}: " + unknown("experiment", name, [*PREFIXES, *experiments]))
        experiment = experiments[name]
        for where, selector in selectors:
            location = f"{at[1]}.{where}"
            if selector.study != experiment.of_study:
                seen = "the study, not runs" if experiment.of_study else "runs, not the study"
                raise GanbenchError(f"{location}: {name} measures {seen}.")
            apart = [p for p in points if matches(selector, p) and not matches(experiment.where, p)]
            if apart and not selector.study:
                first = ", ".join(f"{axis} {apart[0][axis]}" for axis in ("method", "learning_rate", "seed"))
                raise GanbenchError(f"{location}: {name} does not measure all of {selector}; not {first}.")


def _check_finite(
    location: str, test: ClaimTest, points: Sequence[Mapping[str, Any]], variables: Sequence[Mapping[str, float]]
) -> None:
    """Refuse a test with an expression, of numbers known before the runs, that is finite in none of its runs."""
    if test.where.study:
        return
    chosen = [selector for _, selector in test.selectors()]
    runs = [at for at, point in enumerate(points) if any(matches(selector, point) for selector in chosen)]
    for key, value in test:
        if not isinstance(value, Expression) or any("." in name for name in value.names) or not value.names:
            continue
        if not any(isfinite(value.value(variables[at])) for at in runs):
            raise GanbenchError(
                f"{location}.{key}: {value.text!r} has no finite value in any of the runs that it tests."
            )
