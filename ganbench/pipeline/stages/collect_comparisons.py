"""A part of `collect`: comparisons of the runs of one setting, which may lie in several packs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ganbench.contracts.measuring import comparison_fault
from ganbench.core.errors import GanbenchError
from ganbench.core.source_digests import digest
from ganbench.diagnostics import Diagnostic
from ganbench.pipeline.execution.instantiation import CPU, build, build_game
from ganbench.pipeline.tasks import DiagnoseTask, Observation
from ganbench.pipeline.typed_json import encode

Arrays = dict[str, np.ndarray]


@dataclass
class _Setting:
    """The runs of one setting in an experiment."""

    experiment: str
    diagnostic: Diagnostic
    columns: dict[str, Any]
    runs: list[tuple[int, str, Arrays]] = field(default_factory=list)  # seed, run and arrays


class Comparisons:
    """Arrays of runs of diagnostics that compare runs, by experiment and setting."""

    def __init__(self) -> None:
        self._settings: dict[str, _Setting] = {}

    def add(self, task: DiagnoseTask, observation: Observation, arrays: Arrays) -> None:
        """Add the arrays of one run, if its diagnostic compares runs."""
        member, experiment = observation.member, observation.experiment
        if member is None:
            return
        diagnostic = build("diagnostic", task.experiments[experiment].diagnostic)
        if type(diagnostic).compare is Diagnostic.compare:
            return
        components = task.groups[member.group].components
        own = (member.n_train, member.learning_rate, member.generator_learning_rate)
        key = digest([experiment, encode(components), task.train, own])
        if key not in self._settings:
            columns = diagnostic.compared(build_game(components, task.train, None, CPU))
            self._settings[key] = _Setting(experiment, diagnostic, columns)
        self._settings[key].runs.append((member.seed, observation.run, arrays))

    def rows(self) -> list[tuple[str, str, float]]:
        """The run, the quantity and its value of every comparison of two runs or more.

        Raises:
            GanbenchError: a diagnostic's values are not those of its columns.
        """
        found = []
        for setting in self._settings.values():
            runs = sorted(setting.runs, key=lambda each: each[:2])
            if len(runs) < 2:
                continue
            values = setting.diagnostic.compare([arrays for _, _, arrays in runs])
            if fault := comparison_fault(setting.columns, values, len(runs)):
                raise GanbenchError(f"diagnostic {type(setting.diagnostic).__name__} of {setting.experiment}: {fault}.")
            for name, value in values.items():
                numbers = zip(runs, value, strict=True)
                found += [(run, f"{setting.experiment}.{name}", float(number)) for (_, run, _), number in numbers]
        return found
