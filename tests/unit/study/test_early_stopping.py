"""The option `early_stopping`: what it accepts, and which digests depend on it."""

from __future__ import annotations

from typing import Any

import pytest
from study_example import BASE, TOYS, changed, plan

from ganbench.core.errors import GanbenchError
from ganbench.pipeline.plan import Plan
from ganbench.study.schema import parse

STOP = {"outcomes": ["unstable"]}


def digests(study: dict[str, Any]) -> dict[str, str]:
    return plan(study).digests.train


def stopping(option: Any = STOP, **outcome: Any) -> dict[str, Any]:
    return changed("train", "early_stopping", option) | {"outcome": outcome}


@pytest.mark.parametrize(
    ("option", "fault"),
    [
        (
            {"outcomes": ["collapsed"]},
            r"outcomes\[0\]: must be 'unstable' or 'discriminator-won' \(received 'collapsed'\)$",
        ),
        ({"outcomes": []}, "outcomes: must name 'unstable' or 'discriminator-won', but is empty"),
        ({"outcomes": ["unstable", "unstable"]}, "outcomes: has unstable more than once"),
        ({}, "outcomes: is missing"),
        (["unstable"], "must be a mapping with keys outcomes, start_from, check_interval, patience"),
        ({**STOP, "start_from": 1.0}, "start_from: must be less than 1"),
        ({**STOP, "check_interval": 0}, r"check_interval: must be greater than or equal to 0.001 \(received 0\)"),
        ({**STOP, "patience": 0}, "patience: must be greater than or equal to 1"),
    ],
)
def test_faults_are_refused_with_what_would_be_valid(option, fault):
    with pytest.raises(GanbenchError, match=rf"train\.early_stopping.*{fault}"):
        parse(stopping(option), origin="study.yaml")


def test_a_study_without_it_has_no_trace_of_it():
    """So the digests are those of before."""
    run = plan(BASE).grid.runs[0]
    assert "early_stopping" not in run.config["train"]
    assert digests(changed("train", "early_stopping", None)) == digests(BASE)


def test_runs_that_may_be_stopped_are_others():
    known = digests(BASE)
    for other in (
        STOP,
        {**STOP, "patience": 3},
        {**STOP, "start_from": 0.5},
        {"outcomes": ["unstable", "discriminator-won"]},
    ):
        mine = digests(stopping(other))
        assert not {*mine.values()} & {*known.values()}
        known |= {f"{name} {other}": value for name, value in mine.items()}


def test_only_the_thresholds_of_its_outcomes_train_runs_again():
    same = digests(stopping())
    assert digests(stopping(learned_share=0.2, starved_gradient=1e-4)) == same
    assert digests(stopping(loss_growth=50.0)) != same
    won = {"outcomes": ["discriminator-won"]}
    assert digests(stopping(won, starved_gradient=1e-4)) != digests(stopping(won))
    assert digests(stopping(won, loss_growth=50.0)) == digests(stopping(won))
    assert digests(BASE | {"outcome": {"loss_growth": 50.0}}) == digests(BASE), (
        "what is not stopped is trained as before"
    )


def test_games_without_data_train_to_their_end():
    study = TOYS | {"train": {"steps": 20, "early_stopping": STOP}}
    before, after = (Plan(parse(each, origin="s")) for each in (TOYS, study))
    toys = [run.id for run in before.grid.runs if run.choice("dataset") is None]
    assert [after.digests.train[name] for name in toys] == [before.digests.train[name] for name in toys]
    assert {job.task.stop is None for job in after.train.values() if job.task.prepared is None} == {True}
    assert {job.task.stop is None for job in after.train.values() if job.task.prepared is not None} == {False}


def test_a_block_may_stop_in_its_own_way_or_not_at_all():
    study = stopping()
    study["grid"][0]["train"] = {"early_stopping": None}
    study["grid"][1]["train"] = {"early_stopping": {"patience": 3}}
    stops = {run.choice("dataset").name: run.train.early_stopping for run in plan(study).grid.runs}
    assert stops["digits"] is None
    assert (stops["ring8"].outcomes, stops["ring8"].patience) == (("unstable",), 3)
