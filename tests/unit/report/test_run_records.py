"""The data of runs in a page say what the tables say."""

from __future__ import annotations

import dataclasses
import json
import shlex

import collected_example
import numpy as np
import pandas as pd
import pytest
import typer

from ganbench.analysis.settings import KEY
from ganbench.claims.quantities_tested import quantities_tested
from ganbench.cli import app
from ganbench.core.formatting import format_number
from ganbench.report import run_records
from ganbench.report.run_records import DIGITS, TOP, commands, keys, records


@pytest.fixture(scope="module")
def data(collected) -> dict:
    packs = {pack: ["train/a.h5"] for pack in collected.runs["pack"]}
    return json.loads(json.dumps(records(collected, packs), allow_nan=False))


def decoded(curve: list) -> np.ndarray:
    """The values of a curve, from the description of its code."""
    _, _, low, high, text = curve
    codes = np.array(
        [64 * DIGITS.index(one) + DIGITS.index(two) for one, two in zip(text[::2], text[1::2], strict=True)]
    )
    values = np.sinh(low + codes / TOP * (high - low))
    for code, value in enumerate((np.nan, np.inf, -np.inf), start=TOP + 1):
        values[codes == code] = value
    return values


def test_every_run_has_its_settings_scores_and_evidence(collected, data):
    for (_, run), record in zip(collected.runs.iterrows(), data["runs"], strict=True):
        apart = dict(zip(record["apart"][::2], record["apart"][1::2], strict=True))
        found = {name: values[apart.get(place, 0)] for place, (name, values) in enumerate(data["options"])}
        for name in ("dataset", "learning_rate", "seed", "architecture_width"):
            value = run[name]
            text = None if pd.isna(value) else value if isinstance(value, str) else f"{value:g}"
            assert found[name] == text, (run["run"], name)
        assert data["texts"][record["method"]] == run["method"]
        outcome, onset, evidence = record["outcomes"][0]
        assert data["texts"][outcome] == run["outcome"]
        assert onset == run["outcome_onset"] or (onset is None and pd.isna(run["outcome_onset"]))
        mine = collected.run_outcomes[(collected.run_outcomes["run"] == run["run"]) & collected.run_outcomes["judged"]]
        assert len(record["outcomes"]) == len(mine)
        assert data["texts"][evidence] in set(mine["evidence"])
        score = run["fd_final"]
        assert record["scores"][0] == (None if pd.isna(score) else format_number(score))


def test_the_first_value_of_a_setting_is_that_of_most_runs(collected, data):
    values = dict(data["options"])
    assert values["dataset"][0] == collected.runs["dataset"].mode()[0]
    assert set(values["learning_rate"]) == {"0.0002", "0.001", "0.005"}


def test_curves_are_the_tables_curves_merged(collected, data):
    place = 5
    run, record = collected.runs.iloc[place], data["runs"][place]
    rows = collected.curves[(collected.curves["run"] == run["run"]) & (collected.curves["series"] == "generator_loss")]
    (curve,) = [each for each in record["curves"] if data["series"][each[0]] == "generator loss"]
    values, steps = decoded(curve), data["steps"][curve[1]]
    assert len(values) == len(steps) <= run_records.MAX_POINTS < len(rows)
    weights = (rows["last_step"] - rows["first_step"] + 1).to_numpy()
    middle = (rows["first_step"] + rows["last_step"]).to_numpy() / 2
    inside = np.searchsorted(steps, middle, side="left").clip(0, len(steps) - 1)
    assert np.average(rows["mean"], weights=weights) == pytest.approx(
        np.average(values, weights=np.bincount(inside, weights=weights, minlength=len(steps))), rel=0.05
    )
    assert {data["series"][each[0]] for each in record["curves"]} >= {"discriminator loss", "generator loss"}


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e30, 1e300])
def test_values_of_any_size_are_kept_and_gaps_named(scale):
    values = scale * np.array([0.0, 1.0, -2.0, np.nan, np.inf, -np.inf, 3.0])
    found = decoded(run_records._curve(0, np.arange(7), values, run_records._Places()))
    assert np.array_equal(np.isfinite(found), np.isfinite(values))
    assert np.isnan(found[3])
    assert (found[4], found[5]) == (np.inf, -np.inf)
    step = (np.arcsinh(3 * scale) + np.arcsinh(2 * scale)) / TOP
    kept = np.isfinite(values)
    assert np.arcsinh(found[kept]) == pytest.approx(np.arcsinh(values[kept]), abs=step + 1e-5 * np.arcsinh(3 * scale))


def test_a_mean_over_bins_weighs_them_by_their_steps_and_keeps_what_is_no_number():
    rows = pd.DataFrame({"first_step": [1, 2, 5, 6], "last_step": [1, 4, 5, 9], "mean": [4.0, 8.0, np.nan, 1.0]})
    steps, values = run_records._merged(rows, 2)
    assert steps.tolist() == [2, 7]  # the middles of 1 to 4 and 5 to 9
    assert values[0] == (1 * 4 + 3 * 8) / 4
    assert np.isnan(values[1])


def test_a_run_without_any_number_has_a_curve_of_gaps():
    assert np.isnan(decoded(run_records._curve(0, np.arange(2), np.full(2, np.nan), run_records._Places()))).all()


def test_addresses_are_short_and_unique():
    runs = pd.DataFrame({"digest": ["a" * 64, "b" * 64, "a" * 64, "<&\"'"]})
    assert keys(runs) == ["a" * 12, "b" * 12, "a" * 12 + "-2", ""]


def test_many_runs_have_curves_of_fewer_points(collected, monkeypatch):
    monkeypatch.setattr(run_records, "ALL_POINTS", 20 * len(collected.runs))
    few = collected_example.only(collected, collected.runs["method"] == "ring8-mlp")
    points = 20 * len(collected.runs) // len(few.runs)
    lengths = {len(curve[4]) // 2 for record in records(few, {})["runs"] for curve in record["curves"]}
    assert max(lengths) == min(points, run_records.MAX_POINTS)


@pytest.mark.parametrize("file", ["my study.yaml", ""])
def test_commands_are_those_of_the_command_line(file, tmp_path, monkeypatch):
    (tmp_path / (file or "STUDY")).touch()
    monkeypatch.chdir(tmp_path)
    for name, asked in (("train", {"only": "a-b"}), ("export", {"run": "a-b"})):
        before, after = commands(file)[name]
        program, command, *words = shlex.split(f"{before}a-b{after}")
        assert (program, command) == ("ganbench", name)
        with typer.main.get_command(app).make_context("ganbench", [command, *words]) as group:
            parsed = group.command.get_command(group, command).make_context(command, words).params
        assert str(parsed["study"]) == (file or "STUDY")
        assert parsed | asked == parsed


def test_runs_without_curves_and_outcomes_have_records(collected):
    bare = dataclasses.replace(
        collected,
        curves=collected.curves[:0],
        snapshots=collected.snapshots[:0],
        run_outcomes=collected.run_outcomes[:0],
    )
    found = records(bare, {})
    assert all(run["curves"] == [] and run["outcomes"] == [] for run in found["runs"])
    assert found["files"] == {}


def test_a_thousand_runs_leave_room_for_pictures(collected, data):
    assert len(json.dumps(data["runs"], separators=(",", ":"))) < 900 * len(collected.runs)


def test_numbers_that_claims_test_are_told_of_the_runs_that_they_select(collected):
    claims = [
        {
            "id": "A10",
            "statement": "s",
            "tests": [{"bound": {"where": {"architecture": "mlp"}, "quantity": "final.fd", "below": 9}}],
        },
        {
            "id": "A2",
            "statement": "s",
            "tests": [
                {"bound": {"where": {}, "quantity": "final.modes / 2", "above": 0}},
                {"bound": {"where": {"architecture": "fc"}, "quantity": "final.fd", "below": 9}},
            ],
        },
        {
            "id": "B1",
            "statement": "s",
            "tests": [{"bound": {"where": {"architecture": "none such"}, "quantity": "steps", "above": 0}}],
        },
    ]
    halves, distance = quantities_tested(collected, {"claims": claims})
    runs = collected.runs.set_index("run")
    assert (halves.quantity, halves.claims) == ("final.modes / 2", ("A2",))
    pd.testing.assert_series_equal(pd.Series(halves.values), runs["modes_final"] / 2, check_names=False)
    assert (distance.quantity, distance.claims) == ("final.fd", ("A2", "A10"))
    mine = runs[runs["architecture"].isin(["mlp", "fc"])]
    pd.testing.assert_series_equal(pd.Series(distance.values)[mine.index], mine["fd_final"], check_names=False)
    assert set(distance.values) == set(mine.index)
    assert list(quantities_tested(collected, {})) == []


def test_a_page_lists_the_first_seeds_of_every_setting_where_it_has_no_room_for_all(collected, monkeypatch):
    assert run_records.listed(collected) is collected
    settings = collected.runs.groupby(list(KEY), dropna=False).ngroups
    most = settings + 3
    assert most < len(collected.runs)
    monkeypatch.setattr(run_records, "MAX_RUNS", most)
    found = run_records.listed(collected)
    assert len(found.runs) == most
    assert found.runs.groupby(list(KEY), dropna=False).ngroups == settings, "every setting is listed"
    assert found.runs.index.is_monotonic_increasing
    assert len(records(found, {})["runs"]) == most
    assert set(found.curves["run"]) <= set(found.runs["run"])
