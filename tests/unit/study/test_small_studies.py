"""The small studies: every claim is about runs that there are, and has seeds enough to be decided where all agree."""

from __future__ import annotations

import pytest
from repository import ROOT

from ganbench.analysis.statistics.multiplicity import level_of_next
from ganbench.analysis.statistics.rates import rate_test
from ganbench.pipeline.plan import Plan
from ganbench.study.claim_tests import Proportion
from ganbench.study.claims import run_selectors
from ganbench.study.schema import load
from ganbench.study.selectors import matches

STUDIES = sorted((ROOT / "config/studies/small").glob("*.yaml"))


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_the_claims_of_a_small_study_can_be_decided(path):
    study = load(path)
    points = [run.point for run in Plan(study).runs]
    for claim in study.claims:
        for where, selector in run_selectors(claim):
            assert any(matches(selector, point) for point in points), f"{claim.id}, {where}: selects no run"
    shares = [check.test for claim in study.claims for check in claim.tests if isinstance(check.test, Proportion)]
    for test in shares:
        runs = sum(matches(test.where, point) for point in points)
        count, limit = (runs, test.at_least) if test.at_most is None else (0, test.at_most)
        # As if all tests of shares were decided alike: then each has the level of a single one, over the sum of 1 / k.
        level = level_of_next(len(shares), len(shares) - 1)
        assert min(rate_test(count, runs, limit)) <= level, f"{test.quantity}: {runs} runs decide nothing"
