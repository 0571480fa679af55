"""Runs that are stopped early, from the study to its tables, its report and its store."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from stored import flat, tree_of

from ganbench.analysis.collected import Collected
from ganbench.analysis.columns import FAILURES
from ganbench.analysis.findings import findings
from ganbench.analysis.methods import failed, failure_times, final_losses, outcome_indicator
from ganbench.analysis.settings import settings_table
from ganbench.commands.status import page
from ganbench.core import strict_json
from ganbench.core.errors import GanbenchError
from ganbench.pipeline import early_stopping, results_folder
from ganbench.pipeline.execution import result_cache
from ganbench.pipeline.execution.job_context import JobContext
from ganbench.pipeline.execution.termination_signals import Stopped, StopRequest
from ganbench.pipeline.jobs import ExecutionSettings, Job
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.preflight import check
from ganbench.pipeline.snapshots import find
from ganbench.pipeline.stages import run
from ganbench.pipeline.status import read_status
from ganbench.pipeline.typed_json import decode, encode
from ganbench.report import tables
from ganbench.report.figures import losses
from ganbench.report.file_names import TABLE_NOTES
from ganbench.study.schema import parse
from ganbench.tracking.records import records

STEPS = 400
RING = {"dataset": "ring8", "architecture": {"name": "mlp", "width": 16}, "seed": [0, 1]}
CRITIC = {"objective": "wasserstein", "learning_rate": 2e-3, "label": "critic without a bound"}
GROWTH = {"loss_growth": 3.0}  # which this critic passes long before its training becomes chaotic
HEALTHY = {"learning_rate": 1e-3, "label": "healthy"}
STOP = {"outcomes": ["discriminator-won", "unstable"]}
CPU = ExecutionSettings(device="cpu")


def plan(place: Path, steps: int = STEPS, stop: Any = STOP, **sections: Any) -> Plan:
    train = {"steps": steps, "batch_size": 32, "early_stopping": stop} | sections.pop("train", {})
    grid = [RING | CRITIC, RING | HEALTHY]
    study = {"study": "s", "results": str(place), "grid": grid, "train": train, "outcome": GROWTH}
    found = Plan(parse(study | {"evaluate": {"samples": 200}} | sections, origin="s"))
    results_folder.prepare(found)
    return found


def work(found: Plan, *stages: str) -> Plan:
    for job in [job for stage in stages for job in found.jobs(stage).values()]:
        if not job.done:
            run(job, JobContext(CPU))
    return found


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Plan:
    return work(
        plan(tmp_path_factory.mktemp("stopped")), *("prepare", "judge", "reference", "train", "evaluate", "collect")
    )


@pytest.fixture(scope="module")
def collected(finished) -> Collected:
    return Collected.read(finished.collect.path.parent)


def trained(found: Plan) -> dict[str, dict[str, Any]]:
    """What is known of the training of each run, by its id; in a file the runs are in the order of their digests."""
    files = [tree_of(job.path) for job in found.train.values()]
    return dict(sorted((tree["member"]["id"], tree) for file in files for tree in file["runs"].values()))


def test_the_tables_say_which_runs_were_stopped_and_why(collected):
    runs = collected.runs.set_index("block")
    lost, fine = runs.loc["critic without a bound"], runs.loc["healthy"]
    assert set(lost["stopped_for"]) == {"unstable"}
    assert lost["stopped_step"].between(0.25 * STEPS, 0.75 * STEPS).all()
    assert (lost["steps_done"] == lost["stopped_step"]).all()
    assert (lost["steps"] == STEPS).all()
    assert (lost["outcome"] == "unstable").all()
    assert (lost["failure_onset"] < lost["stopped_step"]).all()
    assert lost["fd_final"].isna().all()
    assert fine[["stopped_step", "stopped_for"]].isna().all(axis=None)
    assert (fine["steps_done"] == STEPS).all()
    assert fine["fd_final"].notna().all()
    last = collected.snapshots.groupby("run")["step"].max()
    assert (last[lost["run"]].to_numpy() == lost["stopped_step"].to_numpy()).all(), "its last state was evaluated"
    rows = collected.run_outcomes.set_index(["run", "outcome"]).loc[lost["run"].iloc[0]]
    assert rows.at["collapsed", "evidence"].endswith(f"the run was stopped at step {lost['stopped_step'].iloc[0]}")


def test_a_stopped_run_fails_when_its_failure_began_and_counts_as_worst(collected):
    runs = collected.runs
    lost = (runs["block"] == "critic without a bound").to_numpy()
    steps, seen = failure_times(runs)
    assert (seen >= lost).all()
    assert (steps[lost] == runs["failure_onset"].to_numpy(dtype=float, na_value=np.nan)[lost]).all()
    assert np.isinf(final_losses(runs, "fd", collected.metrics["fd"])[lost]).all()
    assert failed(runs)[lost].all()
    assert (outcome_indicator(runs, "unstable")[lost] == 1).all()
    assert outcome_indicator(runs, "collapsed")[lost].isna().all(), "of another failure it is censored"
    table = settings_table(collected).set_index("block")
    assert table.at["critic without a bound", "fd_failed_or_missing"] == 2
    assert table.at["critic without a bound", "fd_values"] == 0


def test_the_report_counts_stopped_runs_and_marks_them(collected):
    first = collected.runs["stopped_step"].min()
    told = f"2 runs were stopped early, without a final value: 2 for unstable (after step {first}"
    assert any(told in finding.text for finding in findings(collected))
    method = collected.runs.loc[collected.runs["stopped_step"].notna(), "method"].iloc[0]
    legend = losses.draw(collected, method).legends[0]
    assert "stopped early" in [text.get_text() for text in legend.get_texts()]
    other = collected.runs.loc[collected.runs["stopped_step"].isna(), "method"].iloc[0]
    assert "stopped early" not in [text.get_text() for text in losses.draw(collected, other).legends[0].get_texts()]


def test_mlflow_is_told(collected):
    found = {record.run: record for record in records(collected)}
    for row in collected.runs.to_dict("records"):
        record, stopped = found[row["run"]], not pd.isna(row["stopped_step"])
        assert record.status == ("FAILED" if stopped or row["outcome"] in FAILURES else "FINISHED")
        told = {"stopped_step": str(row["stopped_step"]), "stopped_for": "unstable"} if stopped else {}
        assert {name: record.tags[name] for name in record.tags if name.startswith("stopped")} == told


def test_the_status_counts_stopped_runs(finished):
    now = read_status(finished)
    assert now.stopped_early == {"unstable": 2}
    assert now.about()["stopped_early"] == {"unstable": 2}
    assert "\nRuns that were stopped early: 2 for unstable." in [str(part) for part in page(now, "s.yaml", 20)]


def test_a_job_finds_the_rule_in_its_file(finished):
    for job in finished.train.values():
        assert decode(Job, json.loads(strict_json.dumps(encode(job)))) == job
        assert job.task.stop.thresholds["loss_growth"] == GROWTH["loss_growth"]


def test_every_column_is_documented(collected, tmp_path):
    tables.write(collected, tmp_path)
    runs = pd.read_csv(tmp_path / "runs.csv")
    assert set(runs["train_early_stopping_outcomes"]) == {'["discriminator-won", "unstable"]'}
    assert runs["stopped_step"].notna().sum() == 2
    assert "`stopped_for`" in (tmp_path / TABLE_NOTES).read_text()


def test_the_check_says_which_runs_may_be_stopped(finished):
    assert list(check._stopped(finished)) == [
        "4 runs may be stopped early: for discriminator-won or unstable, once 2 checks in a row show it, from 25% of"
        " the steps on at every 10%"
    ]


def test_a_stopped_run_has_no_last_networks_to_export(finished, collected, tmp_path):
    row = collected.runs.dropna(subset=["stopped_step"]).iloc[0]
    path = tmp_path / "study.yaml"
    path.write_text(finished.study.model_dump_json(exclude_none=True))
    with pytest.raises(
        GanbenchError, match=rf"was stopped after step {row['stopped_step']} \(unstable\), so that it has"
    ):
        find(path, row["run"])
    assert find(path, row["run"], int(row["stopped_step"])).step == row["stopped_step"]


@pytest.mark.cluster
def test_packs_and_interruptions_do_not_change_when_runs_are_stopped(finished, tmp_path):
    whole = trained(finished)
    apart = trained(work(plan(tmp_path / "apart", pack={"fuse": "never"}), "prepare", "train"))
    for name, tree in whole.items():
        ends = [each["stopped"] and each["stopped"][:3] for each in (tree, apart[name])]
        assert ends[0] == ends[1], "step, outcome and onset"
        assert apart[name]["steps_done"] == tree["steps_done"]
    broken = work(plan(tmp_path / "broken"), "prepare")
    for job in broken.train.values():
        attempts = 0
        while not job.done:
            attempts += 1
            with suppress(Stopped):
                run(job, JobContext(CPU, AfterChunks(3)))
        assert attempts > 1
    for name, tree in trained(broken).items():
        one, other = flat(tree), flat(whole[name])
        for key in one.keys() - {"about/trained_at", "about/train_seconds"}:
            np.testing.assert_array_equal(one[key], other[key], err_msg=f"{name} {key}")


class AfterChunks(StopRequest):
    """A request to end, made after some chunks."""

    def __init__(self, chunks: int) -> None:
        super().__init__()
        self.left = chunks

    def reason(self, margin: float) -> str | None:
        self.left -= 1
        return "the test" if self.left < 0 else None


@pytest.mark.cluster
def test_more_steps_train_the_difference_only_of_runs_that_a_longer_training_would_not_have_stopped(tmp_path):
    """Runs are checked once, after a quarter of the steps: at 50 of 200, where one critic is stopped, and at 100 of
    400, where both would be. So both train from the start, and are what they would have been in one go."""
    how = {
        "stop": STOP | {"check_interval": 1.0, "patience": 1},
        "train": {"snapshots": {"every": 100}},
        "pack": {"fuse": "never"},
    }
    short = trained(work(plan(tmp_path, 200, **how), "prepare", "train"))
    assert [tree["stopped"] and tree["stopped"][0] for tree in short.values()] == [None, 50, None, None]
    longer = plan(tmp_path, 400, **how)
    assert sorted(check._continued(longer, result_cache.held(longer.train.values()))) == [
        "1 run to train from the start, though 200 steps of each are finished: longer runs are checked at other "
        "steps, at which they would have been stopped",
        "1 run to train from the start, though 200 steps of each are finished: they were stopped early, and longer "
        "runs are checked at other steps",
        "2 runs to go on from step 200, where finished runs of fewer steps ended",
    ]
    again = trained(work(longer, "train"))
    fresh = trained(work(plan(tmp_path / "fresh", 400, **how), "prepare", "train"))
    assert [tree["stopped"] and tree["stopped"][0] for tree in fresh.values()] == [100, 100, None, None]
    assert [tree["about"]["continued_from"] for tree in again.values()] == [0, 0, 200, 200]
    for name, tree in again.items():
        one, other = (flat(each | {"about": {}}) for each in (tree, fresh[name]))
        assert one.keys() == other.keys()
        for key, value in one.items():
            np.testing.assert_array_equal(value, other[key], err_msg=f"{name} {key}")


def test_a_rule_that_was_edited_after_planning_stops_nothing(finished):
    task = next(iter(finished.train.values())).task
    edited = replace(task.stop, sources="0" * 64)
    with pytest.raises(GanbenchError, match="the sources of the rule that stops runs early were edited"):
        early_stopping.stop_rule(edited, task.train, task.groups[0].components)
