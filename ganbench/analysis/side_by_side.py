"""Several studies side by side: which settings they share, and what differs between the studies.

Methods are matched by what they are, the components with their options, and not by their labels or names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from ganbench.analysis.collected import Collected
from ganbench.analysis.columns import AXES, ORIGINS, SETTING
from ganbench.analysis.pairing import keys
from ganbench.analysis.settings import settings_table
from ganbench.core.registry import CHOICES

ALWAYS = ("architecture",)  # the families that the text of every method with networks contains
WITHOUT = ("none", "gan")  # choices that texts leave out
NO_THRESHOLDS = ("outcome_onset", "outcome_evidence")  # columns of runs that begin like those of thresholds
Key = tuple[tuple[str, str], ...]  # what a method is: by family, the signature of its component

SETTINGS = {
    "study": "name of the study",
    "compared": "what the method is: its components, as far as methods of these studies differ in them",
    "studies": "number of these studies that have the method at this setting",
    "dataset": AXES["dataset"],
    **{name: AXES[name] for name in SETTING},
    "method": "name of the method in its study",
}
DIFFERENCES = {
    "kind": "what differs: options of training among shared settings, options of evaluation, thresholds of outcomes,"
    " judges, or where and with which versions runs were made",
    "of": "the option, the data set or the column",
}


@dataclass(frozen=True)
class Side:
    """A study among those that are compared.

    Attributes:
        name: the study's name, unique among the studies.
        title: its title; may be empty.
        file: the path of its file.
        collected: its results.
        components: by method, the signature of each family's component.
        training: by run, the options of training.
        judges: by data set's signature, the digest of its judge's options, sources and data.
        metrics: by column, the signature of the metric that it belongs to.
    """

    name: str
    title: str
    file: str
    collected: Collected
    components: Mapping[str, Mapping[str, str]]
    training: Mapping[str, Mapping[str, Any]]
    judges: Mapping[str, str]
    metrics: Mapping[str, str]

    @cached_property
    def methods(self) -> dict[Key, list[str]]:
        """The methods whose results are here, by what they are."""
        found: dict[Key, list[str]] = {}
        for method in dict.fromkeys(self.collected.runs["method"]):
            found.setdefault(self.key(method), []).append(method)
        return found

    def key(self, method: str) -> Key:
        """What a method is."""
        return tuple(self.components[method].items())

    def runs(self, methods: Iterable[str]) -> pd.DataFrame:
        """The runs of some methods."""
        return self.collected.runs[self.collected.runs["method"].isin(list(methods))]

    def trained(self, runs: pd.DataFrame) -> dict[str, list[str]]:
        """By option of training, the values that some runs have."""
        values: dict[str, dict[str, None]] = {}
        for run in runs["run"]:
            for name, value in self.training[run].items():
                values.setdefault(name, {})[str(value)] = None
        return {name: list(found) for name, found in values.items()}

    def column_values(self, prefix: str) -> dict[str, list[str]]:
        """By column of the table of runs with a prefix, the values in it."""
        return {
            name: [str(value) for value in self.collected.runs[name].dropna().unique()]
            for name in self.collected.runs.columns
            if name.startswith(prefix)
        }


def method_texts(sides: Sequence[Side]) -> dict[Key, str]:
    """What methods are, in words that tell them apart: their architecture, and whatever else differs."""
    found = list(dict.fromkeys(key for side in sides for key in side.methods))
    varied = {family for family in CHOICES if family in ALWAYS or len({dict(key).get(family) for key in found}) > 1}
    return {
        key: ", ".join(text for family, text in key if family in varied and text not in WITHOUT) or dict(key)["game"]
        for key in found
    }


def settings(sides: Sequence[Side]) -> pd.DataFrame:
    """The settings of all studies.

    Returns:
        One row per study, method and setting: the columns `SETTINGS`, and the others of their tables of settings.
    """
    texts, tables = method_texts(sides), []
    for side in sides:
        table = settings_table(side.collected)
        compared = [texts[side.key(method)] for method in table["method"]]
        datasets = [side.components[method].get("dataset") for method in table["method"]]
        tables.append(table.assign(study=side.name, compared=compared, dataset=datasets))
    merged = pd.concat(tables, ignore_index=True)
    owners: dict[tuple, set[str]] = {}
    places = keys(merged, ("compared", *SETTING))
    for place, study in zip(places, merged["study"], strict=True):
        owners.setdefault(place, set()).add(study)
    merged["studies"] = [len(owners[place]) for place in places]
    return merged[[*SETTINGS, *(name for name in merged.columns if name not in (*SETTINGS, *AXES))]]


def differences(sides: Sequence[Side]) -> pd.DataFrame:
    """What differs between the studies.

    Returns:
        One row per difference, with the columns `DIFFERENCES` and one per study: its values, separated by semicolons.
    """
    many = {key for side in sides for key in side.methods if sum(key in other.methods for other in sides) > 1}
    shared = [[name for key, names in side.methods.items() if key in many for name in names] for side in sides]
    rows = _rows("training", [side.trained(side.runs(names)) for side, names in zip(sides, shared, strict=True)])
    rows += _rows("evaluation", [side.column_values("evaluate_") for side in sides])
    rows += _rows("outcome", [side.column_values("outcome_") for side in sides], without=NO_THRESHOLDS)
    rows += _rows("judge", [{name: [value[:12]] for name, value in side.judges.items()} for side in sides], shared=True)
    origins = [{name: side.column_values(name).get(name, []) for name in ORIGINS} for side in sides]
    rows += _rows("origin", origins, shared=True)
    return pd.DataFrame(
        [(kind, of, *("; ".join(each) for each in values)) for kind, of, values in rows],
        columns=[*DIFFERENCES, *(side.name for side in sides)],
    )


def _rows(
    kind: str, sides: Sequence[Mapping[str, list[str]]], *, without: Sequence[str] = (), shared: bool = False
) -> list[tuple[str, str, list[list[str]]]]:
    """The names whose values differ between studies, with the values of each.

    Args:
        kind: what they are of.
        sides: by study, the values by name.
        without: names that do not count.
        shared: whether only names count that several studies have.
    """
    found = []
    for name in dict.fromkeys(name for side in sides for name in side if name not in without):
        values = [sorted(side.get(name, [])) for side in sides]
        known = [each for each in values if each]
        if len({tuple(each) for each in (known if shared else values)}) > 1:
            found.append((kind, name, values))
    return found
