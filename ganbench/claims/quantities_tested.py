"""The numbers that claims test, run by run, so that a verdict can be followed to the runs that it rests on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ganbench.analysis.collected import Collected
from ganbench.claims.quantities import Quantities
from ganbench.claims.rendering import natural_key
from ganbench.study.claims import Claim


@dataclass(frozen=True)
class QuantityTested:
    """A quantity that claims test.

    Attributes:
        quantity: the quantity, as the study writes it.
        claims: the claims that test it, in the order of their numbers.
        values: its value in every run that one of them selects, NaN where a run has none.
    """

    quantity: str
    claims: tuple[str, ...]
    values: dict[str, float]


def quantities_tested(collected: Collected, study: dict) -> Iterator[QuantityTested]:
    """The quantities that the claims of a study test, in the order of the claims.

    Args:
        collected: the study's results.
        study: its resolved configuration.
    """
    quantities, runs = Quantities(collected), set(collected.runs["run"])
    asked: dict[str, tuple[list[str], dict[str, float]]] = {}
    for claim in sorted(map(Claim.model_validate, study.get("claims") or ()), key=lambda each: natural_key(each.id)):
        for test in (tagged.test for tagged in claim.tests):
            ids, values = asked.setdefault(test.quantity.text, ([], {}))
            selected = np.concatenate([quantities.selected(each).index for _, each in test.selectors()])
            mine = [run for run in selected if run in runs and run not in values]
            values.update(zip(mine, quantities.values(test.quantity, mine).tolist(), strict=True))
            if claim.id not in ids and any(run in runs for run in selected):
                ids.append(claim.id)
    yield from (QuantityTested(text, tuple(ids), values) for text, (ids, values) in asked.items() if values)
