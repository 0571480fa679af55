"""What a log says of how far work is."""

from __future__ import annotations

import re

import pytest

from ganbench.pipeline.execution import progress as module
from ganbench.pipeline.execution.progress import progress


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test sets."""
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def lines(capsys) -> list[str]:
    return [re.sub(r"^\d\d:\d\d:\d\d ", "", line) for line in capsys.readouterr().err.splitlines()]


def test_work_that_goes_on_says_from_where_and_what_was_done_before_counts_for_no_rate(clock, capsys):
    with progress("train pack", 1000, "run-steps", done=600) as report:
        assert lines(capsys) == ["train pack: goes on from 600 of 1,000 run-steps"]
        clock[0] += 20
        assert report(800) == 10
        assert lines(capsys) == ["train pack: 800/1,000 run-steps, 10 run-steps/s, 20.0 s left"]


def test_a_log_is_never_empty_and_says_nothing_twice(clock, capsys):
    with progress("judge digits", 100, "%") as report:
        assert lines(capsys) == ["judge digits: 100 % to do"]
        clock[0] += 1
        report(1)
        assert lines(capsys) == [], "so soon there is nothing new"
        report(100)
        report(100)
    assert lines(capsys) == ["judge digits: 100/100 %, 100 %/s, 0.0 s left"]


def test_a_slow_first_step_counts_for_no_rate(clock, capsys):
    """Ten seconds for the first of 1,000 steps, which loads libraries, and an eighth of one for each other step."""
    with progress("judge digits", 100, "%") as report:
        clock[0] += 10
        report(0.1)
        for step in range(2, 1001):
            clock[0] += 0.125
            report(step / 10)
    _, first, second, *_, last = lines(capsys)
    assert first == "judge digits: 0/100 %, no rate yet"
    assert second == "judge digits: 8/100 %, 0.8 %/s, 114.9 s left"
    assert last == "judge digits: 100/100 %, 0.741 %/s, 0.0 s left", "the mean of all"
