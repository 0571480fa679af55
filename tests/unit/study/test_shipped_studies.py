"""The shipped studies: every file is valid, expands, and asks only for what its runs can show. Nothing trains."""

from __future__ import annotations

import pandas as pd
import pytest
import yaml
from repository import ROOT

from ganbench.cli import _stage
from ganbench.pipeline import results_folder
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.preflight.trial import try_study
from ganbench.study.claims import SCALES
from ganbench.study.schema import load
from ganbench.study.strict_yaml import read_yaml

STUDIES = sorted((ROOT / "config/studies").glob("*.yaml"))
ALL = sorted((ROOT / "config/studies").rglob("*.yaml"))


def shipped(*names: str):
    """The studies of these names."""
    return [ROOT / f"config/studies/{name}.yaml" for name in names]


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(ROOT / "config/config.yaml", marks=pytest.mark.cluster),
        *(pytest.param(path, marks=pytest.mark.slow) for path in STUDIES),
    ],
    ids=lambda path: path.stem,
)
def test_a_shipped_study_can_start(path, tmp_path, hurried):
    study = load(path)
    assert study.title
    assert study.description
    plan = Plan(study.model_copy(update={"results": tmp_path}))
    results_folder.prepare(plan)
    estimates, _ = try_study(plan)  # parts fit each other, and diagnostics measure what claims name
    assert sum(estimate.runs for estimate in estimates) == len(plan.grid.runs)
    assert len(plan.grid.packs) >= 2, "one core of two would be idle"


@pytest.mark.slow
@pytest.mark.parametrize(
    "path", shipped("outcomes", "ring-methods", "grid-methods", "line-mixture"), ids=lambda path: path.stem
)
def test_a_few_steps_of_a_study_that_no_command_runs_are_measured_and_reported(path, tmp_path):
    """All of its runs, diagnostics, claims, tables and figures, after a fiftieth of its steps."""
    raw = read_yaml(path) | {"results": str(tmp_path / "results")}
    for section in [raw, *raw["grid"]]:
        for name in section.get("train", {}).keys() & {"steps", "epochs"}:
            section["train"][name] = max(1, section["train"][name] // 50)
    copy = tmp_path / path.name
    copy.write_text(yaml.safe_dump(raw))
    plan = Plan(load(copy), copy)
    for stage in ("tables", "report"):
        _stage(stage, copy, None)
    tables = plan.folder / "tables"
    assert len(pd.read_parquet(tables / "runs.parquet")) == len(plan.grid.runs)
    claims = pd.read_csv(tables / "claims.csv", dtype={"claim": str}) if plan.study.claims else {"claim": []}
    assert set(claims["claim"]) == {claim.id for claim in plan.study.claims}
    assert (plan.folder / "report.html").stat().st_size > 100_000


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_a_study_is_called_after_its_file(path):
    """And after its scale, since studies of one subject at several scales have results of their own."""
    scaled = path.parent.name in SCALES
    assert load(path).study == (f"{path.parent.name}-{path.stem}" if scaled else path.stem)


@pytest.mark.parametrize("path", shipped("ring-methods", "grid-methods"), ids=lambda path: path.stem)
def test_methods_are_compared_after_equal_gradient_evaluations(path):
    spent = {
        run.method: run.train.steps * run.choice("dynamics").build().gradients_per_step
        for run in Plan(load(path)).grid.runs
    }
    assert len(set(spent.values())) == 1, spent


@pytest.mark.parametrize("path", shipped("ring-methods", "grid-methods"), ids=lambda path: path.stem)
def test_compared_methods_have_seeds_enough_to_be_decided(path):
    """Fewer than ten runs leave a difference of means undecided, whatever they show."""
    plan = Plan(load(path))
    assert all(sum(run.method == method for run in plan.grid.runs) >= 10 for method in plan.grid.methods)
