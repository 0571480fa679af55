"""diagnose: what instruments show of a pack's runs. Looks that a file of the study holds already are kept."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from ganbench.core import store
from ganbench.core.tree import Tree
from ganbench.engine.diagnose import diagnose
from ganbench.games import Member
from ganbench.stages import one_thread, packs
from ganbench.stages.device import device
from ganbench.stages.jobs import looks
from ganbench.stages.parts import images_of, instrument_of, rules_of, verify
from ganbench.stages.train import training_of
from ganbench.stages.work import Work


def run(slice: dict[str, Any], path: Path, work: Work) -> None:
    one_thread()
    for named in slice["experiments"].values():
        verify(named["sources"], [("diagnostic", named)], "diagnose")
    for team in slice.get("teams", ()):
        verify(team["sources"], team["parts"].items(), "train")
    members = looks(slice)
    kept = packs.there(path, "diagnose", members)
    new: dict[str, packs.Member] = {}  # by digest: two experiments may ask the same of a run
    for member in members:
        if member["digest"] not in kept:
            new.setdefault(member["digest"], member)
    made = (_of_runs if slice["trained"] else _of_study)(slice, list(new.values()), work)
    packs.write(path, "diagnose", members, kept, made)


def _of_study(slice: dict[str, Any], new: list[packs.Member], work: Work) -> Iterator[tuple[packs.Member, Tree]]:
    for look in new:
        reading = instrument_of(slice["experiments"][look["experiment"]]).measure(None)
        values = {name: float(value) for name, value in reading.values.items()}
        yield look, {"values": values, "arrays": {name: np.asarray(each) for name, each in reading.arrays.items()}}


def _of_runs(slice: dict[str, Any], new: list[packs.Member], work: Work) -> Iterator[tuple[packs.Member, Tree]]:
    """Every instrument on the runs it looks at, those of the same parts at once."""
    images = images_of(slice["prepared"])
    with (
        device(work.site.device) as place,
        store.reading(Path(slice["trained"]), "train") as file,
        work.progress(f"diagnose {slice['pack']}", len(new), "looks") as report,
    ):
        done = 0
        for (experiment, team), mine in groupby(new, key=lambda look: (look["experiment"], look["team"])):
            alike, parts = list(mine), slice["teams"][team]["parts"]
            rules = rules_of(parts, slice["train"], images, place)
            instrument = instrument_of(slice["experiments"][experiment])
            if instrument.supports(rules) is None:
                training = training_of(slice["train"], parts)
                trees = diagnose(
                    instrument,
                    rules,
                    training.dynamics,
                    training.update,
                    [Member(look["seed"], look["n_train"], look["learning_rate"]) for look in alike],
                    [_snapshots(file, look["trained"]) for look in alike],
                    training.snapshots,
                    device=place,
                    dtype=training.dtype,
                )
            else:  # an experiment without a selector passes over the games that its instrument cannot look at
                trees = [{"values": {}, "arrays": {}} for _ in alike]
            yield from zip(alike, trees, strict=True)
            done += len(alike)
            report(done)


def _snapshots(file: Any, digest: str) -> Tree:
    return store.load(store.inside(packs.group_of(file, digest), "snapshots"))
