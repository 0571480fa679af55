"""Refusal of claims about outcomes, events and recorded series that no run of theirs can be known to have."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ganbench.analysis.columns import OPEN, SUCCESSES
from ganbench.analysis.outcome import ESSENTIAL
from ganbench.analysis.outcome_catalogue import catalogue
from ganbench.analysis.outcomes._run import DIVERSITY
from ganbench.claims import event_quantities
from ganbench.core.errors import GanbenchError
from ganbench.core.formatting import join_words
from ganbench.core.metric_info import MetricInfo
from ganbench.study.choices import Choice
from ganbench.study.claim_tests import OF_CURVES, OF_EVENTS
from ganbench.study.selectors import Selector, matches

OF_MODES = ("collapsed", "partly-collapsed", "cycling")  # nothing of one mode can have these
COLLAPSE = (
    "without the metric mode_coverage, which detects a collapse, and a judge that tells modes apart; of data without"
    " labels, diversity detects a whole one. Add them to evaluate.metrics, take data with labels, or claim"
    " outcome.diverged"
)


def unseen(columns: Collection[str], modes: int) -> dict[str, str]:
    """What claims cannot name of runs that train networks on a data set.

    Args:
        columns: the columns of the metrics that are evaluated on it.
        modes: the number of modes that its judge tells apart.

    Returns:
        By quantity, such as `outcome.memorizing`, why it cannot be known and what helps, as the rest of a clause.
    """
    found = {}
    for name, info in catalogue().items():
        missing = [(column, metric) for column, metric in info.needs.items() if column not in columns]
        if name == "collapsed" and modes < 2 and DIVERSITY in columns:
            continue
        if name in OF_MODES and modes == 1:
            found[name] = "on data of one mode, which have no other. Claim another outcome"
        elif name in OF_MODES and (missing or not modes):
            found[name] = COLLAPSE
        elif missing:
            column, metric = missing[0]
            found[name] = (
                f"without a metric that fills the column {column} on their data, as {metric} does. Add {metric} to"
                " evaluate.metrics, take data that it supports, or claim another outcome"
            )
    if modes != 1 and any(name in found for name in ESSENTIAL):  # any run without another failure is undetermined
        found |= dict.fromkeys((*OPEN, *SUCCESSES, "failed"), COLLAPSE)
    hops = found.get("cycling")  # which is told by the modes that events of the kind mode-hop are told by
    hidden = {f"outcome.{name.replace('-', '_')}": why for name, why in found.items()}
    return hidden | ({name: hops for name in event_quantities.NAMES if "mode_hop" in name} if hops else {})


def critics(objective: Choice | None) -> dict[str, str]:
    """What claims cannot name of runs whose discriminator gives scores in place of probabilities, as for `unseen`."""
    if objective is None or objective.component.constants["probability"]:
        return {}
    why = f"with the objective {objective.signature}, whose discriminator gives scores and no probabilities"
    return dict.fromkeys(event_quantities.OF_PROBABILITIES, why)


def unmeasured(columns: Mapping[str, MetricInfo]) -> dict[str, str]:
    """What claims cannot name of runs whose progress no metric measures, as for `unseen`.

    Args:
        columns: the columns of the metrics that are evaluated on their data, with their meanings.
    """
    if any(info.best != "none" for info in columns.values()):
        return {}
    why = "without a metric that has a better end, by which a generator gets worse again. Add one to evaluate.metrics"
    return {name: why for name in event_quantities.NAMES if "relapse" in name}


def recorded(series: Collection[str], *, data: bool) -> set[str]:
    """The numbers of series and events that claims can name of a run.

    Args:
        series: the series that the run records.
        data: whether it trains networks on data; other games have no events.
    """
    return {f"{how}.{name}" for how in OF_CURVES for name in series} | (event_quantities.NAMES if data else set())


def refuse_unrecorded(
    where: str,
    names: Collection[str],
    selectors: Sequence[Selector],
    points: Sequence[tuple[dict[str, Any], set[str]]],
) -> None:
    """Refuse a test about a series or about events that none of the runs which it selects has.

    Args:
        where: the location of the test in the study, such as `claims.A1`.
        names: the numbers that it names.
        selectors: its groups of runs.
        points: all runs, each with what it has, see `recorded`.

    Raises:
        GanbenchError: a group has no run with such a number.
    """
    asked = sorted(name for name in names if name.partition(".")[0] in (*OF_CURVES, *OF_EVENTS))
    for selector in selectors:
        known = [has for point, has in points if matches(selector, point)]
        for name in asked if known else ():
            if not any(name in has for has in known):
                source = name.partition(".")[0]
                valid = sorted({other for has in known for other in has if other.partition(".")[0] == source})
                have = f"they have {', '.join(valid)}" if valid else "none trains networks on data, as events need"
                raise GanbenchError(f"{where}: no run of {selector} has {name}; {have}.")


def refuse_unseen(
    where: str,
    names: Collection[str],
    selectors: Sequence[Selector],
    points: Sequence[tuple[dict[str, Any], dict[str, str]]],
) -> None:
    """Refuse a test about outcomes or events that are not known of a run that it selects.

    Args:
        where: the location of the test in the study, such as `claims.A1`.
        names: the numbers that it names.
        selectors: its runs.
        points: the runs that train networks on data, each with what cannot be named of it, see `unseen`.

    Raises:
        GanbenchError: the test names such an outcome or event.
    """
    for point, hidden in points:
        lost = sorted(hidden.keys() & names)
        if lost and any(matches(of, point) for of in selectors):
            why = hidden[lost[0]]
            lost = [name for name in lost if hidden[name] == why]
            raise GanbenchError(
                f"{where}: {join_words(lost)} of runs that train networks on data cannot be known {why}."
            )
