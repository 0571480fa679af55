"""What it costs to trace, compile or capture a step, and what is saved then.

The rule of `execution: auto` is read off this table; its constants stand in ganbench/engine/execution.py.
`python -m benchmarks.bench --only execution` makes it.
"""

from __future__ import annotations

import resource
import tempfile
import time
from collections.abc import Callable, Iterable
from statistics import median
from typing import Any
from unittest.mock import patch

import torch

from benchmarks.cases import Case
from benchmarks.dynamics import one_thread
from benchmarks.sheets import Sheet
from ganbench.core.recorder import series_names
from ganbench.dynamics import scaled
from ganbench.engine.execution import COMPILED, EAGER, GRAPH, TRACED, Execution, decide
from ganbench.engine.step import Executor, Step, Variables
from ganbench.games import Match

NONE = "not to be had"
TITLE = "Steps executed eagerly, traced, compiled or captured"


def forms(device: str) -> tuple[str, ...]:
    """The forms of execution that a device has."""
    return (EAGER, TRACED, COMPILED) if device == "cpu" else (EAGER, TRACED, COMPILED, GRAPH)


@one_thread()
def sheet(cells: Iterable[tuple[Case, int]], device: str, *, rounds: int = 9, seconds: float = 0.3) -> Sheet:
    """The milliseconds of a step in each form, and the seconds to get there.

    Args:
        cells: cases, and how many runs are fused.
        device: "cpu" or "cuda".
        rounds: turns of every form, in turn, so that other work on the machine slows all of them alike.
        seconds: what a turn takes, about.
    """
    others = forms(device)[1:]
    result = Sheet(
        TITLE,
        [
            *("case", "runs", "operations", "MB", *(f"{form}, ms" for form in forms(device))),
            *(*(f"{form}, s" for form in others), "compiled again, s"),
            *(*(f"{form} repaid after" for form in others), "auto"),
        ],
        "Milliseconds of a fused pack's step, with all that is recorded; in brackets the gain over eager steps. Then "
        "the seconds that a form takes at first, tracing included, with nothing compiled before, and, for compiling "
        "again, with the compiler's folder as that left it. A form is repaid after the steps that save as much against "
        "eager ones. On a CPU the seconds are one processor's. Last is what `execution: auto` picks for a whole run.",
    )
    for case, members in cells:
        result.add(case.name, members, *_row(case, members, device, rounds, seconds))
    return result


def first_step(case: Case, members: int, device: str) -> tuple[Step, tuple[Any, ...]]:
    """The engine's step of a pack, with all that is recorded, and the arguments of the first one."""
    game, training, place = case.game(device), case.training(case.steps), torch.device(device)
    match = Match(game, case.members(members), place, training.dtype)
    step = Step(match, training.dynamics, training.optimizer, None, series_names(game.players, game.series))
    players = match.init()
    start = Variables(players, training.dynamics.init(match, players, training.optimizer), {}, match.buffers)
    return step, (start, match.draw(0, training.dynamics.batches_per_step), scaled(match.rates(), 1.0))


def _row(case: Case, members: int, device: str, rounds: int, seconds: float) -> list[str]:
    place = torch.device(device)
    step, given = first_step(case, members, device)
    step(*given)

    def settled(form: str) -> tuple[Executor, float]:
        """An executor of the form, and the seconds of its first call."""
        executor = Executor(step, Execution(form, "", True, form), case.steps, extends=False)
        return executor, elapsed(lambda: executor(*given), device)

    executors, costs = {}, {}
    with tempfile.TemporaryDirectory() as folder, patch.dict("os.environ", TORCHINDUCTOR_CACHE_DIR=folder):
        for form in forms(device):
            executors[form], costs[form] = settled(form)
        _, again = settled(COMPILED)
    turns: dict[str, list[float]] = {form: [] for form in executors}
    for _ in range(rounds):
        for form, executor in executors.items():
            turns[form].append(_step_seconds(lambda execute=executor: execute(*given), device, seconds))
    times = {form: median(each) for form, each in turns.items()}
    trace = executors[TRACED]._trace
    if trace is None:
        raise RuntimeError(f"{case.name}: {executors[TRACED].execution.why}")
    others = forms(device)[1:]
    had = {form: executor.execution.form == form for form, executor in executors.items()}
    chosen, _ = decide("auto", trace, case.steps, place, extends=False)
    return [
        *(f"{trace.operations:,}", f"{trace.traffic / 1e6:.1f}"),
        *(f"{1e3 * each:.2f} ({times[EAGER] / each:.2f})" if had[form] else NONE for form, each in times.items()),
        *(f"{costs[form] - costs[EAGER]:.2f}" for form in others),
        f"{again - costs[EAGER]:.2f}",
        *(repaid(costs[form] - costs[EAGER], times[EAGER] - times[form]) if had[form] else NONE for form in others),
        f"{chosen}, of {case.steps:,} steps",
    ]


def repaid(cost: float, saved: float) -> str:
    """The number of steps after which what a form costs is made up by what it saves in each."""
    return f"{max(cost, 0) / saved:,.0f} steps" if saved > 0 else "never"


def elapsed(work: Callable[[], object], device: str) -> float:
    """The seconds of some work; on a CPU those of the processor, of this process and of compilers that it calls."""
    began = _clock(device)
    work()
    if device != "cpu":
        torch.cuda.synchronize()
    return _clock(device) - began


def _clock(device: str) -> float:
    if device != "cpu":
        return time.perf_counter()
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def _step_seconds(step: Callable[[], object], device: str, seconds: float) -> float:
    count = max(3, round(seconds / max(elapsed(step, device), 1e-6)))
    return elapsed(lambda: [step() for _ in range(count)], device) / count
