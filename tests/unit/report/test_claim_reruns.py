"""Records of claims against reruns: what is a fault on one kind of processor, and what it is on another."""

from __future__ import annotations

from io import StringIO

import numpy as np
import pandas as pd
import pytest
from claim_reruns import faults

from ganbench.claims.decisions import COLUMNS
from ganbench.pipeline.verdicts import MACHINE, VERSIONS
from ganbench.report.verdict_records import Record, StudyRun

HERE = dict.fromkeys(MACHINE, "one") | dict.fromkeys(VERSIONS, "1.0")
GAME = {
    **{"claim": "A1", "verdict": "confirmed", "scale": "full", "statement": "So.", "test": 1, "kind": "closed_form"},
    **{"test_verdict": "confirmed", "selection": "all", "quantity": "path.radius", "runs": 4, "missing": 0},
    **{"value": 2.5e-10, "low": 2.5e-10, "high": 3e-10, "asked": "0 within 1", "text": "4 of 4; asked: 0"},
}
MEANS = GAME | {
    **{"kind": "difference", "value": 2.0, "low": 1.0, "high": 3.0, "p_value": 1e-8, "p_value_adjusted": 2e-8},
    **{"text": "2 more, p < 0.001; asked: above 0", "asked": "above 0"},
}


@pytest.fixture
def compared(tmp_path):
    """Compares a record of one test with a rerun of it, which differ as told."""

    def compare(base: dict, now: dict, was: dict | None = None, *, processor: str = "one", dataset: str | None = None):
        pd.DataFrame([base | now], columns=list(COLUMNS)).to_csv(tmp_path / "claims.csv", index=False)
        pd.DataFrame([HERE | {"processor": processor, "dataset": dataset}]).to_parquet(tmp_path / "runs.parquet")
        machine = ", ".join(HERE[name] for name in MACHINE)
        numbers = {"runs": 4, "failed": 0, "core_seconds": 1.0, "elapsed_seconds": 1.0}
        about = {"title": "", "file": "tiny.yaml", "date": "", "machine": machine}
        run = StudyRun(study="tiny", versions={name: HERE[name] for name in VERSIONS}, **about, **numbers)
        made = pd.DataFrame([base | (was or {})], columns=list(COLUMNS)).to_csv(index=False)
        return faults(Record(run, pd.read_csv(StringIO(made))), "A1", tmp_path)

    return compare


def test_on_one_kind_of_processor_every_bit_counts(compared):
    assert compared(GAME, {}) == compared(MEANS, {}) == []
    assert compared(MEANS, {"value": np.nextafter(2.0, 3.0)}) != []
    assert compared(GAME, {}, {"text": "3 of 4; asked: 0"}) == ["test 1: text is '4 of 4', and '3 of 4' in the record"]
    alone = {"p_value_adjusted": 0.3, "test_verdict": "undecided", "text": "2 more, p < 0.001, adjusted"}
    assert compared(MEANS, alone) == [], "other tests of the study were not made"


@pytest.mark.parametrize(
    ("was", "fault"),
    [
        ({"verdict": "refuted"}, "the record says refuted, and its tests ['confirmed']"),
        ({"asked": "1 within 1"}, "asked is '0 within 1', and '1 within 1' in the record"),
        ({"claim": "A2"}, "A1: the record has the tests [], and the rerun [1]"),
    ],
)
@pytest.mark.parametrize("processor", ["one", "another"])
def test_a_doctored_record_is_found(was, fault, processor, compared):
    found = compared(GAME, {}, was, processor=processor)
    assert [each for each in found if fault in each]


def test_elsewhere_a_game_agrees_to_a_share_of_its_largest_number(compared):
    """And not to an absolute distance, which would let a tiny number pass for 0."""
    assert compared(GAME, {"value": 2.5001e-10}, processor="another") == []
    assert compared(GAME, {"value": 0.0}, processor="another") != []
    assert compared(MEANS, {"value": 2.0002, "p_value": 1.02e-8}, processor="another") == []
    assert compared(MEANS, {"value": 2.001}, processor="another") != []
    assert compared(MEANS, {"p_value": 1.1e-8}, processor="another") != []
    assert compared(MEANS, {"p_value": np.nan}, processor="another") != []
    assert compared(MEANS, {"runs": 5}, processor="another") != []
    zero = {"value": 0.0, "low": 0.0, "high": 0.0}
    assert compared(GAME, {"value": 2e-16}, zero, processor="another") != [], "its bounds are off"
    assert compared(GAME | zero, {"value": 2e-16}, processor="another") == [], "of a difference that is rounding"


def test_elsewhere_intervals_of_networks_overlap_and_no_verdict_turns_round(compared):
    def networks(now: dict) -> list[str]:
        return compared(MEANS, now, processor="another", dataset="ring8")

    assert networks({"value": 2.9, "low": 2.5, "high": 3.3, "p_value": 1e-12}) == []
    apart = networks({"value": 4.0, "low": 3.5, "high": 4.5})
    assert apart == ["test 1: interval is 3.5 to 4.5, and 1.0 to 3.0 in the record"]
    assert networks({"value": np.nan, "low": np.nan, "high": np.nan}) != []
    assert networks({"runs": 3}) != []
    assert networks({"test_verdict": "refuted"}) == ["test 1: refuted, and confirmed in the record"]
    assert networks({"test_verdict": "undecided"}) == []
