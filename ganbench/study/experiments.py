"""Experiments of a study: diagnostics, and the runs that they measure."""

from __future__ import annotations

import re
from keyword import iskeyword
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, model_validator

from ganbench.study.claim_tests import NUMBERS, PREFIXES
from ganbench.study.expressions import CONSTANTS
from ganbench.study.selectors import Selector, SelectorField
from ganbench.study.value_types import (
    ChoiceField,
    Section,
)


def _claimable(name: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,63}", name) or iskeyword(name) or name in (*PREFIXES, *NUMBERS, *CONSTANTS):
        raise ValueError(
            f"must be a name that claims can say, of lower-case letters, digits and underscores, and none of "
            f"{', '.join((*PREFIXES, *NUMBERS, *CONSTANTS))}; but is {name!r}"
        )
    return name


ExperimentName = Annotated[str, AfterValidator(_claimable)]


class Experiment(Section):
    """A diagnostic, and the runs that it measures."""

    name: ExperimentName = ""
    """Name of the experiment, of lower-case letters, digits and underscores; unless given, the name of its diagnostic.
    Claims call its numbers `<name>.<column>`."""
    diagnostic: ChoiceField
    """The diagnostic, with its options."""
    where: SelectorField = Selector()
    """The runs, by values of axes such as {game: bilinear}; unless given, all runs whose game it supports."""

    @property
    def of_study(self) -> bool:
        """Whether it measures the study, and no runs."""
        return self.diagnostic.component.constants["of"] == "study"

    @property
    def needs_judge(self) -> bool:
        """Whether it judges examples, so that the judge of the data set is fitted before it."""
        return self.diagnostic.component.constants["needs_judge"]

    @model_validator(mode="before")
    @classmethod
    def _default_name(cls, data: Any) -> Any:
        """Name an experiment after its diagnostic, unless it has its own name."""
        if isinstance(data, str):
            data = {"diagnostic": data}
        if isinstance(data, dict) and "name" not in data and "diagnostic" in data:
            given = data["diagnostic"]
            named = given.get("name") if isinstance(given, dict) else given
            data = {**data, "name": Path(named).stem.lower() if isinstance(named, str) else named}
        return data
