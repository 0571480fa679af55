"""Results at hand: selections, derived tables, the meaning of columns, and studies that have no results."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import pandas as pd
import pytest
import study_example
from repository import ROOT

import ganbench
from ganbench.analysis.collected import Collected, EndedJob, Missing
from ganbench.analysis.columns import MISSING, TABLES
from ganbench.claims.decisions import decide, decisions_table
from ganbench.core.errors import GanbenchError
from ganbench.export.results import DERIVED, Results
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.stages import run as run_job
from ganbench.study.schema import load

CLAIM = {"id": "A1", "statement": "All converge.", "tests": [{"bound": {"quantity": "outcome.converged", "above": 0}}]}
GAMES = {
    "study": "turning",
    "grid": [
        {
            "game": "bilinear",
            "dynamics": ["simultaneous", "alternating"],
            "optimizer": "sgd",
            "learning_rate": 0.5,
            "seed": [0, 1],
        }
    ],
    "train": {"steps": 20},
    "diagnose": ["path"],
    "claims": [
        {"id": "A1", "statement": "Descent runs off.", "tests": [{"bound": {"quantity": "path.growth", "above": 1}}]}
    ],
}


@pytest.fixture(scope="module")
def results(collected) -> Results:
    """A made-up study, of which a plan says the name, the claim and the data sets."""
    plan = study_example.plan(study_example.BASE | {"claims": [CLAIM]})
    return Results(
        **{each.name: getattr(collected, each.name) for each in fields(Collected)}, plan=plan, file=Path("x")
    )


def test_the_package_stays_light_until_results_are_asked_for():
    code = "import sys, ganbench; print(callable(ganbench.results), {'torch', 'pandas', 'numpy'} & sys.modules.keys())"
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert told == "True set()\n"


def test_a_selection_has_the_rows_of_its_runs_in_every_frame(results):
    chosen = results.select(architecture="d*", n_train=[100, 400], learning_rate="2e-4")
    runs = results.runs
    expected = runs[runs["method"].str.contains("dcgan") & runs["n_train"].isin([100, 400])]
    expected = expected[expected["learning_rate"] == 2e-4]
    assert list(chosen.runs["run"]) == list(expected["run"])
    assert len(chosen.runs) == 6
    for name in ("snapshots", "curves", "run_outcomes", "modes"):
        table, whole = getattr(chosen, name), getattr(results, name)
        assert set(table["run"]) == set(expected["run"]), name
        assert len(table) == whole["run"].isin(expected["run"]).sum(), name
        assert list(table.index) == list(range(len(table))), name
    assert set(chosen.events["run"]) <= set(expected["run"])
    assert set(chosen.references["dataset"]) == set(chosen.nulls["dataset"]) == {"digits"}
    assert set(results.references["dataset"]) == {"digits", "ring8"}


def test_a_selection_of_a_selection_has_the_runs_of_both(results):
    twice = results.select(dataset="digits").select(n_train=100).select(n_train=[100, 400])
    once = results.select(dataset="digits", n_train=100)
    assert list(twice.runs["run"]) == list(once.runs["run"])
    assert twice.whole is results
    with pytest.raises(GanbenchError, match=r"no run of study 'tiny' matches dataset ring8\. Values of dataset: dig"):
        twice.select(dataset="ring8")


def test_settings_and_comparisons_are_those_of_the_runs_here(results):
    chosen = results.select(n_train=100)
    same = results.settings[results.settings["n_train"] == 100].reset_index(drop=True)
    pd.testing.assert_frame_equal(chosen.settings, same)
    (row,) = chosen.comparisons.to_dict("records")
    assert (row["settings"], row["first_runs"], row["second_runs"]) == (3, 9, 9)
    (row,) = results.comparisons.to_dict("records")
    assert (row["settings"], row["first_runs"]) == (9, 27)


def test_a_claim_is_about_the_runs_that_it_names_whatever_is_selected(results):
    expected = decisions_table(decide(results, results.plan.study.claims))
    assert list(expected["verdict"]) == ["refuted"]
    good = results.select(method=results.runs["method"].iloc[0], learning_rate=2e-4)
    pd.testing.assert_frame_equal(good.claims, expected)
    assert good.published.empty


@pytest.mark.parametrize("table", [*TABLES, *DERIVED])
def test_every_column_is_described(results, table):
    told = results.describe(table)
    assert list(told.columns) == ["column", "meaning", "unit", "better"]
    assert sorted(told["column"]) == sorted(getattr(results, table).columns)
    assert told["meaning"].str.len().min() > 5


def test_metrics_say_which_values_are_better(results):
    runs, settings = (results.describe(name).set_index("column")["better"] for name in ("runs", "settings"))
    assert (runs["fd_final"], runs["high_quality_final"], runs["seed"]) == ("low", "high", "")
    assert (settings["fd_median"], settings["modes_iqm"], settings["fd_values"]) == ("low", "high", "")
    with pytest.raises(GanbenchError, match=r"unknown table 'run'\. Did you mean 'runs'\?"):
        results.describe("run")


def test_a_representation_says_what_is_there(results):
    lines = repr(results).splitlines()
    failed = len(results.runs) - int((results.runs["outcome"] == "converged").sum())
    assert lines[0] == f"Results of study 'tiny': 69 runs, 3 methods, {failed} failed"
    assert [re.sub(r"\d+ failed", "", line) for line in lines[1:4]] == [
        *("  digits-fc: 27 runs, ", "  digits-dcgan: 27 runs, ", "  ring8-mlp: 15 runs, ")
    ]
    assert lines[4].startswith("tables: runs (69), snapshots (")
    assert lines[5] == "metrics: fd, modes, high_quality, mode_reverse_kl"
    chosen = repr(results.select(dataset="ring8", learning_rate=[2e-4, 1e-3])).splitlines()
    assert chosen[0].startswith("Results of study 'tiny': 10 of 69 runs, 1 method, ")
    assert chosen[1] == "selected: dataset ring8, learning_rate 0.0002 or 0.001"


def test_an_unfinished_study_says_how_far_it_is(results):
    missing = pd.DataFrame([{"run": f"new-{n}", "dataset": "digits", "n_train": n} for n in (100, 400)])
    note = Missing(missing.reindex(columns=list(MISSING)), {}, {}, (EndedJob("train", "a", "failed", "", ""),), "", "")
    begun = replace(results, missing=note)
    assert "69 of 71 runs so far" in repr(begun)
    assert list(begun.select(n_train=400).missing.runs["run"]) == ["new-400"]


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ({"architecure": "fc"}, r"unknown axis 'architecure'\. Did you mean 'architecture'\?"),
        ({"n_train": "many"}, r"n_train must be a finite number, but is 'many'"),
        ({"seed": []}, r"seed has no values; leave the axis out to select all"),
        ({"architecture": "gan"}, r"no run .* matches architecture gan\. Values of architecture: fc, dcgan, mlp\."),
        ({"n_train": 99}, r"matches n_train 99\. Values of n_train: 100, 400, 1400, 5000\."),
    ],
)
def test_a_selection_of_nothing_is_refused_with_what_would_be_valid(results, axes, message):
    with pytest.raises(GanbenchError, match=message):
        results.select(**axes)


def test_samples_arrays_and_examples_have_names(results):
    known = results.plan.grid.runs[0].id
    with pytest.raises(GanbenchError, match=rf"unknown run '{known}9' .*Did you mean {known}"):
        results.samples(known + "9")
    with pytest.raises(GanbenchError, match=rf"run {known} has no results yet; `missing\.runs` says"):
        results.samples(known)
    with pytest.raises(GanbenchError, match=r"unknown data set 'digit'\. Did you mean 'digits'\?"):
        results.real("digit")
    assert results.real("digits").shape == (64, 1, 8, 8)
    with pytest.raises(GanbenchError, match=r"unknown experiment 'path'\. Valid: none\."):
        results.arrays("path")


@pytest.mark.cluster
def test_a_study_has_its_results_from_the_first_run_to_the_last_table(tmp_path):
    file = tmp_path / "turning.yaml"
    content = GAMES | {"results": str(tmp_path / "results")}
    file.write_text(json.dumps(content))
    plan = Plan(load(file))
    command = re.escape(f"`ganbench collect {file}` makes what is missing")
    with pytest.raises(GanbenchError, match=rf"there is no folder {re.escape(str(plan.folder))}.*{command}"):
        ganbench.results(file)
    first, *_, last = plan.train.values()
    run_job(first)
    for job in plan.diagnose.values():
        if job.name == first.name:
            run_job(job)
    before = {path: path.read_bytes() for path in plan.folder.rglob("*") if path.is_file()}
    begun = ganbench.results(file)
    assert f"2 of {len(plan.grid.runs)} runs so far" in repr(begun)
    assert set(begun.missing.runs["pack"]) == {last.name}
    assert set(begun.arrays("path")) == set(begun.runs["run"])
    assert list(begun.claims["verdict"]) == ["undecided"]
    assert {path: path.read_bytes() for path in plan.folder.rglob("*") if path.is_file()} == before, "nothing written"
    for job in plan.needed([plan.collect])[:-1]:
        run_job(job)
    gathered = ganbench.results(file)  # all is done but `collect`
    assert gathered.missing is None
    for job in plan.needed([plan.tables]):
        run_job(job)
    done = ganbench.results(file)
    for name in (*TABLES, *DERIVED):
        written = pd.read_parquet(plan.folder / "tables" / f"{name}.parquet")
        assert len(written) == len(getattr(done, name))
        pd.testing.assert_frame_equal(getattr(done, name)[list(written)], written, check_dtype=False)
        if name not in ("runs", "measurements"):
            pd.testing.assert_frame_equal(getattr(gathered, name)[list(written)], written, check_dtype=False)
    (one,) = done.select(dynamics="alternating", seed=0).runs["run"]
    assert set(done.select(dynamics="alternating", seed=0).arrays("path")) == {one}
    with pytest.raises(GanbenchError, match=rf"run {one} plays bilinear.*, a game without examples"):
        done.samples(one)
    with pytest.raises(GanbenchError, match=rf"run {one} plays bilinear.*, a game without networks"):
        done.generator(one)
    more = json.loads(json.dumps(content))
    more["grid"][0]["seed"].append(2)  # in the packs of the others, which are not done as they are asked for now
    file.write_text(json.dumps(more))
    with pytest.raises(GanbenchError, match=rf"no run yet whose outcome is known.*{command}, and keeps the runs"):
        ganbench.results(file)
    file.write_text(json.dumps(content | {"train": {"steps": 30}}))
    with pytest.raises(GanbenchError, match=rf"another configuration than its own or with other sources.*{command}"):
        ganbench.results(file)
