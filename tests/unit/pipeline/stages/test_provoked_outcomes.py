"""Small runs of networks that are provoked into an outcome, from the study to the tables."""

from __future__ import annotations

import pandas as pd
import pytest
from repository import ROOT

from ganbench.pipeline.plan import Plan
from ganbench.pipeline.stages import run
from ganbench.study.schema import parse

FC = {"dataset": "digits", "architecture": "fc", "seed": 0}
STEPS = 400
METRICS = ["fd", "mode_coverage", "diversity", "memorization"]
# By what provokes them: the block of the grid, the number of steps, and the outcomes that are right.
PROVOKED = {
    "a rate too high": (FC | {"learning_rate": 3e-2}, STEPS, {"discriminator-won", "unstable", "diverged"}),
    "a rate too low": (FC | {"learning_rate": 2e-5}, STEPS, {"not-learned-yet"}),
    "a discriminator too strong": (
        FC
        | {
            "objective": "minimax",  # its generator's gradient vanishes where the discriminator is sure
            "learning_rate": 2e-3,
            "generator_learning_rate": 2e-5,
        },
        STEPS,
        {"discriminator-won"},
    ),
    "a discriminator that stands still": (
        FC | {"learning_rate": 1e-7, "generator_learning_rate": 2e-3},
        STEPS,
        {"generator-won"},
    ),
    "a critic without a bound": (
        FC | {"objective": "wasserstein", "learning_rate": 5e-3},
        600,
        {"unstable"},
    ),
    "a generator too fast": (
        {
            "dataset": "ring8",
            "architecture": "mlp",
            "seed": 0,
            "learning_rate": 2e-4,
            "generator_learning_rate": 4e-3,
        },
        2000,
        {"cycling", "collapsed"},
    ),
    "one image for all latent points": (FC | {"learning_rate": 2e-4}, 2500, {"cycling"}),
    "training images by heart": (
        {
            "dataset": "digits",
            "architecture": str(ROOT / "tests/helpers/replaying.py"),
            "seed": 0,
            "learning_rate": 1e-3,
        },
        100,
        {"memorizing"},
    ),
}


@pytest.fixture(scope="module")
def tables(tmp_path_factory) -> dict[str, pd.DataFrame]:
    """The tables of one study of all of them."""
    grid = [
        block | {"label": name.replace(" ", "-"), "train": {"steps": steps}}
        for name, (block, steps, _) in PROVOKED.items()
    ]
    study = parse(
        {
            "study": "provoked",
            "results": str(tmp_path_factory.mktemp("provoked")),
            "grid": grid,
            "train": {"batch_size": 32, "snapshots": {"count": 9, "spacing": "log"}},
            "evaluate": {"metrics": METRICS, "samples": 500, "samples_kept": 4},
        },
        origin="study.yaml",
    )
    plan = Plan(study)
    for stage in ("prepare", "judge", "reference", "train", "evaluate", "collect"):
        for job in plan.jobs(stage).values():
            run(job)
    folder = plan.collect.path.parent
    return {name: pd.read_parquet(folder / f"{name}.parquet") for name in ("runs", "run_outcomes", "events")}


@pytest.mark.slow
@pytest.mark.parametrize("name", PROVOKED)
def test_a_provoked_run_has_the_outcome_it_was_provoked_into(tables, name):
    runs = tables["runs"].set_index("block")
    found = runs.loc[name.replace(" ", "-")]
    assert found["outcome"] in PROVOKED[name][2], found["outcome_evidence"]
    outcomes = tables["run_outcomes"]
    (primary,) = outcomes[(outcomes["run"] == found["run"]) & outcomes["primary"]].to_dict("records")
    assert primary["evidence"] == found["outcome_evidence"]
    assert 0.3 < primary["confidence"] <= 1
    assert 0 <= primary["onset"] <= found["steps"]


@pytest.mark.slow
def test_events_of_provoked_runs_lie_within_them(tables):
    events = tables["events"].merge(tables["runs"][["run", "steps"]], on="run")
    assert len(events)
    assert (events["start"] <= events["end"]).all()
    assert (events["end"] <= events["steps"]).all()
    assert (events["size"] >= 0).all()
