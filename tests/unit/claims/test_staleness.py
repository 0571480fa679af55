"""Tables of a study against the study as it is: whatever a verdict answers has to be the same."""

from __future__ import annotations

from io import StringIO
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from ganbench.claims.decisions import decide, decisions_table
from ganbench.claims.published import published_table
from ganbench.claims.staleness import other_claims, other_numbers
from ganbench.study.claims import Claim
from ganbench.study.published import Published

SHARE = {"quantity": "path.growth", "above": 1, "at_least": 0.5, "expected": 0.9}
STEPS = {"quantity": "path.growth", "above": 0.25, "where": {"steps": 100}, "baseline": {"steps": 200}}
CLAIM = {
    "id": "A1",
    "statement": "It grows,\nand grows.\n",
    "scale": "small",
    "question": "Does it?",
    "tests": [{"proportion": SHARE}, {"difference": STEPS}],
}
NUMBER = {"quantity": "path.growth", "value": 7.1, "error": 0.3, "error_kind": "standard error", "source": "A paper"}


@pytest.fixture(scope="module")
def collected() -> SimpleNamespace:
    runs = pd.DataFrame({"run": [f"r{index}" for index in range(20)], "seed": [*range(10)] * 2, "outcome": "converged"})
    runs = runs.assign(learning_rate=0.1, n_train=np.nan, steps=[100] * 10 + [200] * 10)
    measured = pd.DataFrame({"run": runs["run"], "quantity": "path.growth", "value": np.arange(20) / 3})
    absent = dict.fromkeys(("snapshots", "curves", "events", "missing"))
    return SimpleNamespace(runs=runs, measurements=measured, metrics={}, **absent)


def stored(table: pd.DataFrame) -> pd.DataFrame:
    """The table as a record has it."""
    return pd.read_csv(StringIO(table.to_csv(index=False)), dtype={"claim": str})


def claim(**over) -> Claim:
    return Claim.model_validate(CLAIM | over)


def test_a_table_of_the_same_tests_has_no_difference(collected):
    table = stored(decisions_table(decide(collected, [claim()])))
    assert other_claims(table, [claim(note="Another note.", source="another source")]) == []


OTHERS = {
    "statement": ({"statement": "It shrinks."}, "statement is 'It shrinks.', and was 'It grows, and grows.'"),
    "question": ({"question": "Did it?"}, "question is 'Did it?', and was 'Does it?'"),
    "scale": ({"scale": "real"}, "scale is 'real', and was 'small'"),
    "limit": (
        {"tests": [{"proportion": SHARE | {"at_least": 0.6}}, {"difference": STEPS}]},
        "claim A1, test 1: asked is 'above 1 in a share of at least 0.6', and was 'above 1 in a share of at least 0.5'",
    ),
    "effect": (
        {"tests": [{"proportion": SHARE | {"expected": 0.8}}, {"difference": STEPS}]},
        "expected is '0.8', and was '0.9'",
    ),
    "runs": (
        {"tests": [{"proportion": SHARE}, {"difference": STEPS | {"baseline": {"seed": 3}}}]},
        "claim A1, test 2: selection is 'steps 100 minus seed 3', and was 'steps 100 minus steps 200'",
    ),
    "quantity": (
        {"tests": [{"proportion": SHARE}, {"difference": STEPS | {"quantity": "2 * path.growth"}}]},
        "quantity is '2 * path.growth', and was 'path.growth'",
    ),
    "kind": (
        {"tests": [{"bound": {"quantity": "path.growth", "above": 1}}, {"difference": STEPS}]},
        "kind is 'bound', and was 'proportion'",
    ),
    "fewer tests": ({"tests": [{"proportion": SHARE}]}, "claim A1, test 2 is no longer asked"),
    "other claim": ({"id": "A2"}, "claim A2, test 1 is new"),
}


@pytest.mark.parametrize("other", OTHERS)
def test_what_has_changed_is_named(other, collected):
    over, words = OTHERS[other]
    table = stored(decisions_table(decide(collected, [claim()])))
    assert any(words in text for text in other_claims(table, [claim(**over)]))


def test_published_numbers_are_compared_with_their_errors_and_sources(collected):
    one, other = (
        Published.model_validate(NUMBER),
        Published.model_validate(NUMBER | {"error": 0.2, "source": "Another"}),
    )
    table = stored(published_table(collected, [one]))
    assert other_numbers(table, [one]) == []
    assert other_numbers(table, [other]) == [
        "published number 1: source is 'Another', and was 'A paper'",
        "published number 1: error is '0.2', and was '0.3'",
    ]
    assert other_numbers(table, [one, one]) == ["published number 2 is new"]
