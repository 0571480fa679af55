"""What no run reached: scores like those of real data, and modes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from collected_example import only

from ganbench.analysis.collected import Collected
from ganbench.analysis.reference_sentences import reference_sentences

NEVER = "at no snapshot did any run, failed ones included, score like real data in"


@pytest.fixture(scope="module")
def ring(collected) -> Collected:
    return only(collected, collected.runs["dataset"] == "ring8")


def told(study: Collected, words: str) -> list[str]:
    return [text for text in reference_sentences(study) if words in text]


def with_scores(study: Collected, values: list[float], *, best: str = "low") -> Collected:
    """Of real data, 95% score 0.72 to 0.88 in this metric; snapshots score the given values by turns."""
    snapshots = study.snapshots.assign(fd=np.resize(values, len(study.snapshots)))
    metrics = {"fd": dataclasses.replace(study.metrics["fd"], best=best)}
    return dataclasses.replace(study, snapshots=snapshots, metrics=metrics)


def test_a_metric_that_no_run_brought_to_real_data_is_told(ring):
    (text,) = told(with_scores(ring, [3.0, 0.95, np.nan]), NEVER)
    best = ring.snapshots.iloc[1]
    assert f"(real data score at most 0.88, the best run 0.95: {best['run']}, step {best['step']})." in text
    (text,) = told(with_scores(ring, [0.5, 0.7], best="high"), NEVER)
    assert "(real data score at least 0.72, the best run 0.7: " in text


@pytest.mark.parametrize(("values", "best"), [([3.0, 0.88], "low"), ([3.0, 0.1], "low"), ([0.2, 0.72], "high")])
def test_one_snapshot_that_scores_like_real_data_or_better_suffices(ring, values, best):
    assert told(with_scores(ring, values, best=best), NEVER) == []


def test_without_values_or_without_real_data_nothing_is_told(ring):
    assert told(with_scores(ring, [np.nan]), NEVER) == []
    assert told(dataclasses.replace(with_scores(ring, [3.0]), nulls=ring.nulls[:0]), NEVER) == []


def test_modes_that_no_run_ever_generated_are_told(ring):
    words = "no run generated an example of"
    run = ring.runs["run"].iloc[0]
    shares = {0: 0.4, 1: 0.0, 2: np.nan, 3: 0.0}
    table = pd.DataFrame([{**ring.modes.iloc[0], "run": run, "mode": mode, "share": s} for mode, s in shares.items()])
    (text,) = told(dataclasses.replace(ring, modes=table), words)
    assert "of modes 1 and 3 of 4 at any snapshot" in text, "of mode 2 nothing is known"
    found = pd.concat([table, table.assign(step=50, share=0.001)])
    assert told(dataclasses.replace(ring, modes=found), words) == []
