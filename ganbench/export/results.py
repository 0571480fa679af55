"""The results of a study at hand: its tables as data frames, samples, arrays and trained networks, for notebooks.

    import ganbench
    results = ganbench.results("my-study.yaml")
    results                             # what is there
    results.runs                        # a data frame; results.describe("runs") says what its columns mean
    few = results.select(architecture="dcgan", n_train=[50, 200])
    generator = few.generator(few.runs["run"].iloc[0])  # nn.Module, in evaluation mode

All frames are tables of the study's folder of results, where `ganbench.analysis.columns` explains them. Nothing here
changes a file of the study.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import TypeAdapter, ValidationError
from torch import nn

from ganbench.analysis.collected import Collected
from ganbench.analysis.columns import TABLES
from ganbench.analysis.comparisons import comparisons
from ganbench.analysis.methods import failed, methods
from ganbench.analysis.ranking import ranking
from ganbench.analysis.ranking_tests import ranking_tests
from ganbench.analysis.settings import settings_table
from ganbench.claims.decisions import decide, decisions_table
from ganbench.claims.published import published_table
from ganbench.core.errors import GanbenchError, unknown
from ganbench.core.formatting import plural
from ganbench.core.metric_info import base_of
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.present_results import read as read_present
from ganbench.pipeline.snapshots import find, find_run
from ganbench.report.tables import described
from ganbench.study.schema import load
from ganbench.study.selectors import Selector, SelectorField, matches
from ganbench.study.strict_yaml import describe_errors
from ganbench.study.study_files import find_study
from ganbench.study.train_axes import COLUMNS

OF_RUNS = ("snapshots", "curves", "measurements", "run_outcomes", "events", "modes")  # the tables with a column `run`
OF_DATASETS = ("references", "nulls")
DERIVED = (
    "settings",
    "comparisons",
    "ranking",
    "ranking_tests",
    "claims",
    "published",
)  # made of the others when they are asked for
ALL = Selector()
MAX_SHOWN = 12  # methods in a representation, and values in a message


@dataclass(frozen=True, kw_only=True, repr=False)
class Results(Collected):
    """A study's results, or those of the runs that `select` chose.

    Attributes:
        plan: the plan of the study.
        file: the study's file.
        selection: the runs that are here; all by default.
        whole: the results of all runs, where these are a selection.
    """

    plan: Plan
    file: Path
    selection: Selector = ALL
    whole: Results | None = None

    @cached_property
    def settings(self) -> pd.DataFrame:
        """One row per method and setting: all runs here that differ only in their seed."""
        return settings_table(self)

    @cached_property
    def comparisons(self) -> pd.DataFrame:
        """One row per pair of methods of a data set, of the runs here; p-values are adjusted within this table."""
        return comparisons(self.gans)

    @cached_property
    def ranking_tests(self) -> pd.DataFrame:
        """One row per pair of methods of a data set: whether the runs here show one to be the better one."""
        return ranking_tests(self.gans)

    @cached_property
    def ranking(self) -> pd.DataFrame:
        """One row per method: its place among the methods of its data set, by the runs here."""
        return ranking(self.gans, self.ranking_tests)

    @cached_property
    def claims(self) -> pd.DataFrame:
        """One row per test of every claim of the study. A selection changes none of them."""
        return decisions_table(decide(self.whole or self, self.plan.study.claims))

    @cached_property
    def published(self) -> pd.DataFrame:
        """One row per published number, beside the study's own. A selection changes none."""
        return published_table(self.whole or self, self.plan.study.published)

    def select(self, **axes: Any) -> Results:
        """The results of some runs: every frame holds only theirs, but `claims` and `published`, which stay whole.

        Args:
            **axes: a value or a list of values by axis, as selectors in study files have them: an axis of the grid,
                `method`, or a training option; names of components may have options, labels and `*`.

        Returns:
            The results of the runs that have one of the values on every axis. Measurements that belong to no run are
            not among them; `references` and `nulls` are those of the data sets that are left.

        Raises:
            GanbenchError: an unknown axis, a value of the wrong type, or values that no run has.
        """
        try:
            selector = TypeAdapter(SelectorField).validate_python(axes)
        except ValidationError as error:
            raise GanbenchError(f"{'; '.join(describe_errors(error, 'select')).rstrip('.')}.") from None
        chosen = _matching(self.runs, selector)
        if chosen.empty:
            raise GanbenchError(f"no run of {self._name} matches {selector}. {self._values(selector)}")
        keys = dict.fromkeys(OF_RUNS, "run") | dict.fromkeys(OF_DATASETS, "dataset")
        tables = {name: _with(getattr(self, name), key, chosen[key]) for name, key in keys.items()}
        missing = self.missing and replace(self.missing, runs=_matching(self.missing.runs, selector))
        both = self.selection.intersection(selector)
        return replace(self, runs=chosen, **tables, missing=missing, selection=both, whole=self.whole or self)

    def describe(self, table: str) -> pd.DataFrame:
        """What the columns of a frame mean.

        Args:
            table: name of a frame; `quantities` for the numbers in `measurements`.

        Returns:
            One row per column: column, meaning, unit, and which values are better, `low` or `high`; the last two are
            empty where they do not apply.
        """
        known = described(self)
        if table not in known:
            raise GanbenchError(unknown("table", table, known))
        return known[table]

    def samples(self, run: str) -> tuple[np.ndarray, np.ndarray]:
        """The generated examples of a run; see `Collected.samples`.

        Raises:
            GanbenchError: an unknown run, one without results yet, or one that has no examples.
        """
        chosen = find_run(self.plan, run)
        if chosen.choice("dataset") is None:
            raise GanbenchError(f"run {run} plays {chosen.choice('game').signature}, a game without examples.")
        if run not in set((self.whole or self).runs["run"]):
            raise GanbenchError(f"run {run} has no results yet; `missing.runs` says what it waits for.")
        return super().samples(run)

    def real(self, dataset: str) -> np.ndarray:
        """Real held-out examples of a data set; see `Collected.real`."""
        names = set((self.whole or self).runs["dataset"].dropna())
        if dataset not in names:
            raise GanbenchError(unknown("data set", dataset, names))
        return super().real(dataset)

    def arrays(self, experiment: str) -> dict[str, dict[str, np.ndarray]]:
        """The arrays that an experiment measured, by run and name; see `Collected.arrays`."""
        if experiment not in self.plan.grid.experiments:
            raise GanbenchError(unknown("experiment", experiment, self.plan.grid.experiments))
        found = super().arrays(experiment)
        here = found if self.whole is None else set(self.runs["run"])
        return {run: arrays for run, arrays in found.items() if run in here}

    def generator(self, run: str, step: int | None = None, *, averaged: bool = False) -> nn.Module:
        """The generator of a run, from latent points (batch, latent_size) to examples (batch, *example).

        Args:
            run: the run's id.
            step: the snapshot; the last one by default.
            averaged: whether to take the moving average of the parameters (`ema_decay`) in their place.

        Returns:
            The module, in single precision and in evaluation mode.

        Raises:
            GanbenchError: see `ganbench.export.generator`.
        """
        return find(self.file, run, step, averaged, self.plan).module("generator")

    def discriminator(self, run: str, step: int | None = None, *, averaged: bool = False) -> nn.Module:
        """The discriminator of a run, from examples (batch, *example) to logits (batch,); see `generator`."""
        return find(self.file, run, step, averaged, self.plan).module("discriminator")

    def __repr__(self) -> str:
        names, bad = methods(self), failed(self.runs)
        lines = [f"Results of {self._name}: {self._share}, {plural(len(names), 'method')}, {int(bad.sum()):,} failed"]
        if self.selection != ALL:
            lines.append(f"selected: {self.selection}")
        for name in names[:MAX_SHOWN]:
            mine = self.runs["method"] == name
            lines.append(f"  {name}: {plural(int(mine.sum()), 'run')}, {int(bad[mine].sum()):,} failed")
        if len(names) > MAX_SHOWN:
            lines.append(f"  and {len(names) - MAX_SHOWN:,} more")
        filled = [f"{name} ({len(getattr(self, name)):,})" for name in TABLES if len(getattr(self, name))]
        metrics = ", ".join(name for name in self.metrics if base_of(name) == name)
        averages = (
            " (and of averaged parameters, `_ema`)" if any(base_of(name) != name for name in self.metrics) else ""
        )
        lines += [f"tables: {', '.join([*filled, *DERIVED])}", f"metrics: {metrics}{averages}"]
        if self.plan.grid.experiments:
            lines.append(f"experiments: {', '.join(self.plan.grid.experiments)}")
        return "\n".join(lines)

    @property
    def _name(self) -> str:
        return f"study {self.plan.study.study!r}"

    @property
    def _share(self) -> str:
        if self.whole is not None:
            return f"{len(self.runs):,} of {plural(len(self.whole.runs), 'run')}"
        return plural(len(self.runs), "run") if self.missing is None else f"{self.share} so far"

    def _values(self, selector: Selector) -> str:
        """The values of the axes of a selector that runs here have, as sentences."""
        sentences = []
        for axis, _ in selector.axes:
            column = COLUMNS.get(axis, axis)
            values = self.runs[column].dropna().unique().tolist() if column in self.runs else []
            more = f" and {len(values) - MAX_SHOWN:,} more" if len(values) > MAX_SHOWN else ""
            sentences.append(f"Values of {axis}: {', '.join(map(str, values[:MAX_SHOWN])) or 'none'}{more}.")
        return " ".join(sentences)


def _matching(runs: pd.DataFrame, selector: Selector) -> pd.DataFrame:
    """The rows of runs that a selector selects."""
    rows = runs.to_dict("records")
    return runs[np.array([matches(selector, row) for row in rows], dtype=bool)].reset_index(drop=True)


def _with(table: pd.DataFrame, column: str, values: pd.Series) -> pd.DataFrame:
    """The rows of a table with one of the values in a column."""
    return table[table[column].isin(values)].reset_index(drop=True)


def read(study: Path | str) -> Results:
    """Read the results of a study; those so far of an unfinished one, whose `missing` says what it lacks.

    Args:
        study: path of the study's file, or the study's name in a file below `config/`. The study's `results` and
            `config/` are looked up from the working directory, as commands do.

    Raises:
        GanbenchError: there is no such study, it has no results that fit its file and the sources, or a file is
            damaged.
    """
    file = find_study(study)
    plan = Plan(load(file))
    found = read_present(plan, file)
    return Results(**{each.name: getattr(found, each.name) for each in fields(found)}, plan=plan, file=file)
