"""Runs that are stopped early: their part of a task, the rule that stops them, and the sources that it depends on.

This module imports no torch, since plans are made without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ganbench.core import registry
from ganbench.core.formatting import format_percent, plural
from ganbench.core.recorder import check_steps
from ganbench.core.registry import PACKAGE
from ganbench.core.source_digests import refuse_edited, sources_digest
from ganbench.pipeline.tasks import ComponentConfig, StopConfig, TrainTask
from ganbench.study.early_stopping import THRESHOLDS
from ganbench.study.runs import Run
from ganbench.study.sections import Outcome

if TYPE_CHECKING:
    from ganbench.analysis.early_stopping import StopRule


def stop_config(run: Run, outcome: Outcome) -> StopConfig | None:
    """How a run is stopped early; None for a run that is not.

    Args:
        run: the run.
        outcome: the study's section `outcome`.
    """
    option = run.training.get("early_stopping")
    if option is None:
        return None
    outcomes = tuple(option["outcomes"])
    thresholds = {name for each in outcomes for name in THRESHOLDS[each]}
    return StopConfig(outcomes, outcome.model_dump(include=thresholds), _sources(outcomes))


def stop_rule(stop: StopConfig | None, train: dict[str, Any], configs: dict[str, ComponentConfig]) -> StopRule | None:
    """The rule that stops runs early; None if no run is.

    Args:
        stop: how they are stopped.
        train: their training options.
        configs: their components, by family.

    Raises:
        GanbenchError: the rule's sources were edited after the job was planned.
    """
    if stop is None:
        return None
    refuse_edited(stop.sources, _sources(stop.outcomes), "the sources of the rule that stops runs early")
    from ganbench.analysis.early_stopping import StopRule  # imported late: pandas takes long to import

    option = train["early_stopping"]
    objective = registry.find("objective", configs["objective"].name)
    return StopRule(
        outcomes=stop.outcomes,
        checks=check_steps(train["steps"], option["start_from"], option["check_interval"]),
        patience=option["patience"],
        settings=Outcome.model_validate(stop.thresholds),
        probabilities=objective.constants["probability"],
    )


def in_words(task: TrainTask) -> str | None:
    """When the runs of a task are stopped early, as a clause; None if they are not."""
    if task.stop is None:
        return None
    option = task.train["early_stopping"]
    return (
        f"may be stopped early: for {' or '.join(task.stop.outcomes)}, once {plural(option['patience'], 'check')} in a "
        f"row show it, from {format_percent(option['start_from'])} of the steps on at every "
        f"{format_percent(option['check_interval'])}"
    )


def _sources(outcomes: Sequence[str]) -> str:
    """The digest of the sources of the rule and of its detectors, whose files have the names of the outcomes."""
    detectors = [f"{outcome.replace('-', '_')}.py" for outcome in outcomes]
    folder = PACKAGE / "analysis"
    return sources_digest(folder / "early_stopping.py", *(folder / "outcomes" / name for name in detectors))
