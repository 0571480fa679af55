"""The small studies: valid, called after their files, and every claim with a scale says which question it answers."""

from __future__ import annotations

import pytest
from repository import ROOT

from ganbench.pipeline.plan import Plan
from ganbench.study.schema import load

STUDIES = sorted((ROOT / "config/studies/small").glob("*.yaml"))
# What needs no training is decided as it was claimed.
CALCULATED = ("logit_gradients", "listing", "network_sizes", "injectivity", "projection", "loading", "grayscale")


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_a_small_study_can_be_planned_and_says_that_it_is_small(path):
    plan = Plan(load(path))  # refuses selectors without runs, and shares that so few runs cannot decide
    assert plan.study.study == f"small-{path.stem}"
    for claim in plan.study.claims:
        calculated = all(name.startswith(CALCULATED) for check in claim.tests for name in check.test.quantity.names)
        assert claim.scale == ("full" if calculated else "small"), claim.id
