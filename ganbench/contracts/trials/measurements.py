"""Trials of metrics and of diagnostics."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np

from ganbench.contracts.measuring import diagnosis_fault, metric_fault
from ganbench.contracts.repeatability import call_twice
from ganbench.contracts.steps import CPU
from ganbench.contracts.trials.checks import (
    Check,
    LeftOpen,
    Subject,
    gan,
    images,
    line,
    members,
    part,
    points,
    supports_some,
    toy,
    training,
)
from ganbench.core.metric_info import MetricInfo, columns_fault
from ganbench.core.pixels import floats
from ganbench.core.registry import components
from ganbench.data import DataSpec, Examples
from ganbench.engine.diagnose import trajectories_of
from ganbench.engine.train import train
from ganbench.games import Game
from ganbench.judges import JudgedExamples
from ganbench.numerics.trajectories import Trajectories

Data = tuple[DataSpec, Examples]
SAMPLES = 300  # real examples that serve as generated ones
STEPS = 20  # of the runs that diagnostics measure


def _without_labels() -> Data:
    spec, examples = images()
    return replace(spec, modes=0), replace(examples, train_modes=None, heldout_modes=None)


SCORED: dict[str, Callable[[], Data]] = {
    "eight Gaussians": points,
    "points on the line, without labels": line,
    "handwritten digits": images,
    "handwritten digits, without labels": _without_labels,
    "digits in colour": lambda: images(3),
}


def of_metric(subject: Subject) -> list[Check]:
    """The checks of a metric."""
    metric = subject.made

    def some() -> str | None:
        answers = [metric.unsupported(make()[0]) for make in SCORED.values()]
        if fault := columns_fault(metric.columns) or supports_some(answers, SCORED):
            return fault
        if not subject.component.shipped:
            _leave_open_taken(metric.columns)
        return None

    def scores(make: Callable[[], Data]) -> str | None:
        spec, real, generated = _judged(metric, make())
        return metric_fault(metric, spec, real, generated)

    def ranks() -> str | None:
        scored = []
        for make in SCORED.values():
            with suppress(LeftOpen):
                scored.append(_scores_of_worse(metric, *_judged(metric, make())))
        for column, info in metric.columns.items():
            if doubt := _rank_doubt(column, info, scored):  # no fault: a metric may be blind to both
                raise LeftOpen(f"{doubt}; say another `best` if that is not what the column is for")
        return None

    return [
        Check(
            "Its columns are described, and it is defined for one at least of the data that it is tried on.",
            some,
            "columns",
        ),
        *(
            Check(
                f"On {where}: reference() and score() give numbers within their bounds, the same at every call, and "
                "change nothing.",
                lambda make=make: scores(make),
                "score",
                rests=True,
            )
            for where, make in SCORED.items()
        ),
        Check(
            "A column that has a best end is better for real examples than for one example again and again, or for "
            "noise, on one at least of these data.",
            ranks,
            rests=True,
        ),
    ]


def _leave_open_taken(columns: Mapping[str, MetricInfo]) -> None:
    """Raises:
    LeftOpen: a metric of the package has one of these columns, so that no study can have both.
    """
    for name in components("metric"):
        if taken := [column for column in columns if column in part("metric", name).columns]:
            raise LeftOpen(
                f"its column {taken[0]!r} is one of ganbench's metric {name}, and no study can have both; call it "
                "something else to compare them"
            )


def _judged(metric: Any, data: Data) -> tuple[DataSpec, JudgedExamples, JudgedExamples]:
    """The spec, and real examples twice, as real and as generated ones, judged by what is known of them.

    Raises:
        LeftOpen: the metric needs weights, does not support the data, or needs more examples.
    """
    if metric.pretrained:
        raise LeftOpen("it needs weights that a study fetches")
    spec, examples = data
    if (why := metric.unsupported(spec)) is not None:
        raise LeftOpen(f"it is not defined for them: {why}")
    count = max(SAMPLES, metric.fewest)
    if count > len(examples.heldout):
        raise LeftOpen(f"it needs {count:,} examples, and there are {len(examples.heldout):,} to score")
    most = max(4 * SAMPLES, metric.fewest)
    real = _known(spec, examples.train[:most], examples.train_modes, examples.train)
    return spec, real, _known(spec, examples.heldout[:count], examples.heldout_modes, examples.train)


def _known(spec: DataSpec, stored: np.ndarray, modes: np.ndarray | None, train: np.ndarray) -> JudgedExamples:
    """Examples as a judge that knows their labels would judge them, by their numbers in units of the data's spread."""
    features = floats(stored).reshape(len(stored), -1).astype(np.float64) / float(train.std())
    if not spec.modes:
        return JudgedExamples(stored, features, None, None, 0)
    return JudgedExamples(stored, features, modes[: len(stored)], np.ones(len(stored), dtype=bool), spec.modes)


def _scores_of_worse(
    metric: Any, spec: DataSpec, real: JudgedExamples, generated: JudgedExamples
) -> tuple[dict[str, float], ...]:
    """The scores of real examples, of one example again and again, and of noise far beyond the data."""
    stored, train = generated.stored, floats(real.stored)
    reach = 1.0 if spec.bounded else 5 * float(np.abs(stored).max())
    noise = np.random.default_rng(0).uniform(-reach, reach, stored.shape).astype(np.float32)
    one = _known(spec, np.repeat(stored[:1], len(stored), axis=0), real.mode, train)
    strange = _known(spec, noise, real.mode, train)
    if spec.modes:
        one = replace(one, mode=np.full(len(stored), generated.mode[0]))
        strange = replace(strange, confident=np.zeros(len(stored), dtype=bool))
    reference = metric.reference(real, generated)
    return tuple(metric.score(each, reference) for each in (generated, one, strange))


def _rank_doubt(column: str, info: MetricInfo, scored: list[tuple[dict[str, float], ...]]) -> str | None:
    """Why the best end of a column is doubtful: it is nowhere better for real examples, as a clause; else None."""
    values = [[scores[column] for scores in each] for each in scored]
    better = {"low": lambda of: of[0] < max(of[1:]), "high": lambda of: of[0] > min(of[1:]), "none": lambda of: True}
    if not values or any(better[info.best](of) for of in values):
        return None
    real, one, noise = values[0]
    return (
        f"its column {column!r}, of which {info.best} is best, is {real:g} for real examples, {one:g} for one example "
        f"again and again and {noise:g} for noise"
    )


GAMES: dict[str, Callable[[], Game]] = {
    "the bilinear game": lambda: toy("bilinear"),
    "the Dirac-GAN": lambda: toy("dirac"),
    "networks on eight Gaussians": lambda: gan(points()),
    "networks on handwritten digits": lambda: gan(images()),
}
SHOWN: dict[str, Callable[[], Data]] = {
    "networks on eight Gaussians": points,
    "networks on handwritten digits": images,
}


def of_diagnostic(subject: Subject) -> list[Check]:
    """The checks of a diagnostic."""
    diagnostic = subject.made
    if diagnostic.of == "study":
        return [
            Check(
                "measure() gives the numbers that its columns describe, the same at every call.",
                lambda: _measured_fault(diagnostic, None, None),
                "measure",
            )
        ]

    def some() -> str | None:
        return supports_some([diagnostic.unsupported(make()) for make in GAMES.values()], GAMES)

    def measures(where: str, make: Callable[[], Game]) -> str | None:
        game = make()
        if (why := diagnostic.unsupported(game)) is not None:
            raise LeftOpen(f"it does not measure it: {why}")
        return _measured_fault(diagnostic, game, _runs(diagnostic, game, SHOWN.get(where)))

    return [
        Check("It measures one at least of the games that it is tried on.", some),
        *(
            Check(
                f"Of {where}: measure() gives a number for each of three runs, of which one diverged, the same at "
                "every call.",
                lambda where=where, make=make: measures(where, make),
                "measure",
            )
            for where, make in GAMES.items()
        ),
    ]


def _measured_fault(diagnostic: Any, game: Game | None, runs: Trajectories | None) -> str | None:
    result, fault = call_twice(lambda: diagnostic.measure(runs))
    count = None if runs is None else len(runs.match.members)
    return diagnosis_fault(diagnostic, game, result, count) or (f"its measure() {fault}" if fault else None)


def _runs(diagnostic: Any, game: Game, data: Callable[[], Data] | None) -> Trajectories:
    """Two runs of a game and the beginning of a third, which has no numbers after its first steps."""
    how = training(dynamics=part("dynamics", "simultaneous"), optimizer=part("optimizer", "sgd"))
    how = replace(how, steps=STEPS, snapshots=tuple(range(STEPS + 1)), curve_bins=STEPS)
    who = [*members(game), replace(members(game)[0], seed=2)]
    kept = [tree["snapshots"] | {"buffers": tree["buffers"]} for tree in train(game, how, who, device=CPU)]
    kept[2] = {
        name: {key: values[:3] for key, values in value.items()} if name == "buffers" else value[:3]
        for name, value in kept[2].items()
    }
    seen: dict[str, Any] = {}
    if data is not None:
        spec, examples = data()

        def judging(stored: np.ndarray) -> JudgedExamples | None:
            if not np.isfinite(stored).all():
                return None  # as of a run that diverged
            return _known(spec, stored, np.arange(len(stored)) % spec.modes, examples.train)

        seen = {"real": examples, "judging": judging if diagnostic.needs_judge else None}
    where = {"device": CPU, "dtype": how.dtype, "schedule": how.factor}
    return trajectories_of(game, how.dynamics, how.optimizer, who, kept, how.snapshots, **where, **seen)
