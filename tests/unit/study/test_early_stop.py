"""The option `stop_early`: what it accepts, and which digests depend on it."""

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
    return changed("train", "stop_early", option) | {"outcome": outcome}


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
        (["unstable"], "must be a mapping with keys outcomes, after, every, looks"),
        ({**STOP, "after": 1.0}, "after: must be less than 1"),
        ({**STOP, "every": 0}, r"every: must be greater than or equal to 0.001 \(received 0\)"),
        ({**STOP, "looks": 0}, "looks: must be greater than or equal to 1"),
    ],
)
def test_faults_are_refused_with_what_would_be_valid(option, fault):
    with pytest.raises(GanbenchError, match=rf"train\.stop_early.*{fault}"):
        parse(stopping(option), origin="study.yaml")


def test_a_study_without_it_has_no_trace_of_it():
    """So the digests are those of before."""
    run = plan(BASE).grid.runs[0]
    assert "stop_early" not in run.config["train"]
    assert digests(changed("train", "stop_early", None)) == digests(BASE)


def test_runs_that_may_be_stopped_are_others():
    known = digests(BASE)
    for other in (STOP, {**STOP, "looks": 3}, {**STOP, "after": 0.5}, {"outcomes": ["unstable", "discriminator-won"]}):
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
    study = TOYS | {"train": {"steps": 20, "stop_early": STOP}}
    before, after = (Plan(parse(each, origin="s")) for each in (TOYS, study))
    toys = [run.id for run in before.grid.runs if run.choice("dataset") is None]
    assert [after.digests.train[name] for name in toys] == [before.digests.train[name] for name in toys]
    assert {job.task.stop is None for job in after.train.values() if job.task.prepared is None} == {True}
    assert {job.task.stop is None for job in after.train.values() if job.task.prepared is not None} == {False}


def test_a_block_may_stop_in_its_own_way_or_not_at_all():
    study = stopping()
    study["grid"][0]["train"] = {"stop_early": None}
    study["grid"][1]["train"] = {"stop_early": {"looks": 3}}
    stops = {run.choice("dataset").name: run.train.stop_early for run in plan(study).grid.runs}
    assert stops["digits"] is None
    assert (stops["ring8"].outcomes, stops["ring8"].looks) == (("unstable",), 3)
