"""What it costs to trace and compile a step, and what is saved then: `python -m benchmarks.execution CASE ...`.

The rule of `execution: auto` is read off this table; its constants stand in ganbench/engine/execution.py.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Callable
from statistics import median
from unittest.mock import patch

import torch
from rich.console import Console

from benchmarks.cases import CASES, CONTENDERS, Case
from benchmarks.sheets import Sheet
from ganbench.core.recorder import series_names
from ganbench.dynamics import scaled
from ganbench.engine.execution import COMPILED, EAGER, TRACED, Execution, decide
from ganbench.engine.step import Executor, Step, Variables
from ganbench.games import Match

MEMBERS = 16
TURNS, SECONDS = 9, 0.3  # of each form, in turn, so that other work on the machine slows all of them alike
DEVICE = torch.device("cpu")


def seconds() -> float:
    """Processor time of this process and of the compilers that it has called."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def execution_sheet(names: list[str]) -> Sheet:
    """The seconds of a step in each form, and those to get there."""
    heads = ["operations", "MB", "eager, ms", "traced, ms", "compiled, ms", "tracing, s", "compiling, s", "again, s"]
    sheet = Sheet("Forms of execution", ["case", *heads, "repaid after", "auto"], f"{MEMBERS} runs fused, one core.")
    for name in names:
        sheet.add(name, *_row(CASES[name]))
    return sheet


def _row(case: Case) -> list[str]:
    game, training = case.game(), case.training(case.steps)
    match = Match(game, case.members(MEMBERS), DEVICE, training.dtype)
    step = Step(match, training.dynamics, training.optimizer, None, series_names(game.players, game.series))
    players = match.init()
    start = Variables(players, training.dynamics.init(match, players, training.optimizer), {}, {})
    batches, rates = match.draw(0, training.dynamics.batches_per_step), scaled(match.rates(), 1.0)
    step(start, batches, rates)

    def settled(form: str) -> tuple[Executor, float]:
        """An executor of the form, and the seconds of its first call."""
        executor, began = Executor(step, Execution(form, "", True), form, case.steps, extends=False), seconds()
        executor(start, batches, rates)
        return executor, seconds() - began

    forms, costs = {}, {}
    with tempfile.TemporaryDirectory() as folder, patch.dict("os.environ", TORCHINDUCTOR_CACHE_DIR=folder):
        for form in (EAGER, TRACED, COMPILED):
            forms[form], costs[form] = settled(form)
        _, again = settled(COMPILED)
    turns: dict[str, list[float]] = {form: [] for form in forms}
    for _ in range(TURNS):
        for form, executor in forms.items():
            turns[form].append(_step_seconds(lambda run=executor: run(start, batches, rates)))
    eager, traced, compiled = (median(turns[form]) for form in forms)
    trace = forms[TRACED]._trace
    compiling = costs[COMPILED] - costs[TRACED]
    repaid = f"{compiling / (traced - compiled):,.0f} steps" if compiled < traced else "never"
    chosen, _ = decide("auto", trace, case.steps, DEVICE, extends=False)
    return [
        f"{trace.operations}",
        f"{trace.traffic / 1e6:.1f}",
        *(f"{1e3 * each:.2f}" for each in (eager, traced, compiled)),
        *(f"{each:.2f}" for each in (costs[TRACED], compiling, again)),
        repaid,
        f"{chosen} of {case.steps:,}",
    ]


def _step_seconds(run: Callable[[], object]) -> float:
    began = seconds()
    done = 0
    while seconds() - began < SECONDS or done < 3:
        run()
        done += 1
    return (seconds() - began) / done


if __name__ == "__main__":
    torch.set_num_threads(1)
    execution_sheet(sys.argv[1:] or list(CONTENDERS)).print(Console(width=160))
