"""Which runs stand for the others in MLflow: chosen by hand-made final values, and the same whatever their order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ganbench.analysis.collected import Collected
from ganbench.analysis.methods import methods
from ganbench.tracking.chosen_runs import evenly_chosen, standing_for
from ganbench.tracking.records import records


@pytest.fixture
def five(collected) -> Collected:
    """Five runs of one method: by fd, where low is best, the first is best, but failed; then the third; the last
    diverged."""
    method = methods(collected.gans)[0]
    runs = collected.runs[collected.runs["method"] == method].head(5).copy()
    runs["fd_final"] = [0.7, 4.0, 1.0, 2.0, 0.5]
    runs["outcome"] = ["collapsed", "converged", "converged", "converged", "diverged"]
    return replace(collected, runs=runs, metrics={"fd": collected.metrics["fd"]})


def test_the_best_the_median_and_the_worst_stand_for_a_method(five):
    names = five.runs["run"].tolist()
    # A failed run with last networks has a place, and one that diverged has none, whatever it scored before.
    found = standing_for(five, ["best", "median", "worst"])
    assert found == {names[2]: "best", names[1]: "median", names[0]: "worst"}
    assert standing_for(five, ["worst"]) == {names[0]: "worst"}
    assert standing_for(five, []) == {}
    alone = replace(five, runs=five.runs.iloc[[1]])
    assert standing_for(alone, ["best", "worst"]) == {names[1]: "best, worst"}
    assert standing_for(replace(five, runs=five.runs.iloc[[4]]), ["best"]) == {}


def test_pictures_are_spread_from_the_best_to_the_worst(five):
    names = five.runs["run"].tolist()
    assert evenly_chosen(five, 5) == set(names)
    assert evenly_chosen(five, 2) == {names[2], names[4]}, "one that diverged is worse than any"
    assert evenly_chosen(five, 3) == {names[2], names[1], names[4]}
    shuffled = replace(five, runs=five.runs.iloc[::-1])
    assert evenly_chosen(shuffled, 3) == evenly_chosen(five, 3)


def test_every_method_has_pictures(collected):
    chosen = evenly_chosen(collected, 1)
    kept = collected.runs[collected.runs["run"].isin(chosen)]
    assert sorted(kept["method"]) == sorted(methods(collected.gans))


def test_a_record_without_pictures_still_tells_the_shape_of_the_data(collected):
    run = next(iter(evenly_chosen(collected, 1)))
    part = replace(collected, runs=collected.runs[collected.runs["run"] == run])
    (whole,), (bare,) = records(part), records(part, pictured=set())
    assert len(whole.sample_steps)
    assert not len(bare.sample_steps)
    assert bare.data == whole.data
    assert bare.points == whole.points
    assert np.size(bare.samples) == 0


def test_a_run_fails_in_mlflow_by_its_outcome_alone_as_in_all_tables(five):
    """Were runs stopped for a success too, these would not have failed."""
    stopped = replace(five, runs=five.runs.assign(stopped_step=10))
    assert [record.status for record in records(stopped, pictured=set())] == ["FAILED", *["FINISHED"] * 3, "FAILED"]
