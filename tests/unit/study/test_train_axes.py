"""Options of training and of components as axes of the grid, and lengths of training in epochs and images."""

from __future__ import annotations

import copy
import json
import math

import pandas as pd
import pytest

from ganbench.analysis.settings import KEY
from ganbench.core.errors import GanbenchError
from ganbench.pipeline.execution.instantiation import run_of
from ganbench.pipeline.plan import Plan
from ganbench.study.schema import parse
from ganbench.study.selectors import Selector, matches
from ganbench.study.train_axes import COLUMNS, OPTIONS

POINTS = {"dataset": "ring8", "architecture": "mlp", "n_train": [100, 1000], "learning_rate": 1e-3, "seed": [0, 1]}
TOY = {"game": "bilinear", "optimizer": "sgd", "learning_rate": 0.1, "seed": [0, 1]}


def plan(*blocks, train=None, **sections):
    return Plan(parse({"study": "s", "grid": [*blocks], "train": train or {}, **sections}, origin="s"))


def selected(found, where):
    (selector,) = (
        each.where
        for each in parse(
            {"study": "s", "grid": [TOY], "diagnose": [{"diagnostic": "path", "where": where}]}, origin="s"
        ).diagnose
    )
    assert isinstance(selector, Selector)
    return [run for run in found.grid.runs if matches(selector, run.point)]


# Training options -----------------------------------------------------------------------------------------------------


def test_every_combination_of_training_options_is_a_run():
    found = plan(POINTS, train={"batch_size": [32, 64], "precision": ["float32", "float64"], "steps": 10})
    assert len(found.grid.runs) == len({run.id for run in found.grid.runs}) == 2 * 2 * 4
    assert {(run.train.batch_size, run.train.precision) for run in found.grid.runs} == {
        (size, precision) for size in (32, 64) for precision in ("float32", "float64")
    }
    assert found.grid.methods[0] == "ring8-mlp-batch-size-32-precision-float32"
    assert found.grid.runs[0].id == "ring8-mlp-batch-size-32-precision-float32-n100-lr0.001-s0"
    assert found.grid.runs[0].axes["train"] == "train(batch_size=32, precision=float32)"


def test_each_option_can_be_an_axis():
    values = {"steps": [3, 4], "epochs": [1, 2], "images": [64, 640], "batch_size": [2, 3], "curve_bins": [1, 2]}
    values["precision"] = ["float32", "float64"]
    for option in set(OPTIONS) & set(values):
        found = plan(POINTS, train={option: values[option]})
        assert len(found.grid.methods) == 2
        for value in values[option]:
            chosen = selected(found, {option: value})
            assert len(chosen) == 4
            assert {run.point[COLUMNS[option]] for run in chosen} == {value}


def test_training_options_name_no_method_that_does_not_vary_them():
    short = {**POINTS, "train": {"batch_size": [32, 64], "steps": 10}}
    other = {**POINTS, "dataset": "grid16", "train": {"steps": 20}}
    found = plan(short, other)
    assert found.grid.methods == ("ring8-mlp-batch-size-32", "ring8-mlp-batch-size-64", "grid16-mlp")
    assert {run.axes["train"] for run in found.grid.runs if run.method == "grid16-mlp"} == {None}


def test_blocks_that_train_one_setting_in_two_ways_are_two_methods_and_never_pooled():
    first, second = {**POINTS, "seed": [0, 1]}, {**POINTS, "seed": [2, 3], "train": {"batch_size": 32}}
    found = plan(first, second)
    assert found.grid.methods == ("ring8-mlp-batch-size-64", "ring8-mlp-batch-size-32")
    table = pd.DataFrame([run.point for run in found.grid.runs])
    for _, alike in table.groupby(list(KEY), dropna=False):
        assert alike["train_batch_size"].nunique() == 1
    same = plan(first, {**second, "seed": [2, 3], "train": {}})
    assert same.grid.methods == ("ring8-mlp",)


def test_steps_of_other_learning_rates_are_no_variant():
    fast = {**TOY, "learning_rate": 0.5, "train": {"steps": 10}}
    assert plan({**TOY, "train": {"steps": 50}}, fast).grid.methods == ("bilinear",)


def test_a_block_replaces_the_options_of_the_study_value_or_list():
    varied = {**POINTS, "train": {"batch_size": [16, 32]}}
    fixed = {**POINTS, "dataset": "grid16", "train": {"batch_size": 8}}
    found = plan(varied, fixed, train={"batch_size": [64, 128]})
    assert [sorted({run.train.batch_size for run in found.grid.runs if run.choice("dataset").name == data}) for data in
            ("ring8", "grid16")] == [[16, 32], [8]]  # fmt: skip


def test_a_resolved_study_with_lists_is_the_same_study():
    data = {"study": "s", "grid": [{**POINTS, "train": {"epochs": [1, 2]}}], "train": {"batch_size": [32, 64]}}
    study = parse(data, origin="s")
    again = parse(json.loads(json.dumps(study.resolved())), origin="s")
    assert again.resolved() == study.resolved()
    assert [run.id for run in Plan(again).grid.runs] == [run.id for run in Plan(study).grid.runs]
    assert len(Plan(study).grid.runs) == 16


def test_runs_made_from_tasks_have_the_axes_of_the_plan():
    found = plan(POINTS, train={"batch_size": [32, 64], "epochs": 2})
    for job in found.train.values():
        for member in job.task.members:
            (run,) = (run for run in found.grid.runs if run.id == member.id)
            assert run_of(job.task, member) == run
            assert run_of(job.task, member).point == run.point


def test_a_varied_option_changes_the_training_of_its_runs_alone():
    one = plan(POINTS, train={"batch_size": 32})
    both = plan(POINTS, train={"batch_size": [32, 64]})
    kept = {both.digests.train[run.id] for run in both.grid.runs if run.train.batch_size == 32}
    assert kept == set(one.digests.train.values())
    assert len(set(both.digests.train.values())) == len(both.grid.runs)


def test_games_without_batches_do_not_repeat_runs():
    found = plan(TOY, POINTS, train={"batch_size": [32, 64], "steps": 5})
    assert [run.seed for run in found.grid.runs if run.n_train is None] == [0, 1]
    assert len(found.grid.runs) == 2 + 2 * 4
    assert {run.axes["train"] for run in found.grid.runs if run.n_train is None} == {None}
    with pytest.raises(GanbenchError, match=r"grid\[0\]\.train\.batch_size: a game without a data set has no batches"):
        plan({**TOY, "train": {"batch_size": [32, 64]}})


def test_options_that_a_game_has_no_use_for_make_no_second_run_of_it():
    blocks = [{**TOY, "train": {"steps": 5, "batch_size": size}} for size in (32, 64)]
    with pytest.raises(GanbenchError, match=r"grid\[1\]: run bilinear-lr0\.1-s0 stands in grid\[0\] already"):
        plan(*blocks)


def test_claims_and_selectors_use_training_options():
    claim = {
        "id": "A",
        "statement": "x",
        "tests": [{"bound": {"where": {"batch_size": 64}, "quantity": "steps * batch_size", "above": 0}}],
    }
    found = plan(POINTS, train={"batch_size": [32, 64], "steps": 10}, claims=[claim])
    assert {run.variables["batch_size"] for run in found.grid.runs} == {32, 64}
    assert len(selected(found, {"batch_size": [32, 64]})) == 8
    assert len(selected(found, {"batch_size": 64, "precision": "float32"})) == 4
    assert selected(found, {"precision": "float64"}) == []
    assert len(selected(found, {"train": "*batch_size=64*"})) == 4
    assert selected(found, {"accumulation_steps": 5}) == []  # of another batch size it would be valid
    assert len(selected(found, {"epochs": None})) == 8


@pytest.mark.parametrize("missing", [None, math.nan, pd.NA])
def test_a_run_without_an_option_matches_null_alone(missing):
    assert matches(Selector((("epochs", (None,)),)), {"train_epochs": missing})
    assert not matches(Selector((("epochs", (3,)),)), {"train_epochs": missing})
    assert not matches(Selector((("precision", ("float32",)),)), {"train_precision": missing})


@pytest.mark.parametrize(
    ("where", "message"),
    [
        (
            {"precision": "float23"},
            r"precision: must be 'float64', 'float32', 'tf32' or 'bfloat16' \(received 'float23'\)",
        ),
        ({"batch_size": "many"}, r"batch_size: must be an integer \(received 'many'\)"),
        ({"batchsize": 3}, r"unknown axis 'batchsize'\. Did you mean 'batch_size'"),
    ],
)
def test_a_selector_by_a_value_that_no_run_could_have_is_refused(where, message):
    with pytest.raises(GanbenchError, match=message):
        selected(plan(TOY), where)


@pytest.mark.parametrize(
    ("train", "message"),
    [
        ({"batch_size": [32, 32]}, r"train\.batch_size: has 32 more than once"),
        ({"batch_size": []}, r"train\.batch_size: is an empty axis"),
        ({"batch_size": [32, 1]}, r"train\.batch_size\[1\]: must be greater than or equal to 2 \(received 1\)"),
        (
            {"precision": ["float32", "half"]},
            r"train\.precision\[1\]: must be 'float64', 'float32', 'tf32' or 'bfloat16' \(received 'half'\)",
        ),
        ({"snapshots": [{"count": 3}]}, r"train\.snapshots: must be a mapping"),
        ({"steps": list(range(1, 1001)), "batch_size": list(range(2, 1002))}, r"runs are more than the 1,000,000"),
    ],
)
def test_a_list_that_is_no_axis_is_refused(train, message):
    with pytest.raises(GanbenchError, match=message):
        plan(POINTS, train=train)
    if "more than the" not in message:
        with pytest.raises(GanbenchError, match=message):
            plan({**POINTS, "train": train})


# Lengths --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("train", "n_train", "steps"),
    [
        ({"epochs": 3, "batch_size": 32}, 100, 3 * 4),
        ({"epochs": 3, "batch_size": 50}, 100, 3 * 2),
        ({"epochs": 1, "batch_size": 64}, 1, 1),
        ({"images": 1000, "batch_size": 32}, 100, 32),
        ({"images": 1024, "batch_size": 32}, 100, 32),
        ({"images": 1, "batch_size": 32}, 100, 1),
        ({"steps": 7, "batch_size": 32}, 100, 7),
    ],
)
def test_lengths_are_resolved_into_steps(train, n_train, steps):
    found = plan({**POINTS, "n_train": n_train}, train=train)
    assert {run.train.steps for run in found.grid.runs} == {steps}
    direct = plan({**POINTS, "n_train": n_train}, train={"batch_size": train["batch_size"], "steps": steps})
    assert found.digests.train == direct.digests.train, "the way to say the steps changes no training"


def test_epochs_are_steps_of_each_number_of_examples():
    found = plan(POINTS, train={"epochs": [2, 4], "batch_size": 50})
    assert {(run.n_train, run.train.epochs): run.train.steps for run in found.grid.runs} == {
        (100, 2): 4,
        (100, 4): 8,
        (1000, 2): 40,
        (1000, 4): 80,
    }
    assert found.grid.methods == ("ring8-mlp-epochs-2", "ring8-mlp-epochs-4")
    for pack in found.grid.packs.values():
        assert len({run.train.steps for run in pack.runs}) == 1


def test_a_block_s_length_replaces_that_of_the_study():
    blocks = [{**POINTS, "train": {"images": 640}}, {**POINTS, "dataset": "grid16"}, {**TOY, "train": {"steps": 5}}]
    found = plan(*blocks, train={"epochs": 3})
    chosen = [run for run in found.grid.runs if run.n_train in (None, 100) and run.seed == 0]
    assert [run.train.steps for run in chosen] == [10, 6, 5]


@pytest.mark.parametrize("place", ["study", "block"])
def test_two_lengths_are_one_error(place):
    two = {"epochs": 3, "steps": 4}
    block = {**POINTS, "train": two} if place == "block" else POINTS
    with pytest.raises(GanbenchError, match=r"train: must have one of steps, epochs, images, but has steps and epochs"):
        plan(block, train=two if place == "study" else {})


@pytest.mark.parametrize("length", ["epochs", "images"])
def test_games_without_examples_are_trained_in_steps(length):
    with pytest.raises(GanbenchError, match=rf"grid\[0\]\.train: {length} count training examples, and the game has"):
        plan(TOY, train={length: 3})


def test_more_steps_than_a_study_may_have_are_refused():
    with pytest.raises(GanbenchError, match=r"epochs 1,000,000,000 are 2,000,000,000 steps, more than 1,000,000,000"):
        plan({**POINTS, "n_train": 100}, train={"epochs": 1_000_000_000, "batch_size": 50})


def test_more_snapshots_than_a_run_may_have_are_refused():
    with pytest.raises(GanbenchError, match=r"snapshots\.every 2 are over 1,000,000 snapshots in 3,000,000 steps"):
        plan(POINTS, train={"steps": 3_000_000, "snapshots": {"every": 2}})


# Options of components ------------------------------------------------------------------------------------------------


def test_an_option_of_a_component_can_be_an_axis():
    adam = {"name": "adam", "beta1": [0.0, 0.5], "beta2": [0.9, 0.99]}
    found = plan({**POINTS, "optimizer": ["sgd", adam]})
    assert len(found.grid.methods) == 1 + 4
    listed = [{"name": "adam", "beta1": one, "beta2": two} for one in (0.0, 0.5) for two in (0.9, 0.99)]
    assert [run.id for run in plan({**POINTS, "optimizer": ["sgd", *listed]}).grid.runs] == [
        run.id for run in found.grid.runs
    ]


def test_a_list_that_is_the_value_of_an_option_stays_one():
    game = {"name": "dirac", "initial_parameters": [-1.0, 1.0]}
    found = plan({**TOY, "game": game, "objective": "minimax", "regularizer": {"name": "r1", "gamma": [0.1, 1.0]}})
    assert len(found.grid.methods) == 2
    assert {tuple(run.choice("game").options["initial_parameters"]) for run in found.grid.runs} == {(-1.0, 1.0)}


@pytest.mark.parametrize(
    ("optimizer", "message"),
    [
        ({"name": "adam", "beta1": []}, "option 'beta1' must have values that all differ"),
        ({"name": "adam", "beta1": [0.5, 0.5]}, "option 'beta1' must have values that all differ"),
        ({"name": "adam", "beta1": [0.5, 2.0]}, "option 'beta1' must be a finite number of at least 0 and below 1"),
        ({"name": "adam", "beta1": [0, 0.9], "label": "a"}, "label 'a' would name several choices"),
        ({"name": "adam", "beta3": [0, 0.9]}, "unknown option 'beta3'"),
        ({"name": "adam", "beta1": [k / 2000 for k in range(2000)], "beta2": [k / 2000 for k in range(2000)]},
         "runs are more than the 1,000,000"),
    ],
)  # fmt: skip
def test_lists_of_options_that_are_no_axes_are_refused(optimizer, message):
    with pytest.raises(GanbenchError, match=message):
        plan({**copy.deepcopy(POINTS), "optimizer": optimizer})
