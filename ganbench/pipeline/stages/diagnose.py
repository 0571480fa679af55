"""diagnose: what instruments show of a pack's runs. Looks that a file of the study holds already are kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ganbench.core import result_files
from ganbench.core.formatting import plural
from ganbench.core.tree import Tree
from ganbench.diagnostics import Diagnostic
from ganbench.engine import subpacks
from ganbench.engine.diagnose import diagnose
from ganbench.engine.out_of_memory import OutOfMemoryGuard
from ganbench.engine.train import Training
from ganbench.games import Game
from ganbench.pipeline.execution import result_cache
from ganbench.pipeline.execution.checkpoints import lasting
from ganbench.pipeline.execution.devices import device
from ganbench.pipeline.execution.instantiation import CPU, build_game, images_of, instrument_of, verify
from ganbench.pipeline.execution.job_context import Work
from ganbench.pipeline.execution.pack_trainer import runs_of, say
from ganbench.pipeline.execution.provenance import versions
from ganbench.pipeline.jobs import looks
from ganbench.pipeline.stages.train import training_of


def run(slice: dict[str, Any], path: Path, work: Work) -> None:
    for named in slice["experiments"].values():
        verify(named["sources"], [("diagnostic", named)], "diagnose")
    for team in slice.get("teams", ()):
        verify(team["sources"], team["parts"].items(), "train")

    def make(new: list[result_cache.Member], resume: Path) -> list[result_cache.Made]:
        seen = (_of_runs if slice["trained"] else _of_study)(slice, new, work)
        return lasting(map(_stored, seen), len(new), "diagnose", resume, work)

    result_cache.finish(path, "diagnose", looks(slice), make, work)


def _stored(made: list[result_cache.Made]) -> list[result_cache.Made]:
    """Looks as their file holds them: the numbers in one array, where they may be NaN, beside their names."""
    return [
        (look, tree | {"columns": list(tree["values"]), "values": np.array([*tree["values"].values()], np.float64)})
        for look, tree in made
    ]


def _of_study(slice: dict[str, Any], new: list[result_cache.Member], work: Work) -> Iterator[list[result_cache.Made]]:
    about = versions(CPU)
    for look in new:
        reading = instrument_of(slice["experiments"][look["experiment"]]).measure(None)
        values = {name: float(value) for name, value in reading.values.items()}
        arrays = {name: np.asarray(each) for name, each in reading.arrays.items()}
        yield [(look, {"values": values, "arrays": arrays, "about": about})]


def _of_runs(slice: dict[str, Any], new: list[result_cache.Member], work: Work) -> Iterator[list[result_cache.Made]]:
    """Every instrument on the runs it looks at, those of the same parts at once."""
    images = images_of(slice["prepared"])
    with (
        device(work.site.device) as place,
        result_files.open_file(Path(slice["trained"]), "train") as file,
        work.progress(f"diagnose {slice['pack']}", len(new), "looks") as report,
    ):
        done, about = 0, versions(place)
        for (experiment, team), mine in groupby(new, key=lambda look: (look["experiment"], look["team"])):
            alike, parts = list(mine), slice["teams"][team]["parts"]
            game = build_game(parts, slice["train"], images, place)
            instrument = instrument_of(slice["experiments"][experiment])
            if instrument.supports(game) is None:
                training = training_of(slice["train"], parts)
                trees = _in_parts(partial(_seen, file, instrument, game, training, place), alike, place)
            else:  # an experiment without a selector passes over the games that its instrument cannot look at
                trees = [{"values": {}, "arrays": {}} for _ in alike]
            yield [(look, {**tree, "about": about}) for look, tree in zip(alike, trees, strict=True)]
            done += len(alike)
            report(done)


def _seen(
    file: result_files.Group,
    instrument: Diagnostic,
    game: Game,
    training: Training,
    place: torch.device,
    group: list[result_cache.Member],
) -> list[Tree]:
    """What an instrument shows of runs of the same parts, together."""
    return diagnose(
        instrument,
        game,
        training.dynamics,
        training.optimizer,
        runs_of(group),
        [
            result_files.read_tree(result_files.descend(result_cache.group_of(file, look["trained"]), "snapshots"))
            for look in group
        ],
        training.snapshots,
        device=place,
        dtype=training.dtype,
    )


def _in_parts(
    seen: Callable[[list[result_cache.Member]], list[Tree]], group: list[result_cache.Member], place: torch.device
) -> list[Tree]:
    """What is seen of runs, of all at once if they fit into memory together, otherwise of one half and of the other.

    Raises:
        GanbenchError: a single run does not fit.
    """
    memory = OutOfMemoryGuard()
    with memory:
        return seen(group)
    subpacks.release(place)
    where = f"memory ran out for {plural(len(group), 'run')}"
    if len(group) == 1:
        raise subpacks.does_not_fit(group[0]["id"], where, memory.cause, place, "leave this experiment out")
    cut = (len(group) + 1) // 2
    say(f"{where} ({memory.cause}); they are looked at as {cut} + {len(group) - cut}")
    return _in_parts(seen, group[:cut], place) + _in_parts(seen, group[cut:], place)
